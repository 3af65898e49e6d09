"""Frames to Kafka: in order, pipelined, bounded, and acknowledged by all replicas or an error."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from producers.errors import KafkaRefuses, ProducerError, SendFailed
from producers.kafka import Reaching, start, stop
from producers.outcomes import excerpt
from schemas.headers import RawHeaders
from schemas.topics import RECORD_BYTES_MAX

IN_FLIGHT_RECORDS_MAX: Final = 10_000
# Everything in flight may end up in one request, and a broker takes only so much of one
# (`socket.request.max.bytes`: 100 MiB by default, less on small nodes); it drops the connection
# of whoever sends more, again and again.
IN_FLIGHT_BYTES_MAX: Final = 48 * 1024 * 1024
# aiokafka gives up on a full batch after this long: an outage is to be waited out, with the venue
# held back once the buffer is full.
PATIENCE_MS: Final = 600_000
FLUSH_SECONDS_MAX: Final = 30.0
_BATCH_BYTES_MAX: Final = 256 * 1024
_REQUEST_BYTES_MAX: Final = RECORD_BYTES_MAX + 64 * 1024

_Record = tuple[bytes, bytes | None, RawHeaders, int]


class Publisher:
    """Writes frames to one raw topic: an async context manager, which connects on entering.

    `kafka` are aiokafka's own client arguments. A record that Kafka does not take is a broken
    world: `failed` gets a SendFailed, which `publish` and `flush` raise from then on, or a
    KafkaRefuses once `reaching` has found the credentials refused. A spool on disk comes between
    `publish` and the sending later: callers would not see the difference.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        *,
        acknowledged: Callable[[], object] = lambda: None,
        reaching: Reaching | None = None,
    ) -> None:
        self._reaching = reaching
        self._kafka = kafka
        self._topic = topic
        self._on_acknowledged = acknowledged
        self._records = 0
        self._bytes = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[_Record] = deque()
        self._handed = asyncio.Event()
        self._carrying: asyncio.Task[None] | None = None
        self.acknowledged = 0
        self.failed: asyncio.Future[None]
        self._producer: Any

    async def __aenter__(self) -> Self:
        self.failed = asyncio.get_running_loop().create_future()
        self._producer = AIOKafkaProducer(
            **self._kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES_MAX,
            max_request_size=_REQUEST_BYTES_MAX,
            linger_ms=0,
            request_timeout_ms=PATIENCE_MS,
        )
        if self._reaching is not None:
            self._reaching(self._producer.client, self.refuse)
        await start(self._producer, self._kafka)
        self._carrying = asyncio.create_task(self._carry())
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
            raise self._break(TimeoutError(f"not taken within {FLUSH_SECONDS_MAX:g} s")) from late
        finally:
            if self._carrying is not None:
                self._carrying.cancel()
                await asyncio.gather(self._carrying, return_exceptions=True)
            await stop(self._producer)

    async def publish(self, frame: bytes, key: bytes | None, headers: RawHeaders) -> None:
        """Hand a frame over; waits for room in the buffer only, for nothing that Kafka does."""
        size = len(frame) + len(key or b"")
        await self._room_for(size)
        self._records += 1
        self._bytes += size
        self._waiting.append((frame, key, headers, size))
        self._handed.set()

    async def _carry(self) -> None:
        """Hand over to the client, one after the other.

        Its `send` waits where a partition's last batch failed and waits to be sent again: that is
        no reason to stop listening to a venue.
        """
        while True:
            await self._handed.wait()
            while self._waiting:
                frame, key, headers, size = self._waiting.popleft()
                try:
                    sent = await self._producer.send(
                        self._topic, value=frame, key=key, headers=headers.encode()
                    )
                except KafkaError as error:
                    self._break(error)
                    self._release(size)
                    return
                sent.add_done_callback(lambda future, size=size: self._settled(future, size))
            self._handed.clear()

    async def flush(self) -> None:
        """Wait until everything handed over is on the broker; raises SendFailed otherwise."""
        while self._records and not self.failed.done():
            await self._woken()
        self._raise_if_failed()

    def refuse(self, error: Exception) -> None:
        """Kafka does not take the credentials any more: nothing more can be sent."""
        self._fail(KafkaRefuses(excerpt(str(error))))

    async def _room_for(self, size: int) -> None:
        self._raise_if_failed()
        while self._records and (
            self._records >= IN_FLIGHT_RECORDS_MAX or self._bytes + size > IN_FLIGHT_BYTES_MAX
        ):
            await self._woken()
            self._raise_if_failed()

    async def _woken(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _settled(self, future: "asyncio.Future[Any]", size: int) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self.acknowledged += 1
            self._on_acknowledged()
        else:
            self._break(error)
        self._release(size)

    def _release(self, size: int) -> None:
        self._records -= 1
        self._bytes -= size
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

    def _raise_if_failed(self) -> None:
        if self.failed.done():
            self.failed.result()
