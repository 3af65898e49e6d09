"""What every librdkafka client of the engine has in common: its properties, its thread."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

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
    # Small requests are what latency is made of: never wait for an acknowledgement to fill one.
    return {**found, "socket.nagle.disable": True, "socket.keepalive.enable": True}


_PASSING: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - its public name
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
    }
)
_AGAIN_SECONDS: Final = 0.2


def passes(error: Any) -> bool:  # noqa: ANN401 - librdkafka has no types
    """Whether an error of Kafka's goes away by itself."""
    return bool(error.retriable()) or error.code() in _PASSING


def patiently(call: Callable[[], T], *, seconds: float) -> T:
    """Call, again and again, while what fails goes away by itself: a broker that is away.

    For threads: it sleeps. Raises the KafkaException of a call that fails for good, or of the
    last one after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except KafkaException as error:
            if not passes(error.args[0]) or time.monotonic() > deadline:
                raise
            log.info("asking again: %s", error.args[0])
            time.sleep(_AGAIN_SECONDS)


class OwnThread:
    """One thread for the calls of a client that block; they run in the order in which they came."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - whatever the function takes
        """Run a function in the thread and wait for what it returns or raises.

        It runs to its end also where the waiting is cancelled.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, function, *arguments)

    def close(self) -> None:
        """Take no more calls; one that runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)
