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

from schemas.codec import NotADocument, decode
from schemas.documents import UserBalances
from schemas.feeds import FeedStatus
from schemas.times import time_ns_of
from schemas.words import Words

log = logging.getLogger("headroom.feeds")

_NS_PER_S: Final = 1_000_000_000
_WAIT_MS: Final = 1_000
_PAUSE_SECONDS: Final = 1.0


class Freshness(msgspec.Struct, frozen=True):
    """How old an answer is: its newest source, and how long ago its venue was last heard."""

    source: Mapping[str, Any]
    source_time: str
    age_seconds: float
    stale: bool


class Feeds:
    """The last word on every connection; `run` follows the topic, the rest only looks."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        topic: str,
        stale_after_seconds: float,
        clock_ns: Callable[[], int],
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._stale_after_seconds = stale_after_seconds
        self._clock_ns = clock_ns
        self._statuses: dict[tuple[str, str], FeedStatus] = {}

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the topic while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def take(self, value: bytes) -> None:
        """Take one record of the topic; what cannot be read is another version's and skipped."""
        try:
            status = decode(value, FeedStatus)
        except NotADocument:
            return
        self._statuses[status.venue, status.connection] = status

    def all(self) -> list[FeedStatus]:
        """Every connection, by venue and name."""
        return [status for _, status in sorted(self._statuses.items())]

    def freshness(self, balances: UserBalances) -> Freshness:
        """How fresh a user's balances are: as fresh as the venue that was heard longest ago.

        A quiet account on a live feed is fresh; an account of a venue that is known to be
        disconnected is stale, however young its last frame.
        """
        newest = max(balances.accounts, key=lambda account: account.received_time)
        ages, stale = [], False
        for account in balances.accounts:
            age = self._age_seconds(account.venue, account.received_time)
            ages.append(age)
            stale = stale or age > self._stale_after_seconds or self._is_down(account.venue)
        return Freshness(
            source=msgspec.to_builtins(newest.source),
            source_time=newest.received_time,
            age_seconds=round(max(ages), 3),
            stale=stale,
        )

    def _age_seconds(self, venue: str, received_time: str) -> float:
        heard = [
            time_ns_of(status.last_heard)
            for status in self._statuses.values()
            if status.venue == venue and status.last_heard is not None
        ]
        last_ns = max([time_ns_of(received_time), *heard])
        return max(0.0, (self._clock_ns() - last_ns) / _NS_PER_S)

    def _is_down(self, venue: str) -> bool:
        states = [status.state for status in self._statuses.values() if status.venue == venue]
        return bool(states) and "connected" not in states

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
            while True:
                for records in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
                    for record in records:
                        if record.value is not None:
                            self.take(record.value)
        finally:
            await consumer.stop()
