"""Workers with a registry, whose readers are Confluent's: each finds the schema by the header."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry import topic_subject_name_strategy as by_topic
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.export import schemas
from schemas.export.examples import RAW, SOURCE, examples
from schemas.headers import VALUE_SCHEMA_ID
from tests.headroom import commands
from tests.headroom.commands import headroom, started, until
from tests.registry import apicurio

pytestmark = pytest.mark.skipif(
    not apicurio.HOME.exists(), reason="no Apicurio here: `python -m tests.registry.apicurio`"
)
READ = ("balances.v1", "balances.latest.v1", "exposure.user.v1", "exposure.asset.v1")


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    yield from commands.node()


@pytest.fixture
def client(registry: str) -> Iterator[SchemaRegistryClient]:
    # Apicurio does not always end its answer to a question that it does not know (associations).
    with SchemaRegistryClient({"url": registry, "timeout": 20}) as made:
        yield made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio.running(tmp_path_factory.mktemp("apicurio") / "log") as url:
        yield url


def test_a_reader_finds_the_schema_of_every_record(
    own: str, registry: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    settings = {"KAFKA_BOOTSTRAP": own, "DATA_DIR": tmp_path, "SCHEMA_REGISTRY_URL": registry}
    assert headroom("topics", "apply", **settings).status == 0
    producer = Producer({"bootstrap.servers": own})
    frame = examples()[SOURCE.topic].value
    producer.produce(SOURCE.topic, frame, key="user-123", headers=RAW.encode())
    assert producer.flush(30) == 0
    consumer = Consumer(
        {"bootstrap.servers": own, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(list(READ))
    found = {}
    with started(tmp_path / "work", "work", "--port", "0", **settings) as worker:

        def all_read() -> bool:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                found[message.topic()] = message
            return found.keys() == set(READ)

        until(all_read, why=lambda: worker.output)
    consumer.close()
    for topic, message in found.items():
        # The deserializer is given no schema: it asks the registry for that of the header's id.
        read = JSONDeserializer(
            None, schema_registry_client=client, conf={"subject.name.strategy": by_topic}
        )
        context = SerializationContext(topic, MessageField.VALUE, message.headers())
        assert read(message.value(), context) == json.loads(message.value())
        assert VALUE_SCHEMA_ID in dict(message.headers())
        registered = client.get_latest_version(f"{topic}-value").schema.schema_str
        assert json.loads(registered) == schemas()[f"{topic}.schema.json"]


def test_a_worker_that_starts_again_registers_nothing_new(
    registry: str, client: SchemaRegistryClient
) -> None:
    from headroom.registry import registered
    from tests.headroom.test_registry import settings

    first = asyncio.run(registered(settings(registry)))
    assert asyncio.run(registered(settings(registry))) == first
    assert client.get_versions("balances.v1-value") == [1]
