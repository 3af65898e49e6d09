"""`headroom replay promote`: another generation becomes the live one, whole or not at all.

The live workers are told to stop, and do once they see that a promotion is under way. What they
left half done is folded by the agents of the old generation, the frames that came since are read by
those of the new one; then both stand at the same frame, and what differs is published.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients, Place
from headroom.base.errors import OperatorError
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import read_bindings
from headroom.operate.generations import (
    Book,
    Generation,
    Live,
    app_name,
    check_name,
    names_of,
    read_by,
    tables_of,
    topics_of,
    write,
)
from headroom.operate.generations.book import entry
from headroom.operate.generations.kind import changelog
from headroom.operate.replay import show
from headroom.operate.replay.alone import Stopped, alone
from headroom.operate.replay.asked import RAW_TOPICS, mapped, placed
from headroom.operate.replay.begin import IsLive, not_going, readable, same_raw
from headroom.operate.replay.compare import Comparison
from headroom.operate.replay.place import without_helpers, workplace
from headroom.operate.replay.plan import vanishes
from headroom.operate.replay.publish import publish
from headroom.operate.replay.rebuild import Job, rebuild
from headroom.operate.replay.rows import Pair, Tables, User, has_foreign
from headroom.operate.replay.told import has_lost
from headroom.operate.resume.moved import check_raw
from headroom.operate.topics import create, require
from headroom.operate.topics.known import known_book, relied_on, unchanged
from processors.engine.errors import EngineError
from processors.ledger.assets import check_row as check_sum
from processors.ledger.user_ledger import check_row as check_user
from processors.names import ASSETS_TABLE, EVERYTHING, USERS_TABLE

_NAMED_MAX: Final = 5
_CHECKS: Final = {USERS_TABLE: check_user, ASSETS_TABLE: check_sum}


class NotComplete(OperatorError):
    """A generation whose frames are not all done."""


class WouldVanish(OperatorError):
    """Users whom the public knows would be gone."""


async def run_promote(
    settings: Settings, name: str, stop: asyncio.Event, *, allow_missing: bool
) -> None:
    """Make a generation the live one; nothing is changed where it is refused."""
    check_name(name)
    kafka, clients = settings.kafka.arguments(), Clients(settings.kafka)
    await require(settings.kafka, partitions=settings.partitions)
    book = await known_book(settings.kafka, partitions=settings.partitions)
    if name == book.live.name:
        await _stay(settings, book)
        return
    generation = _promotable(book, name)
    old = book.live.name
    with (
        workplace(settings.data_dir, name, clients) as place,
        workplace(settings.data_dir / "draining", old, clients, alone=False) as drain,
    ):
        await without_helpers(clients, name, place.instance)
        await unchanged(settings.kafka, book, read_by(name))
        # What was told of up to there is told by nobody else.
        await check_raw(settings)
        await readable(settings, old)
        promotion = _Promotion(settings, clients, book, generation, stop)
        if not allow_missing:
            await promotion.nobody_vanishes()
        await write(kafka, entry(Live(old, promoting=name)))
        try:
            await alone(clients, old, stop, partitions=settings.partitions)
            await promotion.drain(drain.folder(0), drain.instance)
            await promotion.catch_up(place.folder(generation.made_ns), place.instance)
            if not allow_missing:
                await promotion.nobody_vanishes()
        except (OperatorError, EngineError, asyncio.CancelledError):
            await write(kafka, entry(Live(old)))
            raise
        comparison = await promotion.publish()
    told = sum(one.unlike for one in comparison.topics)
    sys.stdout.write(f"{name} is live; {told:,} keys differed from {old}\n")


async def _stay(settings: Settings, book: Book) -> None:
    """Give up a promotion that was begun, if there is one; raises `IsLive` if not."""
    name = book.live.name
    if book.live.promoting is None:
        raise IsLive(f"{name} is the live generation already")
    await write(settings.kafka.arguments(), entry(Live(name)))
    sys.stdout.write(f"{name} stays live; {book.live.promoting} is not promoted\n")


def _promotable(book: Book, name: str) -> Generation:
    """The generation of this name; raises `Unknown`, `IsGoing`, `NotComplete`, `OtherRaw`."""
    generation = book.find(name)
    not_going(generation)
    if generation.state != "complete":
        problem = f"the generation {name} is not complete: `headroom replay --generation {name}`"
        raise NotComplete(f"{problem} goes on with it")
    same_raw(book, generation)
    if book.live.promoting not in (None, name):
        problem = f"{book.live.promoting} is being promoted: finish that, or promote"
        raise NotComplete(f"{problem} {book.live.name} to give it up")
    return generation


class _Promotion:
    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        book: Book,
        generation: Generation,
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._book = book
        self._generation = generation
        self._old = book.live.name
        self._stop = stop
        self._partitions = settings.partitions

    async def nobody_vanishes(self) -> None:
        """Raises `WouldVanish` where a user would who is in the live tables."""
        missing = await asyncio.to_thread(self._missing)
        if missing:
            named = ", ".join(sorted(missing)[:_NAMED_MAX])
            more = len(missing) - _NAMED_MAX
            named += f" and {more} more" if more > 0 else ""
            raise WouldVanish(f"{len(missing)} users would vanish: {named} (--allow-missing)")

    def _missing(self) -> list[str]:
        tables = self._tables()
        return [
            pair.key.decode()
            for partition in range(self._partitions)
            for pair in tables.users([partition])
            if pair is not None and vanishes(pair) and not self._is_ahead(pair)
        ]

    def _is_ahead(self, pair: Pair[User]) -> bool:
        """Whether frames that are still to be read may bring a user back."""
        sources = [one.source for one in pair.there.state.accounts.values()] if pair.there else []
        return any(self._generation.is_behind(s.topic, s.partition, s.offset) for s in sources)

    def _tables(self) -> Tables:
        return Tables(self._clients, self._generation.name, self._old, partitions=self._partitions)

    async def drain(self, folder: Any, instance: str) -> None:  # noqa: ANN401 - a Path
        """Fold what the old generation has normalised, so that it stands still as a whole."""
        names = names_of(self._old, live=True)
        ends = await asyncio.to_thread(self._clients.ends, names.folded, self._partitions)
        done = await asyncio.to_thread(
            self._clients.committed, app_name(self._old), names.folded, self._partitions
        )
        begins = await asyncio.to_thread(self._clients.begins, names.folded, self._partitions)
        behind = any(done.get(place, 0) < end for place, end in ends.items())
        gone = any(done.get(place, begin) < begin for place, begin in begins.items())
        # Tables that were lost cannot be gone on from, nor can records that are; the new ones were
        # made of the same frames.
        if behind and not gone and not await asyncio.to_thread(self._has_lost):
            job = Job(self._old, names, {}, {}, "", 0, {}, {})
            await self._work(job, "finish " + self._old, folder, instance)

    def _has_lost(self) -> bool:
        """Whether a worker of the old generation could not restore its tables."""
        found = {table: changelog(self._old, table) for table in _CHECKS}
        return any(
            has_lost(self._clients, table, topic, self._partitions)
            or has_foreign(self._clients, topic, _CHECKS[table], self._partitions)
            for table, topic in found.items()
        )

    async def catch_up(self, folder: Any, instance: str) -> None:  # noqa: ANN401 - a Path
        """Read the frames that the old generation has read since, so that both stand the same."""
        name, generation = self._generation.name, self._generation
        stands = await asyncio.to_thread(
            self._clients.committed, app_name(self._old), RAW_TOPICS, self._partitions
        )
        await create(
            self._settings.kafka,
            # An earlier version kept no alerts.
            topics_of(name) | tables_of(self._old),
            partitions=self._partitions,
            replication_factor=self._settings.replication_factor,
        )
        starts = placed(generation.ends)
        until = {place: max(stands.get(place, 0), start) for place, start in starts.items()}
        await asyncio.to_thread(self._put_back, starts)
        total = sum(until.values()) - sum(starts.values())
        names = names_of(name, live=False)
        raw = generation.incarnations
        job = Job(name, names, EVERYTHING, until, generation.code, total, starts, raw)
        await self._work(job, "catch up " + name, folder, instance)
        self._generation = msgspec.structs.replace(generation, ends=mapped(until))

    def _put_back(self, starts: Mapping[Place, int]) -> None:
        """Kafka forgets where a group stood that had no member for a week."""
        group = app_name(self._generation.name)
        known = self._clients.committed(group, RAW_TOPICS, self._partitions)
        lost = {place: offset for place, offset in starts.items() if place not in known}
        if lost:
            self._clients.move(group, lost, ours=True)

    async def _work(self, job: Job, title: str, folder: Any, instance: str) -> None:  # noqa: ANN401 - a Path
        with show.bar(title) as shown:
            done = await rebuild(self._settings, job, folder, instance, shown, self._stop)
        if not done:
            raise Stopped("stopped: nothing was changed")

    # -- what the public gets

    async def publish(self) -> Comparison:
        """Write what differs, and who is live; what differed."""
        kafka = self._settings.kafka.arguments()
        bindings = await read_bindings(kafka, partitions=self._partitions)
        # The first worker of the generation must find the topics that were compared here.
        read = relied_on(self._generation.name)
        new = await unchanged(self._settings.kafka, self._book, read)
        return await asyncio.to_thread(
            lambda: publish(
                self._clients,
                self._book,
                self._generation,
                new,
                partitions=self._partitions,
                moved=bindings.moved,
                in_assets=self._settings.in_assets,
            )
        )
