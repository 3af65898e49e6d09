"""Frames into a raw topic through librdkafka: in order, acknowledged by all, never hanging.

One client, until it breaks. A request that Kafka does not answer is given up after fifteen seconds
and tried again on a new connection, under the same sequence numbers, so that nothing changes its
place or comes twice. What cannot be mended like that breaks the client: whoever has it makes a new
one, and sends again what was not acknowledged.

Source: librdkafka's INTRODUCTION.md, "Idempotent Producer", and CONFIGURATION.md.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from producers.outcomes import excerpt
from schemas.headers import Headers
from schemas.topics import RECORD_BYTES_MAX

IN_FLIGHT_RECORDS_MAX: Final = 15_000
IN_FLIGHT_BYTES_MAX: Final = 16 * 1024 * 1024
UNANSWERED_SECONDS_MAX: Final = 15.0
_BATCH_BYTES: Final = 256 * 1024
_CHOICE: Final = -1
TOO_LARGE: Final = "Message size too large"
_SILENT_SECONDS: Final = 10.0

SENDING: Final[Mapping[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    # A record that is refused breaks the client: none may come behind it that is sent before it.
    "enable.gapless.guarantee": True,
    # Of two on their way the first may find no leader and the second one: a broker that has nothing
    # of this client yet takes that, and librdkafka counts the first as delivered with it.
    "max.in.flight.requests.per.connection": 1,
    "partitioner": "murmur2_random",  # Java's
    "message.max.bytes": RECORD_BYTES_MAX + 64 * 1024,
    "batch.size": _BATCH_BYTES,
    # With one request at a time small ones keep the broker busy: a sixth less throughput at 0.
    "linger.ms": 4,
    # For as long as Kafka is away: whoever sends knows how much waits.
    "message.timeout.ms": 0,
    "socket.timeout.ms": int(UNANSWERED_SECONDS_MAX * 1_000),
    "request.timeout.ms": int(UNANSWERED_SECONDS_MAX * 1_000),
    "queue.buffering.max.messages": 2 * IN_FLIGHT_RECORDS_MAX,
    "queue.buffering.max.kbytes": 64 * 1024,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 2_000,
    "socket.nagle.disable": True,
    "socket.keepalive.enable": True,
    "metadata.recovery.strategy": "rebootstrap",
    "topic.metadata.refresh.interval.ms": 30_000,
}

Delivered = Callable[[Any, Any], None]
"""Called from `poll` with an error or None, and the record."""


class Sink:
    """A client for one topic; it belongs to one thread."""

    def __init__(self, properties: Mapping[str, Any], topic: str, *, singly: bool = False) -> None:
        alone = {"batch.num.messages": 1} if singly else {}
        self._topic = topic
        self._client: Any = Producer(
            {**properties, **SENDING, **alone, "error_cb": self._erred}, logger=librdkafka_log
        )
        self.broken: str | None = None
        self.too_large = False
        self.fenced = False

    def send(self, key: bytes | None, value: bytes, headers: Headers, delivered: Delivered) -> bool:
        """Hand a record over, without waiting; False where it has to be tried again later."""
        try:
            self._client.produce(self._topic, value, key, _CHOICE, delivered, None, 0, headers)
        except BufferError:
            return False
        except KafkaException as error:
            self.failed(error.args[0])
            return False
        return True

    def poll(self, seconds: float = 0.0) -> None:
        """Call `delivered` of what was acknowledged or failed; waits so long for the first."""
        try:
            self._client.poll(seconds)
        except KafkaException as error:
            self.failed(error.args[0])

    def failed(self, error: Any) -> None:  # noqa: ANN401 - librdkafka has no types
        """A record failed: this client is of no more use."""
        # A fatal error tells the one that it followed from in its words alone.
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE or TOO_LARGE in error.str():
            self.too_large = True
        # What fails because of another one says less.
        if self.broken is None or error.code() not in _PURGED:
            self.broken = excerpt(error.str())

    def close(self) -> None:
        """Let go of it; nothing more is sent. What it had in hand is not acknowledged."""
        client, self._client = self._client, None
        threading.Thread(target=end, args=[client], name="end of a client", daemon=True).start()

    def _erred(self, error: Any) -> None:  # noqa: ANN401 - as above
        if error.fatal():
            self.failed(error)


def end(client: Any) -> None:  # noqa: ANN401 - as above
    """Let go of a client, with whatever it holds."""
    with contextlib.suppress(KafkaException):  # it is broken: that is why
        client.purge(in_queue=True, in_flight=True, blocking=False)
        client.flush(0)


_PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - their public names


class _Sparing(logging.Filter):
    """Lets each kind of message through every ten seconds at most."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = record.getMessage().partition("[")[0], time.monotonic()
        if now - self._told.get(kind, -_SILENT_SECONDS) < _SILENT_SECONDS:
            return False
        self._told[kind] = now
        return True


librdkafka_log: Final = logging.getLogger("producers.sink.librdkafka")
"""What librdkafka itself says."""
librdkafka_log.addFilter(_Sparing())
