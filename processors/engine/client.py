"""What every librdkafka client of the engine has in common: its properties, its thread."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")

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
