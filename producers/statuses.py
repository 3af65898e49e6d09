"""How the lines are, told to the workers: at every change and every second, beside the frames.

To everybody else it is told at a change, and every few seconds that nothing has changed.

A status is of its moment: one that Kafka does not take is not kept, the next one takes its place.
So the frames never wait for it, and a failure is a line in the log, never the producer's end.

A status waits for the frames that came before it: what it vouches for has to be in Kafka, else an
older number would be called live. Where they do not get there, it vouches for nothing (`spooled`).
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from producers.kafka import Reaching, start, stop
from producers.outcomes import excerpt
from schemas.codec import encode
from schemas.feeds import Doubt, FeedStatus
from schemas.headers import Headers, cloud_event
from schemas.times import rfc3339, time_ns_of
from schemas.topics import FEEDS, PUBLIC_FEEDS

EVERY_SECONDS: Final = 1.0
PUBLIC_SECONDS: Final = 15.0
SPOOLED_SECONDS: Final = 2.0
"""For so long a status waits for frames to get into Kafka before it says that they do not."""
_NS_PER_S: Final = 1_000_000_000
_AT_ONCE_NS: Final = 50_000_000
# While frames wait. Behind them a status still takes a moment.
_AGAIN_SECONDS: Final = 0.5
_WAITING_STATUSES_MAX: Final = 10_000
_REQUEST_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 3.0


class StatusSettings(msgspec.Struct, frozen=True):
    """Where statuses go, for workers and for all, and how often when nothing changes."""

    topic: str = FEEDS
    every_seconds: float = EVERY_SECONDS
    public_topic: str = PUBLIC_FEEDS
    public_seconds: float = PUBLIC_SECONDS


class StatusWriter:
    """Writes statuses to Kafka: an async context manager, which connects on entering.

    It has a connection of its own. The frames' is idempotent and gives nothing up: a status that
    cannot be written would stand there for ever, or end the frames with it. `refused` is told where
    Kafka does not take the credentials any more.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        settings: StatusSettings,
        *,
        reaching: Reaching | None = None,
        refused: Callable[[Exception], object] = lambda _: None,
    ) -> None:
        self._reaching, self._refused = reaching, refused
        self._kafka = kafka
        self._settings = settings
        self._public: dict[bytes, FeedStatus] = {}
        self._producer: Any

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._kafka,
            acks=1,
            enable_idempotence=False,
            linger_ms=0,
            request_timeout_ms=int(_REQUEST_SECONDS * 1_000),
        )
        if self._reaching is not None:
            self._reaching(self._producer.client, self._refused)
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
            key, value = key_of(status), encode(status)
            sent.append(await self._producer.send(self._settings.topic, value=value, key=key))
            if self._is_news(key, status):
                self._public[key] = status
                headers = _public_headers(self._settings.public_topic, key, status)
                public = self._settings.public_topic
                sent.append(
                    await self._producer.send(public, value=value, key=key, headers=headers)
                )
        await _acknowledged(sent)

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Say that there are no such connections any more; raises KafkaError."""
        topics = (self._settings.topic, self._settings.public_topic)
        sent = [
            await self._producer.send(topic, value=None, key=key)
            for key in keys
            for topic in topics
        ]
        await _acknowledged(sent)

    def _is_news(self, key: bytes, status: FeedStatus) -> bool:
        before = self._public.get(key)
        if before is None or _lasting(before) != _lasting(status):
            return True
        # Either way: the clock may have been set back.
        since_ns = abs(time_ns_of(status.time) - time_ns_of(before.time))
        return since_ns >= self._settings.public_seconds * _NS_PER_S


def key_of(status: FeedStatus) -> bytes:
    """The key of a connection's records."""
    return f"{status.venue}/{status.connection}".encode()


def _lasting(status: FeedStatus) -> tuple[object, ...]:
    """What of a status does not change by itself every second."""
    cause = None if status.doubt is None else status.doubt.cause
    return status.state, cause, status.confirmed_from, status.accounts, status.epoch, status.gaps


def _public_headers(topic: str, key: bytes, status: FeedStatus) -> Headers:
    name = key.decode()
    event_id = f"{topic}/{name}/{status.instance}/{status.time}"
    return cloud_event(topic=topic, subject=name, event_id=event_id, time=status.time)


