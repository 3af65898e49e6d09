"""Frames to Kafka by way of the spool: in order, whatever Kafka does, and never waited for.

A frame is received once it lies in the spool, a few milliseconds after it came. From there on it is
the courier's (`producers.spool.courier`): what Kafka takes is told by `settled`.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from confluent_kafka import KafkaException, Producer

from producers.errors import KafkaRefuses, ProducerError, SendFailed, SteppedBack
from producers.metrics import ProducerMetrics
from producers.outcomes import excerpt
from producers.sink import IN_FLIGHT_BYTES_MAX, Sink, librdkafka_log
from producers.spool.courier import Courier, Sending
from producers.spool.folder import Folder, Owner
from producers.spool.records import Record
from producers.spool.spool import MEMORY_BYTES_MAX, Spool
from producers.transactions import FencedSink
from schemas.headers import RawHeaders

FLUSH_SECONDS_MAX: Final = 30.0
SPOOL_BYTES_MAX: Final = 1024 * 1024 * 1024
_ASK_SECONDS: Final = 10.0
_SAMPLE_SECONDS: Final = 1.0
_FENCE_SECONDS: Final = 15.0
_WRITE_SECONDS: Final = 0.005
_TOLD_SECONDS: Final = 2.0

Access = Callable[[], Mapping[str, Any]]
"""Librdkafka's properties of the Kafka to write to, asked for anew for each client."""


class SpoolSettings(msgspec.Struct, frozen=True):
    """Where frames are kept until Kafka has them (None: in memory only), and how many bytes."""

    folder: Path | None = None
    bytes_max: int = SPOOL_BYTES_MAX
    memory_bytes_max: int = MEMORY_BYTES_MAX


IN_MEMORY: Final = SpoolSettings()


