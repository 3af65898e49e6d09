"""Whether there is a Kafka at all, and how to say that there is none."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.conn import collect_hosts

from producers.errors import KafkaUnreachable
from producers.outcomes import excerpt

_CONNECT_SECONDS: Final = 5.0


async def reach(kafka: Mapping[str, Any]) -> None:
    """Connect to one of the bootstrap servers and hang up; raises KafkaUnreachable.

    The client would say the same in many lines, and not say which server it could not reach.
    """
    failure: Exception = OSError("no address given")
    for host, port, _ in collect_hosts(kafka["bootstrap_servers"], randomize=False):
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            failure = error
            continue
        writer.close()
        return
    raise unreachable(kafka, failure) from None


def unreachable(kafka: Mapping[str, Any], error: BaseException) -> KafkaUnreachable:
    """The error of a start that found no broker, with the address that was tried."""
    servers = kafka["bootstrap_servers"]
    bootstrap = servers if isinstance(servers, str) else ",".join(map(str, servers))
    return KafkaUnreachable(bootstrap, _detail(error))


def _detail(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno is not None:
        # A name that cannot be resolved has a number of its own, below zero, and says it itself.
        text = os.strerror(error.errno) if error.errno > 0 else error.strerror
        return excerpt(text or str(error))
    return excerpt(str(error) or type(error).__name__)
