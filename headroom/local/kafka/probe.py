"""Ports of the loopback address, and whether a Kafka answers on one."""

import asyncio
import contextlib
import socket
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

CONNECT_SECONDS_MAX: Final = 1.0
METADATA_SECONDS_MAX: Final = 5.0


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether the port can be bound now, as Kafka would (a port in TIME_WAIT can)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(*, other_than: int | None = None, host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago; the kernel chooses."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port != other_than:
            return port


async def answers(host: str, port: int) -> bool:
    """Whether a client can connect and gets metadata that names this very broker."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    client = AIOKafkaClient(bootstrap_servers=f"{host}:{port}", client_id="headroom-probe")
    try:
        async with asyncio.timeout(METADATA_SECONDS_MAX):
            await client.bootstrap()
            return any(broker.port == port for broker in client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
