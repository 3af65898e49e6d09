"""What the producers say of their connections, followed by every worker."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from processors.foreign import Foreign
from processors.freshness import TOGETHER_NS, Connections, Freshness, user_freshness
from processors.ledger.users import UserState
from processors.metrics import Metrics
from schemas.codec import NotADocument
from schemas.feeds import FeedStatus, status_of
from schemas.times import rfc3339, time_ns_of
from schemas.words import Words

log = logging.getLogger("headroom.feeds")

ACCOUNTS_TOLD_MAX: Final = 20
_WAIT_MS: Final = 1_000
_PAUSE_SECONDS: Final = 1.0
# What follows from the statuses is worked out once for all who ask at nearly the same time.
_KEPT_NS: Final = 50_000_000


class Feeds:
    """The last word on every connection; `run` follows the topic, the rest only looks.

    Until it has read what was there at first, nobody's number is known to be right. What is not
    told for long grows stale by itself: nothing has to be noticed for that, not even that Kafka is
    away.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        topic: str,
        stale_after_seconds: float,
        clock_ns: Callable[[], int],
        foreign: Foreign | None = None,
    ) -> None:
        self._foreign = foreign or Foreign(Metrics().foreign_records)
        self._kafka = kafka
        self._topic = topic
        self._stale_after_seconds = stale_after_seconds
        self._clock_ns = clock_ns
        # By key of the topic (venue and connection), then by the producer that told it.
        self._statuses: dict[bytes, dict[str, FeedStatus]] = {}
        # When each said it by its own clock: that orders its words, and nothing else.
        self._told_times: dict[tuple[bytes, str], str] = {}
        self._is_known = False
        self._kept: Connections | None = None
        self._kept_ns = 0

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the topic while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the topic; raises `NotADocument` where it is none of ours."""
        if value is None:
            for name in self._statuses.pop(key, {}):
                self._told_times.pop((key, name), None)
            self._kept = None
            return
        status = status_of(key, value)
        told = self._statuses.setdefault(key, {})
        before = self._told_times.get((key, status.instance), "")
        if before > status.time:
            return  # the topic is read from its beginning again
        now = self._clock_ns()
        if not self._is_known and time_ns_of(status.time) > now + TOGETHER_NS:
            return  # by a clock ahead of ours, who knows when: if it is alive, it tells again
        self._told_times[key, status.instance] = status.time
        if before == status.time and status.instance in told:
            now = min(now, time_ns_of(told[status.instance].time))
        told[status.instance] = _not_ahead(status, rfc3339(now))
        if len(told) > 1:
            newest_ns = max(time_ns_of(one.time) for one in told.values())
            self._statuses[key] = {
                name: one
                for name, one in told.items()
                if newest_ns - time_ns_of(one.time) <= TOGETHER_NS
            }
            for name in told.keys() - self._statuses[key].keys():
                self._told_times.pop((key, name), None)
        self._kept = None

    def known(self) -> None:
        """All that was there at first has been taken."""
        self._is_known = True
        self._kept = None

    def all(self) -> list[dict[str, Any]]:
        """Every connection, by venue and name, as HTTP has it: of its accounts not too many."""
        found = [one for told in self._statuses.values() for one in told.values()]
        found.sort(key=lambda one: (one.venue, one.connection, one.instance))
        return [_document(one) for one in found]

    def now(self) -> Connections:
        """How the connections are at this moment."""
        now_ns = self._clock_ns()
        if self._kept is None or not 0 <= now_ns - self._kept_ns < _KEPT_NS:
            self._kept_ns = now_ns
            self._kept = Connections(
                (one for told in self._statuses.values() for one in told.values()),
                now_ns=now_ns,
                stale_after_seconds=self._stale_after_seconds,
                known=self._is_known,
            )
        return self._kept

    def freshness(self, state: UserState) -> Freshness:
        """How fresh a user is who has an account that is not deleted."""
        return user_freshness(state, self.now())

    async def _follow(self) -> None:
        """Read the topic from its beginning, for ever; a Kafka that is away is waited for."""
        words = Words()
        while True:
            try:
                await self._follow_while_it_lasts()
            except (KafkaError, OSError) as error:
                text = f"cannot read {self._topic}: {error!r}; trying again"
                if (line := words.say(text, int(time.monotonic()))) is not None:
                    log.warning("%s", line)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow_while_it_lasts(self) -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            self._topic, **self._kafka, auto_offset_reset="earliest", enable_auto_commit=False
        )
        try:
            await consumer.start()
            ends: dict[Any, int] = {}
            while True:
                if not self._is_known:
                    # Asked before any record is waited for: a topic may have none.
                    ends = ends or await consumer.end_offsets(consumer.assignment())
                    at = {place: await consumer.position(place) for place in ends}
                    if at and all(at[place] >= end for place, end in ends.items()):
                        self.known()
                for records in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
                    for record in records:
                        try:
                            self.take(record.key or b"", record.value)
                        except NotADocument as error:
                            self._foreign.passed_by(
                                record.topic, record.partition, record.offset, str(error)
                            )
        finally:
            await consumer.stop()


def _not_ahead(status: FeedStatus, now: str) -> FeedStatus:
    """The same, said `now` at the latest: nobody lives on because his clock is ahead."""
    if status.time <= now:
        return status
    told = {
        name: min(at, now)
        for name in ("last_heard", "last_frame", "last_confirmed")
        if (at := getattr(status, name)) is not None
    }
    return msgspec.structs.replace(status, time=now, **told)


def _document(status: FeedStatus) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(status)
    accounts = fields["accounts"]
    if accounts is not None:
        fields["accounts"] = accounts[:ACCOUNTS_TOLD_MAX]
    return {**fields, "accounts_count": None if accounts is None else len(accounts)}
