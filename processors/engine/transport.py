"""The Faust transport: how Faust's app reaches Kafka through this engine.

Source: `faust.transport.base` names what an application may bring of its own.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from faust.transport.drivers.aiokafka import Producer as FaustProducer
from faust.transport.drivers.aiokafka import Transport as FaustKafkaTransport

from processors.engine.batch import Headers
from processors.engine.consumer import Consumer

if TYPE_CHECKING:
    import asyncio

# A record with a frame of 16 MiB, its key and headers, in one request.
REQUEST_BYTES_MAX = 18 * 1024 * 1024


class Producer(FaustProducer):  # type: ignore[misc]
    """Every record is on all in-sync replicas before it counts, once and in order.

    With idempotence on, aiokafka retries for as long as the broker is away; what it gives up on
    is a broken world.
    """

    def _settings_extra(self) -> dict[str, Any]:
        return {
            **self.app.kafka,
            "acks": "all",
            "enable_idempotence": True,
            "max_request_size": REQUEST_BYTES_MAX,
            "linger_ms": 0,
        }

    def __post_init__(self) -> None:
        super().__post_init__()
        self._topics_named: set[str] = set()

    async def enqueue(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
    ) -> "asyncio.Future[Any]":
        """Hand a record to aiokafka; the future ends when all in-sync replicas have it."""
        producer = self._ensure_producer()
        # aiokafka asks for the metadata of all topics until one is added by name, and then only
        # for those: a topic that it found among all of them would be lost from then on, and what
        # waits for it never sent.
        if topic not in self._topics_named:
            producer.client.add_topic(topic)
            self._topics_named.add(topic)
        if key is None and value is None:
            return await self._enqueue_nothing(topic, partition, headers)
        future: asyncio.Future[Any] = await producer.send(
            topic, value, key, partition=partition, headers=list(headers)
        )
        return future

    async def _enqueue_nothing(
        self, topic: str, partition: int | None, headers: Headers
    ) -> "asyncio.Future[Any]":
        """A record without key and value, which Kafka permits and aiokafka's `send` does not."""
        producer = self._ensure_producer()
        await producer.partitions_for(topic)
        builder = producer.create_batch()
        builder.append(key=None, value=None, timestamp=None, headers=list(headers))
        future: asyncio.Future[Any] = await producer.send_batch(
            builder, topic, partition=partition or 0
        )
        return future


class Transport(FaustKafkaTransport):  # type: ignore[misc]
    """Faust's Kafka transport with the engine's consumer and producer."""

    Consumer: ClassVar[type] = Consumer
    Producer: ClassVar[type] = Producer
