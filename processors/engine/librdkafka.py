"""librdkafka as all of us use it: its properties, which of its errors pass, its log.

Knows no Faust, so that a command that only looks at Kafka does not wait for it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")

log = logging.getLogger(__name__)

# A record with a frame of 16 MiB, its key and headers, in one request.
REQUEST_BYTES_MAX: Final = 18 * 1024 * 1024

FETCHING: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    # A position that is out of range is an error with a name, never another place to read from.
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    # With a full queue librdkafka looks again after this long, which is a second by default.
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 250,
    # Little is read ahead: what agents send to each other would stand at the end of a long queue.
    "queued.min.messages": 2_000,
    "queued.max.messages.kbytes": 4 * 1024,
    # What is behind comes in large pieces: a user's frames become fewer rows, half the work.
    "fetch.message.max.bytes": 4 * 1024 * 1024,
}
IN_BULK: Final[Mapping[str, Any]] = {
    **FETCHING,
    "queued.min.messages": 100_000,
    "queued.max.messages.kbytes": 64 * 1024,
}
"""For who reads all that is there, and nothing else meanwhile."""

SENDING: Final[Mapping[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    # Of two on their way the first may find no leader and the second one: a broker that has nothing
    # of this client yet takes that, and librdkafka counts the first as delivered with it.
    "max.in.flight.requests.per.connection": 1,
    "partitioner": "murmur2_random",  # Java's
    "message.max.bytes": REQUEST_BYTES_MAX,
    "linger.ms": 1,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 128 * 1024,
}
# A commit sends what waits, so waiting costs no latency: requests may be filled until then.
IN_TRANSACTIONS: Final[Mapping[str, Any]] = {"linger.ms": 20}

# aiokafka's names of what both clients are told, and librdkafka's.
_NAMES: Final = {
    "bootstrap_servers": "bootstrap.servers",
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
}


def properties(kafka: Mapping[str, Any]) -> dict[str, Any]:
    """Librdkafka's properties for aiokafka's arguments, without those of TLS.

    An `ssl_context` has no counterpart: who uses one says `ssl.ca.location` and its like in
    `EngineSettings.librdkafka`.
    """
    found = {_NAMES[name]: value for name, value in kafka.items() if name in _NAMES}
    servers = found["bootstrap.servers"]
    if not isinstance(servers, str):
        found["bootstrap.servers"] = ",".join(servers)
    return {
        **found,
        # Small requests are what latency is made of: never wait for an acknowledgement to fill one.
        "socket.nagle.disable": True,
        "socket.keepalive.enable": True,
        # Brokers that come back elsewhere are looked for behind the bootstrap addresses (KIP-899).
        "metadata.recovery.strategy": "rebootstrap",
    }


_PASSING: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - its public name
        # "No leaders found": what it makes of a broker that has just come back and has none yet.
        KafkaError._NOENT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
# What a broker says of topics that it has not read yet; one that is gone is told sooner for it.
_UNKNOWN: Final = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - its public name
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
# What says that no broker answers: waiting is all that helps, however long that is.
_AWAY: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - its public name
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
# librdkafka asks with the leader's epoch that it knows. Once that is another one it goes on being
# refused, or answered without an offset, and learns no other: a client that knows none does.
OTHER_EPOCH: Final = frozenset(
    {
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)
_UNKNOWN_SECONDS_MAX: Final = 10.0
_AGAIN_SECONDS: Final = 0.2
_SILENT_SECONDS: Final = 10.0


def passes(error: Any) -> bool:  # noqa: ANN401 - librdkafka has no types
    """Whether an error of Kafka's goes away by itself."""
    return bool(error.retriable()) or error.code() in _PASSING


def patiently(
    call: Callable[[], T], *, seconds: float, waits: Callable[[], bool] | None = None
) -> T:
    """Call, again and again, while what fails goes away by itself: a broker that is away.

    For threads: it sleeps. Raises the KafkaException of a call that fails for good, or of the
    last one after `seconds`. With `waits` a Kafka that does not answer is waited for without an
    end, for as long as that says so.
    """
    begun = time.monotonic()
    while True:
        try:
            return call()
        except KafkaException as error:
            limit = seconds
            if error.args[0].code() in _UNKNOWN:
                limit = min(seconds, _UNKNOWN_SECONDS_MAX)
            elif not passes(error.args[0]):
                raise
            away = waits is not None and error.args[0].code() in _AWAY
            if waits is not None and not waits():
                raise
            if not away and time.monotonic() - begun > limit:
                raise
            log.info("asking again: %s", error.args[0])
            time.sleep(_AGAIN_SECONDS)


class _Sparing(logging.Filter):
    """Lets a message through once in a while: a broker that is away is told of by every client."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.getMessage().partition("[")[0]
        now = time.monotonic()
        if now - self._told.get(kind, -_SILENT_SECONDS) < _SILENT_SECONDS:
            return False
        self._told[kind] = now
        return True


librdkafka_log: Final = logging.getLogger(f"{__name__}.librdkafka")
"""Where librdkafka's own messages go, each kind at most every ten seconds."""
librdkafka_log.addFilter(_Sparing())
