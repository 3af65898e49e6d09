"""The Faust transport: how Faust's app reaches Kafka through this engine.

Source: `faust.transport.base` names what an application may bring of its own.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from faust.transport import base
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.types import TP
from mode import Service

from processors.engine.consumer import Consumer
from processors.engine.librdkafka import librdkafka_log
from processors.engine.sender import Sender

log = logging.getLogger(__name__)

_ADMIN_SECONDS: Final = 30.0
_POSITIVE: Final = 0x7FFFFFFF
_KEYS_REMEMBERED: Final = 16_384


@lru_cache(_KEYS_REMEMBERED)
def hashed(key: bytes) -> int:
    """What tells a key's partition, whatever the topic: murmur2, as in Java.

    It is worked out in Python, a few microseconds for each, and mostly of keys that were asked
    about a moment ago.
    """
    positive: int = murmur2(key) & _POSITIVE
    return positive


class Producer(base.Producer):  # type: ignore[misc]
    """What Faust asks of a producer: to create changelogs, and where a key lies.

    Records go through `sender`, batch by batch.
    """

    def __post_init__(self) -> None:
        app = self.app
        exactly_once = app.guarantee == "exactly_once"
        self.sender = Sender(
            app.librdkafka,
            transactional_id=f"{app.conf.id}-{app.instance_id}" if exactly_once else None,
        )

    async def on_start(self) -> None:
        """Connect."""
        await self.sender.open()

    async def on_stop(self) -> None:
        """Let go of the connections."""
        await self.sender.close()

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,
        *,
        config: Mapping[str, Any] | None = None,
        compacting: bool | None = None,
        **_: object,
    ) -> None:
        """Create a topic, if it is not there."""
        settings = {**(config or {}), **({"cleanup.policy": "compact"} if compacting else {})}
        admin = AdminClient(self.app.librdkafka, logger=librdkafka_log)
        wanted = NewTopic(
            topic,
            num_partitions=partitions,
            replication_factor=replication,
            config={name: str(value) for name, value in settings.items()},
        )
        created = admin.create_topics([wanted], request_timeout=_ADMIN_SECONDS)[topic]
        try:
            await asyncio.wrap_future(created)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def key_partition(self, topic: str, key: bytes) -> TP:
        """Where a key lies, in any topic of ours."""
        return TP(topic, hashed(key) % self.app.conf.topic_partitions)

    async def flush(self) -> None:
        """Faust asks for it before it gives partitions away; by then nothing is in flight."""

    def supports_headers(self) -> bool:
        """Every Kafka that this engine speaks to has headers."""
        return True


class Drain(FaustFetcher):  # type: ignore[misc]
    """Runs the consumer's way from Kafka to the agents, until it is told to stop."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _fetcher(self) -> None:
        """Faust's own crashes when it is cancelled in a rebalance."""
        try:
            await self.app.consumer._drain_messages(self)  # noqa: SLF001 - Faust does the same
        finally:
            self.set_shutdown()


class Transport(base.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with the engine's consumer and producer."""

    Consumer: ClassVar[type] = Consumer
    Producer: ClassVar[type] = Producer
    Fetcher: ClassVar[type] = Drain
    driver_version = "headroom"
