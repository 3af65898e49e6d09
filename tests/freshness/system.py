"""A worker and topics that many cases share, and the eyes of somebody who asks for users."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from producers.statuses import StatusSettings, StatusWriter
from schemas.codec import decode
from schemas.feeds import FeedStatus
from schemas.topics import DEAD_LETTERS, FEEDS, PUBLIC_FEEDS, TOPICS
from schemas.venues import VENUES, Venue
from tests.processors.pipeline import PARTITIONS, Pipeline, WorkerProcess
from tests.producers import topics

DEADLINE_SECONDS = 30.0
_LOOK_SECONDS = 0.03

Amounts = dict[str, tuple[Decimal, Decimal, Decimal]]
"""What is held of each asset: in total, available, held. Of what there is nothing, nothing."""


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def amounts(held: Iterable[tuple[Any, ...]]) -> Amounts:
    """Amounts of (asset, total, available, held), as texts or numbers."""
    found = {name: (Decimal(a), Decimal(b), Decimal(c)) for name, a, b, c in held}
    return {name: each for name, each in found.items() if any(each)}


class _Behind(Venue, frozen=True):
    """A venue whose topic lies behind a prefix."""

    prefix: str = ""

    @property
    def raw_topic(self) -> str:
        return f"{self.prefix}raw.{self.name}.balances.v1"


class System(msgspec.Struct, frozen=True):
    """Topics of their own and a worker that reads them: where, and how it is asked."""

    bootstrap: str
    prefix: str
    url: str

    def venue(self, name: str) -> Venue:
        """A venue as its producer has to see it to write into our topics."""
        found = VENUES[name]
        return _Behind(found.name, found.feed, self.prefix)

    @property
    def kafka(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.bootstrap}

    @property
    def statuses(self) -> StatusSettings:
        """Where a producer tells how its connections are."""
        return StatusSettings(
            topic=self.prefix + FEEDS, every_seconds=0.2, public_topic=self.prefix + PUBLIC_FEEDS
        )

    async def forget(self, venue: str, connections: Iterable[str]) -> None:
        """Say that there are no such connections: the next case begins with none."""
        async with StatusWriter(self.kafka, self.statuses) as writer:
            await writer.forget([f"{venue}/{name}".encode() for name in connections])

    async def told(self, venue: str) -> list[FeedStatus]:
        """All that everybody was told of a venue's connections, in its order."""
        records = await self.records(PUBLIC_FEEDS)
        found = [decode(record.value, FeedStatus) for record in records if record.value]
        return sorted((one for one in found if one.venue == venue), key=lambda one: one.time)

    async def forgotten(self) -> set[bytes]:
        """The connections of which everybody was told that they are no more."""
        return {record.key for record in await self.records(PUBLIC_FEEDS) if record.value is None}

    async def dead_letters(self) -> int:
        """How many there are."""
        return len(await self.records(DEAD_LETTERS))

    async def records(self, topic: str) -> list[Any]:
        """Everything in a topic."""
        return await topics.records(self.bootstrap, self.prefix + topic, PARTITIONS)


@contextlib.contextmanager
def running(bootstrap: str, prefix: str, folder: Path, **options: Any) -> Iterator[System]:
    """A system with its topics and its worker."""
    pipeline = Pipeline(bootstrap, prefix, folder)

    async def begin(worker: WorkerProcess) -> str:
        await _make_topics(bootstrap, prefix)
        worker.start()
        return await worker.ready()

    with contextlib.ExitStack() as stack:
        worker = pipeline.worker("one", **options)
        stack.push(worker.__exit__)
        yield System(bootstrap, prefix, asyncio.run(begin(worker)))
        assert worker.stop() == 0, worker.log.read_text()


async def _make_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {t.name: t.settings(replication_factor=1) for t in TOPICS.values()}
        wanted = [
            NewTopic(prefix + name, PARTITIONS, 1, topic_configs=each)
            for name, each in settings.items()
        ]
        await admin.create_topics(wanted)
    finally:
        await admin.close()


class Seen(msgspec.Struct, frozen=True):
    """What a user was answered; `state` is `unknown` where there is no such user."""

    state: str
    cause: str | None
    reason: str | None
    stale: bool
    amounts: Amounts
    unknown: list[str]
    version: int


