"""What every librdkafka client of the engine has in common: its properties, its thread."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from processors.engine.errors import FetchFailed

T = TypeVar("T")

log = logging.getLogger(__name__)

# A record with a frame of 16 MiB, its key and headers, in one request.
REQUEST_BYTES_MAX: Final = 18 * 1024 * 1024

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


# With `auto.offset.reset=error`: nobody reads on from somewhere else in silence.
_OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION})  # noqa: SLF001


class OutOfRange(FetchFailed):
    """The position of a partition lies outside of what it holds."""

    def __init__(self, tp: TP, cause: Any) -> None:  # noqa: ANN401 - librdkafka has no types
        super().__init__(KafkaException(cause))
        self.tp = tp


def by_partition(messages: Iterable[Any]) -> tuple[dict[TP, list[Any]], dict[TP, int]]:
    """What a consumer gave: the records of each partition, and where a partition had no more.

    Raises `FetchFailed` for an error that does not go away by itself, `OutOfRange` where a
    position lies outside of its partition.
    """
    found: dict[TP, list[Any]] = {}
    ends: dict[TP, int] = {}
    # Most records are of the partition of the one before them.
    topic, partition, records = None, None, list[Any]()
    for message in messages:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                ends[TP(message.topic(), message.partition())] = message.offset()
            elif error.code() in _OUT_OF_RANGE:
                raise OutOfRange(TP(message.topic(), message.partition()), error)
            elif not passes(error):
                raise FetchFailed(KafkaException(error))
            continue
        if message.partition() != partition or message.topic() != topic:
            topic, partition = message.topic(), message.partition()
            records = found.setdefault(TP(topic, partition), [])
        records.append(message)
    return found, ends


class OwnThread:
    """One thread for the calls of a client that block; they run in the order in which they came.

    It does not hold the process back: a call of librdkafka's that never returns ends with it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
        self._calls = queue.SimpleQueue()
        self._started = False

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - whatever the function takes
        """Run a function in the thread and wait for what it returns or raises.

        It runs to its end also where the waiting is cancelled.
        """
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        outcome: Future[T] = Future()
        self._calls.put((outcome, partial(function, *arguments)))
        return await asyncio.shield(asyncio.wrap_future(outcome))

    def close(self) -> None:
        """Take no more calls; what was asked for before still runs."""
        self._calls.put(None)

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            outcome, call = asked
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it belongs to who waits
                outcome.set_exception(error)
            else:
                outcome.set_result(result)
            # Else the last call's arguments would live until the next one.
            del asked, outcome, call


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
