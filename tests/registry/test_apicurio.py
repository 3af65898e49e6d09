"""Workers with a registry, whose readers are Confluent's: each finds the schema by the header."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry import topic_subject_name_strategy as by_topic
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from headroom.operate.registry import schema_ids
from schemas.export import DIALECT, schemas
from schemas.export.examples import RAW, SOURCE, examples
from schemas.headers import VALUE_SCHEMA_ID, Headers
from tests.headroom.commands import until
from tests.headroom.house import House, house
from tests.headroom.operate.test_registry import settings
from tests.registry import apicurio

pytestmark = pytest.mark.skipif(
    not apicurio.HOME.exists(), reason="no Apicurio here: `python -m tests.registry.apicurio`"
)
READ = ("balances.v1", "balances.latest.v1", "exposure.user.v1", "exposure.asset.v1")


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
    registry: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    with house(tmp_path, SCHEMA_REGISTRY_URL=registry) as its:
        frame = examples()[SOURCE.topic].value.encode()
        its.produce(SOURCE.topic, (b"user-123", frame, RAW.encode()))
        found = newest(its)
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


def newest(its: House) -> dict[str, Any]:
    """A record of each topic."""
    consumer = Consumer(
        {"bootstrap.servers": its.bootstrap, "group.id": "r", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(list(READ))
    found: dict[str, Any] = {}

    def all_read() -> bool:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            found[message.topic()] = message
        return found.keys() == set(READ)

    until(all_read, why=lambda: its.worker.output)
    consumer.close()
    return found


@pytest.mark.long
def test_a_worker_that_starts_again_registers_nothing_new(
    registry: str, client: SchemaRegistryClient
) -> None:
    async def headers(**variables: str) -> dict[str, Headers]:
        async with schema_ids(settings(registry, **variables)) as ids:
            assert ids.missing == []
            return ids.headers

    first = asyncio.run(headers())
    assert asyncio.run(headers()) == asyncio.run(headers(SCHEMA_REGISTRY_MODE="lookup")) == first
    assert client.get_versions("balances.v1-value") == [1]


@pytest.mark.long
def test_a_rule_that_apicurio_cannot_judge_by_keeps_no_worker_from_anything(
    registry: str, client: SchemaRegistryClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers 500 to a second version of a 2020-12 schema wherever a rule is set."""

    async def missing() -> list[str]:
        async with schema_ids(settings(registry)) as ids:
            return ids.missing

    subject = "balances.v1-value"
    if subject in client.get_subjects():
        client.delete_subject(subject)
    client.register_schema(subject, Schema(json.dumps({"$schema": DIALECT}), "JSON"))
    client.set_compatibility(subject, "BACKWARD")
    assert asyncio.run(missing()) == ["balances.v1"]
    assert "status 500" in caplog.text
