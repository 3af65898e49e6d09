"""How the lines are, told to the workers: at every change and every second, beside the frames.

A status is of its moment: one that Kafka does not take is not kept, the next one takes its place.
So the frames never wait for it, and a failure is a line in the log, never the producer's end.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from producers.kafka import start, stop
from producers.outcomes import excerpt
from schemas.codec import encode
from schemas.feeds import FeedStatus
from schemas.topics import FEEDS

EVERY_SECONDS: Final = 1.0
_WAITING_STATUSES_MAX: Final = 10_000
_REQUEST_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 3.0


class StatusSettings(msgspec.Struct, frozen=True):
    """Where statuses go, and how often they are told when nothing changes."""

    topic: str = FEEDS
    every_seconds: float = EVERY_SECONDS


class StatusWriter:
    """Writes statuses to Kafka: an async context manager, which connects on entering.

    It has a connection of its own. The frames' is idempotent and gives nothing up: a status that
    cannot be written would stand there for ever, or end the frames with it.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._producer: Any

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._kafka,
            acks=1,
            enable_idempotence=False,
            linger_ms=0,
            request_timeout_ms=int(_REQUEST_SECONDS * 1_000),
        )
        await start(self._producer, self._kafka)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await stop(self._producer, seconds=_LAST_SECONDS)

    async def write(self, statuses: Sequence[FeedStatus]) -> None:
        """Write these, in their order, and wait for the broker; raises KafkaError."""
        sent = []
        for status in statuses:
            key = f"{status.venue}/{status.connection}".encode()
            sent.append(await self._producer.send(self._topic, value=encode(status), key=key))
        results = await asyncio.gather(*sent, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
            if isinstance(result, BaseException):
                raise KafkaError("the client gave it up")


class Reporter:
    """Tells how `lines` are while `running`; `tell` is for changes, in between and at once.

    `lines` are asked for their status of the moment, `write` may fail in whatever way.
    """

    def __init__(
        self,
        write: Callable[[Sequence[FeedStatus]], Awaitable[object]],
        *,
        every_seconds: float,
        sleep: Callable[[float], Awaitable[object]],
        log: logging.Logger,
    ) -> None:
        self._write = write
        self._every_seconds = every_seconds
        self._sleep = sleep
        self._log = log
        self._waiting: deque[FeedStatus] = deque(maxlen=_WAITING_STATUSES_MAX)
        self._woken = asyncio.Event()
        self._failing = False

    def tell(self, status: FeedStatus) -> None:
        """Have a status written; waits for nothing and cannot fail."""
        self._waiting.append(status)
        self._woken.set()

    @contextlib.asynccontextmanager
    async def running(self, lines: Sequence[Callable[[], FeedStatus]]) -> AsyncIterator[None]:
        """Tell while the block runs; at its end how the lines were left, with little patience."""
        tasks = [asyncio.create_task(self._ask(lines)), asyncio.create_task(self._carry())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for status in lines:
                self.tell(status())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._write_waiting()

    async def _ask(self, lines: Sequence[Callable[[], FeedStatus]]) -> None:
        while True:
            for status in lines:
                self.tell(status())
            await self._sleep(self._every_seconds)

    async def _carry(self) -> None:
        while True:
            await self._woken.wait()
            await self._write_waiting()

    async def _write_waiting(self) -> None:
        statuses = list(self._waiting)
        self._waiting.clear()
        self._woken.clear()
        try:
            await self._write(statuses)
        except Exception as error:  # noqa: BLE001 - whatever it is, the frames go on
            self._failed(error)
            return
        if self._failing:
            self._failing = False
            self._log.info("the state of the connections is written again")

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            detail = excerpt(str(error) or type(error).__name__)
            words = "the state of the connections cannot be written (%s); frames go on"
            self._log.warning(words, detail)
        self._failing = True