class Publisher:
    """Writes frames to one raw topic: an async context manager, which connects on entering.

    `failed` gets what ends the producer: KafkaRefuses once credentials are refused, SendFailed
    where this fails itself. What Kafka does otherwise is waited out. `overflowed` is called in the
    event loop where frames were lost that nothing makes obsolete.

    With `fencing`, a name, whoever wrote under that name before is fenced on entering (SteppedBack
    where that fails), and `fenced` is set once somebody else has begun.
    """

    def __init__(
        self,
        access: Access,
        topic: str,
        *,
        venue: str,
        log: logging.Logger,
        metrics: ProducerMetrics,
        spool: SpoolSettings = IN_MEMORY,
        keys: str = "",
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
        overflowed: Callable[[], object] = lambda: None,
        fencing: str | None = None,
    ) -> None:
        self._access = access
        self._topic = topic
        self._venue = venue
        self._keys = keys
        self._log = log
        self._monotonic = monotonic
        self._overflowed = overflowed
        self._fencing = fencing
        self._first: FencedSink | None = None
        self.fenced = asyncio.Event()
        self._stepped_back: SteppedBack | None = None
        self.stepping_back = asyncio.Event()
        self._settings = spool
        self._clock_ns = clock_ns
        self._metrics = metrics
        self._published = metrics.frames_published.labels(venue)
        self._bytes = metrics.spool_bytes.labels(venue)
        self._frames = metrics.spool_frames.labels(venue)
        self._on_disk = metrics.spool_on_disk.labels(venue)
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._samples: deque[tuple[int, float]] = deque()
        self._loop: asyncio.AbstractEventLoop
        self._spool: Spool
        self._courier: Courier
        self._told = False
        self.received = 0
        self.found = 0
        self.acknowledged = 0
        self.dropped = 0
        self.failed: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        folder, cluster = self._settings.folder, ""
        if folder is not None:
            cluster = await asyncio.to_thread(_cluster, self._access())
        owner = Owner(self._venue, self._topic, self._keys, cluster)
        self._spool = Spool(
            None if folder is None else Folder(folder / self._venue, owner, self._log),
            bytes_max=self._settings.bytes_max,
            memory_bytes_max=self._settings.memory_bytes_max,
            log=self._log,
            clock_ns=self._clock_ns,
            monotonic=self._monotonic,
            dropped=self._dropped,
            lost=self._lost,
        )
        try:
            self.found = await asyncio.to_thread(self._spool.open)
        except BaseException:
            self._spool.close()
            raise
        self._courier = Courier(
            self._spool,
            self._make_sink,
            log=self._log,
            acknowledged=self._acknowledged,
            progress=self._progress,
            failed=lambda error: self._call(self._break, error),
            fenced=lambda: self._call(self.fenced.set),
            # What is on its way cannot be let go: most of what may wait is not.
            in_flight_bytes_max=min(IN_FLIGHT_BYTES_MAX, self._settings.bytes_max // 4),
        )
        try:
            await self._fence()
        except BaseException:
            self._spool.close()
            raise
        self._courier.start(self.found)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                async with asyncio.timeout(FLUSH_SECONDS_MAX):
                    await self.flush()
        except TimeoutError as late:
            if not self._spool.is_on_disk:
                raise self._break(
                    TimeoutError(f"not taken within {FLUSH_SECONDS_MAX:g} s")
                ) from late
        finally:
            if self._courier.stop():
                self._spool.close()
            if self.waiting and self._settings.folder is not None:
                words = "%d frames stay in the spool: they are sent when the producer starts again"
                self._log.warning(words, self.waiting)

    # -- others who write in our place

    async def _fence(self) -> None:
        """Have nobody write any more who did; raises SteppedBack where that cannot be."""
        if self._fencing is None:
            return
        self._first = sink = self._fenced_sink(self._fencing, singly=False)
        if not await asyncio.to_thread(sink.began, _FENCE_SECONDS):
            sink.close()
            raise SteppedBack(sink.broken or "Kafka did not let it begin in time")

    def _make_sink(self, singly: bool) -> Sending:  # noqa: FBT001 - as the courier calls it
        if self._fencing is None:
            return Sink(self._access(), self._topic, singly=singly)
        first, self._first = self._first, None
        return first or self._fenced_sink(self._fencing, singly=singly)

    def _fenced_sink(self, name: str, *, singly: bool) -> FencedSink:
        done = self._courier.wake
        return FencedSink(self._access(), self._topic, name, singly=singly, done=done)

    def go_on(self) -> None:
        """Nobody else is to write: send again what was fenced."""
        self.fenced.clear()
        self._courier.go_on()

    def step_back(self, error: SteppedBack) -> None:
        """Somebody else is to write: what waits, and what still comes, stays in the spool."""
        self._stepped_back = self._stepped_back or error
        self.stepping_back.set()

    def raise_if_stepped_back(self) -> None:
        """Raises SteppedBack where somebody else is to write."""
        if self._stepped_back is not None:
            raise self._stepped_back

    # -- frames

    def publish(
        self, frame: bytes, key: bytes | None, headers: RawHeaders, *, several: bool = False
    ) -> None:
        """Take a frame; waits for nothing. `several`: it tells of several accounts."""
        self._raise_if_failed()
        self.received += 1
        record = Record(
            key,
            frame,
            headers.venue,
            headers.feed,
            headers.epoch,
            headers.receipt,
            headers.received_time,
            headers.redacted,
            several,
            headers.traceparent,
        )
        self._courier.offer([record])

    def publish_all(
        self,
        frames: Sequence[bytes],
        keys: Sequence[bytes],
        headers: RawHeaders,
        traceparents: Mapping[int, str] = {},
    ) -> None:
        """Take frames of one account each, as `publish` does; `headers` are the last one's.

        `traceparents` are those of the frames, by their places, whose traces are told.
        """
        self._raise_if_failed()
        count = len(frames)
        self.received += count
        venue, feed, epoch, time = headers.venue, headers.feed, headers.epoch, headers.received_time
        receipts = range(headers.receipt - count + 1, headers.receipt + 1)
        records = [
            Record(key, frame, venue, feed, epoch, receipt, time)
            for key, frame, receipt in zip(keys, frames, receipts, strict=True)
        ]
        for at, traceparent in traceparents.items():
            records[at] = msgspec.structs.replace(records[at], traceparent=traceparent)
        self._courier.offer(records)

    async def written(self) -> None:
        """Wait until not too much of what came is still to be written to disk; for nothing else."""
        while self._courier.is_behind and not self.failed.done():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(_WRITE_SECONDS)

    @property
    def greatest_epoch(self) -> int:
        """The greatest epoch of what lay in the spool at the start; 0 where nothing did."""
        return self._spool.greatest_epoch

    @property
    def waiting(self) -> int:
        """How many frames Kafka does not have yet."""
        return self.found + self.received - self.acknowledged - self.dropped

    async def settled(self, received: int, seconds: float) -> bool:
        """Whether Kafka has all of the first so many frames (`received`), or does so in time."""
        deadline = self._loop.time() + seconds
        while self._courier.settled < received:
            self._raise_if_failed()
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            left = deadline - self._loop.time()
            if left <= 0 or not await _in_time(waiter, left):
                return self._courier.settled >= received
        return True

    def waiting_seconds(self) -> float:
        """For about how long the oldest frame waits for Kafka; 0 where none does."""
        now = self._monotonic()
        while self._samples and self._samples[0][0] <= self._courier.settled:
            self._samples.popleft()
        if self._courier.settled < self.received and (
            not self._samples or now - self._samples[-1][1] >= _SAMPLE_SECONDS
        ):
            self._samples.append((self.received, now))
        return now - self._samples[0][1] if self._samples else 0.0

    def observe(self) -> None:
        """Bring the metrics up to date."""
        self._bytes.set(self._spool.size_bytes)
        self._frames.set(self.waiting)
        self._on_disk.set(self._spool.is_on_disk)
        seconds = self.waiting_seconds()
        self._metrics.spool_seconds.labels(self._venue).set(seconds)
        if seconds >= _TOLD_SECONDS and not self._told:
            self._told = True
            words = "Kafka takes no frames, or not as fast as they come: %d wait in the spool"
            self._log.warning(words, self.waiting)
        elif self._told and not seconds:
            self._told = False
            self._log.warning("Kafka has all frames again")

    async def flush(self) -> None:
        """Wait until Kafka has everything; raises what ended the sending."""
        while not await self.settled(self.received, 1.0):
            pass
        self._raise_if_failed()

    def refuse(self, error: Exception) -> None:
        """Kafka does not take the credentials any more: nothing more can be sent."""
        self._fail(KafkaRefuses(excerpt(str(error))))

    # -- from the courier's thread

    def _acknowledged(self, count: int) -> None:
        self.acknowledged += count
        self._published.inc(count)

    def _dropped(self, count: int) -> None:
        self.dropped += count
        self._courier.hold()
        self._metrics.frames_dropped.labels(self._venue, "obsolete").inc(count)

    def _lost(self, count: int) -> None:
        self.dropped += count
        self._courier.hold()
        self._metrics.frames_dropped.labels(self._venue, "lost").inc(count)
        self._log.error("%d frames were lost: the spool has no room for them", count)
        self._call(self._overflowed)

    def _progress(self) -> None:
        if self._waiters:
            self._call(self._wake)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    # -- in the loop

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _break(self, error: BaseException) -> SendFailed:
        failure = SendFailed(self._topic, excerpt(str(error) or type(error).__name__))
        self._fail(failure)
        return failure

    def _fail(self, failure: ProducerError) -> None:
        if not self.failed.done():
            self.failed.set_exception(failure)
            # Asked for here, so that a failure that is raised elsewhere is not reported as lost.
            self.failed.exception()
        self._wake()

    def _raise_if_failed(self) -> None:
        if self.failed.done():
            self.failed.result()


async def _in_time(waiter: "asyncio.Future[None]", seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await waiter
    except TimeoutError:
        return False
    return True


def _cluster(properties: Mapping[str, Any]) -> str:
    """Kafka's id of itself; empty where it does not say."""
    client = Producer(dict(properties), logger=librdkafka_log)
    try:
        return client.list_topics(timeout=_ASK_SECONDS).cluster_id or ""
    except KafkaException:
        return ""