async def _acknowledged(sent: Sequence[Awaitable[object]]) -> None:
    for result in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
        if isinstance(result, BaseException):
            raise KafkaError("the client gave it up")


class Frames(Protocol):
    """The frames on their way to Kafka: see `producers.publisher.Publisher`."""

    @property
    def received(self) -> int:
        """How many came so far."""

    async def settled(self, received: int, seconds: float) -> bool:
        """Whether Kafka has all of the first so many frames, or does so in time."""


class _Waiting(NamedTuple):
    """A status, when it was told, and how many frames had come by then."""

    status: FeedStatus
    at: float
    received: int


class Reporter:
    """Tells how `lines` are while `running`; `tell` is for changes, in between and at once.

    `lines` are asked for their status of the moment, `write` may fail in whatever way. `frames` are
    those that a status waits for, up to `spooled_seconds`.
    """

    def __init__(
        self,
        write: Callable[[Sequence[FeedStatus]], Awaitable[object]],
        *,
        frames: Frames,
        every_seconds: float,
        sleep: Callable[[float], Awaitable[object]],
        monotonic: Callable[[], float],
        log: logging.Logger,
        spooled_seconds: float = SPOOLED_SECONDS,
    ) -> None:
        self._write = write
        self._frames = frames
        self._every_seconds = every_seconds
        self._spooled_seconds = spooled_seconds
        self._sleep = sleep
        self._monotonic = monotonic
        self._log = log
        self._waiting: deque[_Waiting] = deque(maxlen=_WAITING_STATUSES_MAX)
        self._woken = asyncio.Event()
        self._failing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._spooled_since: str | None = None

    @property
    def is_heard(self) -> bool:
        """Whether Kafka takes what is told."""
        return not self._failing

    @property
    def is_broken(self) -> bool:
        """Whether nobody tells anything any more."""
        return any(task.done() for task in self._tasks)

    def tell(self, status: FeedStatus) -> None:
        """Have a status written; waits for nothing and cannot fail."""
        self._waiting.append(_Waiting(status, self._monotonic(), self._frames.received))
        self._woken.set()

    @contextlib.asynccontextmanager
    async def running(self, lines: Sequence[Callable[[], FeedStatus]]) -> AsyncIterator[None]:
        """Tell while the block runs; at its end how the lines were left, with little patience."""
        tasks = [asyncio.create_task(self._ask(lines)), asyncio.create_task(self._carry())]
        self._tasks = tasks
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
        waiting = list(self._waiting)
        self._waiting.clear()
        self._woken.clear()
        try:
            await self._write(await self._as_they_may_be_told(waiting))
        except Exception as error:  # noqa: BLE001 - whatever it is, the frames go on
            self._failed(error)
            return
        if self._failing:
            self._failing = False
            self._log.info("the state of the connections is written again")

    async def _as_they_may_be_told(self, waiting: Sequence[_Waiting]) -> list[FeedStatus]:
        """The statuses, once Kafka has the frames that they vouch for; else they do not vouch."""
        received = max((one.received for one in waiting if _vouches(one.status)), default=None)
        if received is None or await self._frames.settled(received, self._patience_seconds()):
            self._spooled_since = None
            return [self._at_its_time(one) for one in waiting]
        if self._spooled_since is None:
            self._spooled_since = waiting[0].status.time
        doubt = Doubt("spooled", "frames wait until Kafka takes them", self._spooled_since)
        return [
            replace(status, doubt=doubt) if _vouches(status) else status
            for status in map(self._at_its_time, waiting)
        ]

    def _patience_seconds(self) -> float:
        return self._spooled_seconds if self._spooled_since is None else _AGAIN_SECONDS

    def _at_its_time(self, one: _Waiting) -> FeedStatus:
        """The status as of when it was told: for whoever reads it, its time is that of writing."""
        passed_ns = round((self._monotonic() - one.at) * _NS_PER_S)
        if passed_ns < _AT_ONCE_NS:
            return one.status
        return replace(one.status, time=rfc3339(time_ns_of(one.status.time) + passed_ns))

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            detail = excerpt(str(error) or type(error).__name__)
            words = "the state of the connections cannot be written (%s); frames go on"
            self._log.warning(words, detail)
        self._failing = True


def _vouches(status: FeedStatus) -> bool:
    return status.state == "connected" and status.doubt is None
