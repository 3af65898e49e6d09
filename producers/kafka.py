"""Whether there is a Kafka and a topic, and how to say that there is none."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts
from aiokafka.errors import KafkaError, UnsupportedCodecError

from producers.errors import CodecMissing, KafkaUnreachable, ProducerError, TopicMissing
from producers.outcomes import excerpt

_CONNECT_SECONDS: Final = 5.0
# A topic that was created a moment ago is not yet known to every broker.
_ASK_TIMES: Final = 10
_ASK_PAUSE_SECONDS: Final = 0.2
_START_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 10.0

Reaching = Callable[[Any, Callable[[Exception], object]], None]
"""Keeps one of aiokafka's clients reaching Kafka; tells of credentials that Kafka refuses."""


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


async def partitions_of(
    kafka: Mapping[str, Any], topic: str, *, sleep: Callable[[float], Awaitable[object]]
) -> set[int]:
    """The numbers of a topic's partitions, asked for in a way that creates no topic.

    Raises KafkaUnreachable and TopicMissing.
    """
    client = AIOKafkaClient(**kafka)
    try:
        async with asyncio.timeout(_START_SECONDS):
            await client.bootstrap()
            for pause_seconds in [_ASK_PAUSE_SECONDS] * _ASK_TIMES:
                cluster = await client.fetch_all_metadata()
                numbers: set[int] | None = cluster.partitions_for_topic(topic)
                if numbers:
                    return numbers
                await sleep(pause_seconds)
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(kafka, error) from error
    finally:
        await client.close()
    raise TopicMissing(topic)


async def start(client: Any, kafka: Mapping[str, Any]) -> None:  # noqa: ANN401 - untyped
    """Start one of aiokafka's clients; raises KafkaUnreachable, and stops it where it fails."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await stop(client)
        raise unreachable(kafka, error) from error
    except BaseException:
        await stop(client)
        raise


async def stop(client: Any, *, seconds: float = _STOP_SECONDS) -> None:  # noqa: ANN401 - untyped
    """Stop one of aiokafka's clients, with an end to the patience.

    That is reached only after a failure: what was acknowledged is safe, the rest already lost.
    """
    try:
        async with asyncio.timeout(seconds):
            await client.stop()
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        # One that cannot reach Kafka raises what it told its own tasks.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise


def unreachable(kafka: Mapping[str, Any], error: BaseException) -> ProducerError:
    """The error of a start that found no broker, with the address that was tried.

    One that found it and cannot read what it holds is another.
    """
    if isinstance(error, UnsupportedCodecError):
        return CodecMissing(_detail(error))
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
