"""The Faust transport: how Faust's app reaches Kafka through this engine.

Source: `faust.transport.base` names what an application may bring of its own.
"""

from typing import Any, ClassVar

from faust.transport.drivers.aiokafka import Producer as FaustProducer
from faust.transport.drivers.aiokafka import Transport as FaustKafkaTransport

from processors.engine.consumer import Consumer

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

    @property
    def client(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        """The aiokafka producer, for the engine's own sends."""
        return self._ensure_producer()


class Transport(FaustKafkaTransport):  # type: ignore[misc]
    """Faust's Kafka transport with the engine's consumer and producer."""

    Consumer: ClassVar[type] = Consumer
    Producer: ClassVar[type] = Producer


