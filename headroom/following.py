"""Following a compacted topic: what it says now, and what it says next."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from headroom.reading import foreign
from schemas.codec import NotADocument
from schemas.words import Words

log = logging.getLogger("headroom.following")

_WAIT_MS: Final = 1_000
_PAUSE_SECONDS: Final = 1.0


class Following:
    """Takes every record of a topic: those that are there, then those that come.

    `take` gets key and value, in the order of each key. `changed` is notified after each look.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        take: Callable[[bytes | None, bytes | None], None],
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._take = take
        self._known = False
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the topic while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Wait until all that was there at first has been taken, and something holds."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._known and condition())

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
        consumer = AIOKafkaConsumer(
            self._topic,
            **self._kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            places = consumer.assignment()
            ends = await consumer.end_offsets(places)
            while True:
                # Asked before any record is waited for: a topic may have none.
                at = {place: await consumer.position(place) for place in places}
                self._known = self._known or all(at[place] >= end for place, end in ends.items())
                async with self._changed:
                    self._changed.notify_all()
                found = await consumer.getmany(timeout_ms=_WAIT_MS)
                for records in found.values():
                    for record in records:
                        try:
                            self._take(record.key, record.value)
                        except NotADocument as error:
                            foreign(record.topic, record.partition, record.offset, str(error))
        finally:
            await consumer.stop()
