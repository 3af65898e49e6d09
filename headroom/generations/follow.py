"""Following the book of generations: a worker is told when another one becomes the live one."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from headroom.generations.book import Book
from schemas.topics import GENERATIONS

log = logging.getLogger("headroom.generations")

_WAIT_MS: Final = 1_000
_PAUSE_SECONDS: Final = 1.0


class Following:
    """The book as it is now, kept up to date while `followed` runs."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._kafka = kafka
        self._book = Book()
        self._known = False
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator["Following"]:
        """Follow the topic while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self) -> str:
        """Wait until no promotion is under way; which generation is live then."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._known and self._settled)
            return self._book.live.name

    async def over(self, name: str) -> None:
        """Wait until this generation is not the live one any more, or is about not to be."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: not (self._settled and self._book.live.name == name)
            )

    @property
    def made_ns(self) -> Mapping[str, int]:
        """When each generation that is recorded was made."""
        return {name: one.made_ns for name, one in self._book.generations.items()}

    @property
    def _settled(self) -> bool:
        return self._book.live.promoting is None

    async def _follow(self) -> None:
        """Read the topic from its beginning, for ever; a Kafka that is away is waited for."""
        while True:
            try:
                await self._follow_while_it_lasts()
            except (KafkaError, OSError) as error:
                log.warning("cannot read %s: %r; trying again", GENERATIONS, error)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow_while_it_lasts(self) -> None:
        consumer = AIOKafkaConsumer(
            GENERATIONS,
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
                found = await consumer.getmany(timeout_ms=_WAIT_MS)
                async with self._changed:
                    for records in found.values():
                        for record in records:
                            self._book.take(record.key, record.value)
                    if not self._known:
                        at = {place: await consumer.position(place) for place in places}
                        self._known = all(at[place] >= end for place, end in ends.items())
                    self._changed.notify_all()
        finally:
            await consumer.stop()
