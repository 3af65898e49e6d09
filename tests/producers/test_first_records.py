"""What is sent first to a partition whose leader is just being made is not lost."""

import asyncio
import uuid
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from processors.engine.librdkafka import properties
from processors.engine.sender import Sender
from producers.sink import Sink
from producers.transactions import FencedSink
from tests.engine.leaderless import Leaderless

VALUES = [b"small", b"another", b"x" * 700_000, b"the last"]


@pytest.mark.parametrize("how", ["sink", "fenced", "at_least_once", "exactly_once"])
async def test_nothing_is_lost_where_the_first_records_find_no_leader(kafka: Any, how: str) -> None:
    topic = f"first-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    made = admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "2000000"})])
    await asyncio.to_thread(made[topic].result, 30)
    async with Leaderless(kafka.bootstrap, topic) as proxy:
        access = properties({"bootstrap_servers": proxy.bootstrap})
        async with asyncio.timeout(60):
            if how in ("sink", "fenced"):
                await _sunk(access, topic, is_fenced=how == "fenced")
            else:
                await _offered(access, topic, in_transaction=how == "exactly_once")
        assert proxy.refused
    assert await asyncio.to_thread(_committed, kafka.bootstrap, topic) == VALUES


def _committed(bootstrap: str, topic: str) -> list[bytes]:
    """What the topic's one partition holds."""
    place = TopicPartition(topic, 0, OFFSET_BEGINNING)
    reader: Any = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "enable.partition.eof": True}
    )
    found = []
    try:
        reader.assign([place])
        while (one := reader.poll(30.0)) is not None and one.error() is None:
            found.append(one.value())
    finally:
        reader.close()
    return found


async def _sunk(access: dict[str, Any], topic: str, *, is_fenced: bool) -> None:
    """Hand all over at once, and wait until all are delivered."""
    left = list(VALUES)
    sink: Any = FencedSink(access, topic, topic) if is_fenced else Sink(access, topic)

    def delivered(error: Any, _: Any) -> None:
        assert error is None
        left.pop()

    if is_fenced:
        assert await asyncio.to_thread(sink.began, 30.0)
    for value in VALUES:
        while not sink.send(b"key", value, [], delivered):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    while left:
        sink.poll()
        assert sink.broken is None
        await asyncio.sleep(0.01)
    sink.close()


async def _offered(access: dict[str, Any], topic: str, *, in_transaction: bool) -> None:
    sender = Sender(access, transactional_id=topic if in_transaction else None)
    await sender.open()
    left = list(VALUES)

    def delivered(error: Any, _: Any) -> None:
        assert error is None
        left.pop()

    if in_transaction:
        sender.begin()
    for value in VALUES:
        await sender.put(topic, b"key", value, 0, (), delivered)
        await asyncio.sleep(0.05)
    if in_transaction:
        await asyncio.to_thread(sender._client.commit_transaction, 30.0)
        sender._begun = False
    while left:
        sender._client.poll(0)
        await asyncio.sleep(0.01)
    await sender.close()
