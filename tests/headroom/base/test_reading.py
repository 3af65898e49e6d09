"""Reading a topic's records of a time: what it holds, and what it cannot hold."""

import asyncio
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from headroom.base.reading import Outside, Span, records

STAMPS_MS = (1_000_000, 3_000_000, 2_000_000)
PARTITIONS = 3


@pytest.fixture
def topic(kafka: Any, unique: str) -> str:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for created in admin.create_topics([NewTopic(unique, PARTITIONS + 1, 1)]).values():
        created.result(10)
    return unique


def read(kafka: Any, topic: str, span: Span) -> list[int]:
    async def found() -> list[int]:
        partitions = PARTITIONS + 1  # the last one holds nothing
        of_span = records(kafka.arguments, topic, partitions=partitions, span=span)
        return sorted([record.timestamp async for record in of_span])

    return asyncio.run(found())


def test_a_span_may_begin_and_end_anywhere_in_what_a_topic_holds(kafka: Any, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for partition, stamp in enumerate(STAMPS_MS):
        producer.produce(topic, b"x", partition=partition, timestamp=stamp)
    assert producer.flush(30) == 0
    assert read(kafka, topic, Span(until_ms=1_000_001)) == [1_000_000]
    assert read(kafka, topic, Span(until_ms=2_000_001)) == [1_000_000, 2_000_000]
    assert read(kafka, topic, Span(2_000_000, 3_000_000)) == [2_000_000]
    assert read(kafka, topic, Span(since_ms=3_000_001)) == []
    with pytest.raises(Outside, match="holds nothing before 1970-01-01T00:16:40"):
        read(kafka, topic, Span(until_ms=1_000_000))


def test_of_an_empty_topic_nothing_is_refused(kafka: Any, topic: str) -> None:
    assert read(kafka, topic, Span(until_ms=1)) == []