class Eyes:
    """Asks for some users again and again, and keeps what was answered: an async context manager.

    At its end no number may have been called fresh that was anything but live.
    """

    def __init__(self, system: System, users: Iterable[str]) -> None:
        self._url = system.url
        self.users = list(users)
        self.seen: dict[str, list[Seen]] = {user: [] for user in self.users}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._http.close()
        for seen in self.seen.values():
            assert all(one.stale == (one.state != "live") for one in seen)

    async def _look(self) -> None:
        while True:
            for user in self.users:
                answer = await self.ask(f"/v1/users/{quote(user, safe='')}/balances")
                if answer is not None:
                    self.seen[user].append(_seen(answer))
            await asyncio.sleep(_LOOK_SECONDS)

    async def ask(self, path: str) -> dict[str, Any] | None:
        """The answer, `{}` where there is none such; None where the worker is not ready."""
        async with self._http.get(f"{self._url}{path}") as response:
            if response.status == 503:
                return None
            assert response.status in {200, 404}
            found: dict[str, Any] = await response.json(content_type=None)
            return found if response.status == 200 else {}

    async def feeds(self) -> dict[str, Any]:
        """The connections, by venue and name."""
        answer = await self.ask("/v1/feeds")
        assert answer is not None
        return {f"{one['venue']}/{one['connection']}": one for one in answer["feeds"]}

    async def counts(self, venue: str, **wanted: int) -> None:
        """Wait until the overview and the metric count so many of a venue's accounts so fresh."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not all(counted.items() >= wanted.items() for counted in await self._both(venue)):
                await asyncio.sleep(_LOOK_SECONDS)

    async def _both(self, venue: str) -> tuple[dict[str, int], dict[str, int]]:
        overview = await self.ask("/v1/overview") or {}
        async with self._http.get(f"{self._url}/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        metric = {
            sample.labels["state"]: int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == "headroom_accounts" and sample.labels["venue"] == venue
        }
        return overview.get("accounts", {}).get(venue, {}), metric

    async def reaches(
        self, user: str, state: str, cause: str | None = None, holding: Amounts | None = None
    ) -> Seen:
        """The next answer of this state, cause and (unless None) holding."""
        seen = self.seen[user]
        begun = len(seen)

        def found() -> Seen | None:
            for one in seen[begun:]:
                if (one.state, one.cause) == (state, cause) and holding in (None, one.amounts):
                    return one
            return None

        try:
            await until(found)
        except TimeoutError:
            last = seen[-1] if seen else None
            wanted = (user, state, cause, holding)
            raise AssertionError(f"never {wanted}; last {last}") from None
        one = found()
        assert one is not None
        return one

    async def stay_live(self, users: Iterable[str]) -> None:
        """From the beginning of the case's fault these were live, whatever befell others."""
        for user in users:
            await self.more(user)
            states = {(one.state, one.cause) for one in self.seen[user]}
            assert states == {("live", None)}, (user, states)

    async def more(self, user: str, answers: int = 3) -> list[Seen]:
        """The next answers."""
        begun = len(self.seen[user])
        await until(lambda: len(self.seen[user]) >= begun + answers)
        return self.seen[user][begun:]

    def forget(self) -> None:
        """Look from here on: what was before is another story."""
        for seen in self.seen.values():
            seen.clear()

    def live(self, user: str) -> list[Amounts]:
        """What was shown as live, each amount once in a row."""
        return _changes(one.amounts for one in self.seen[user] if one.state == "live")

    def shown(self, user: str) -> list[Amounts]:
        """What was shown at all, each amount once in a row."""
        return _changes(one.amounts for one in self.seen[user])


def _changes(held: Iterable[Amounts]) -> list[Amounts]:
    found: list[Amounts] = []
    for one in held:
        if not found or found[-1] != one:
            found.append(one)
    return found


def _seen(answer: dict[str, Any]) -> Seen:
    if not answer:
        return Seen("unknown", None, None, stale=True, amounts={}, unknown=[], version=0)
    fresh = answer["freshness"]
    return Seen(
        state=fresh["state"],
        cause=fresh["cause"],
        reason=fresh["reason"],
        stale=fresh["stale"],
        amounts=amounts(
            (name, one["total"], one["available"], one["held"])
            for name, one in answer["totals"].items()
        ),
        unknown=answer.get("unknown", []),
        version=answer["version"],
    )
