"""Frames in Kafka: their own bytes, in order, bounded on the way, and a failure that shows."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from producers import publisher as module
from producers.errors import KafkaUnreachable, SendFailed
from producers.publisher import Publisher
from schemas.topics import FRAME_BYTES_MAX
from tests.producers import topics


async def test_a_frame_lies_in_kafka_byte_for_byte_with_key_and_headers(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    frames = [b'{"a": 1.10 }', b"", b"\xff\x00", "ключ 😀".encode(), b"x" * FRAME_BYTES_MAX]
    async with Publisher({"bootstrap_servers": kafka.bootstrap}, venue.raw_topic) as publisher:
        for number, frame in enumerate(frames, start=1):
            await publisher.publish(frame, b"k", topics.headers(7, number))
        await publisher.flush()
        assert publisher.acknowledged == len(frames)
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    assert [record.value for record in records] == frames
    assert {record.key for record in records} == {b"k"}
    assert list(records[1].headers) == topics.headers(7, 2).encode()


async def test_a_key_leads_to_the_partition_that_java_finds(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    async with Publisher({"bootstrap_servers": kafka.bootstrap}, venue.raw_topic) as publisher:
        for key in (b"21", b"foobar", None):
            await publisher.publish(b"x", key, topics.headers(1))
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    found = {record.key: record.partition for record in records}
    # murmur2 of both is in Kafka's own UtilsTest: -973932308 and -790332482.
    assert (found[b"21"], found[b"foobar"]) == (4, 6)
    assert None in found


async def test_thousands_of_frames_keep_their_order(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    async with Publisher({"bootstrap_servers": kafka.bootstrap}, venue.raw_topic) as publisher:
        for number in range(5_000):
            frame = b"%d" % number + b" " * (number % 997)
            await publisher.publish(frame, b"u%d" % (number % 3), topics.headers(1, number))
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    assert len(records) == 5_000
    for remainder in range(3):
        numbers = [int(r.value) for r in records if r.key == b"u%d" % remainder]
        assert numbers == list(range(remainder, 5_000, 3))


async def test_many_of_the_largest_frames_at_once_pass(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    async with Publisher({"bootstrap_servers": kafka.bootstrap}, venue.raw_topic) as publisher:
        for number in range(6):
            await publisher.publish(b"x" * FRAME_BYTES_MAX, b"%d" % number, topics.headers(1))
        await publisher.flush()
        assert publisher.acknowledged == 6


async def test_what_kafka_does_not_take_is_a_broken_world(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    publisher = Publisher({"bootstrap_servers": kafka.bootstrap}, venue.raw_topic)
    await publisher.__aenter__()
    with pytest.raises(SendFailed, match=venue.raw_topic):
        await publisher.publish(b"x" * (FRAME_BYTES_MAX * 2), b"k", topics.headers(1))
        await publisher.flush()
    assert isinstance(publisher.failed.exception(), SendFailed)
    with pytest.raises(SendFailed):
        await publisher.publish(b"x", b"k", topics.headers(1))
    with pytest.raises(SendFailed):
        await publisher.__aexit__(None, None, None)


async def test_a_kafka_that_is_not_there_is_named() -> None:
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1"):
        async with Publisher({"bootstrap_servers": "127.0.0.1:1"}, "t"):
            pass


class Broker:
    """In place of aiokafka's producer: it acknowledges when the test says so."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.sent: list[asyncio.Future[object]] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(self, topic: str, **record: object) -> "asyncio.Future[object]":
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> list[Broker]:
    made: list[Broker] = []

    def make(**options: object) -> Broker:
        made.append(Broker(**options))
        return made[-1]

    monkeypatch.setattr(module, "AIOKafkaProducer", make)
    return made


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_sends_are_pipelined_and_acknowledged_by_all(broker: list[Broker]) -> None:
    async with Publisher({"bootstrap_servers": "b"}, "t") as publisher:
        for _ in range(3):
            await publisher.publish(b"x", None, topics.headers(1))
        await settle()
        assert publisher.acknowledged == 0
        assert (broker[0].options["acks"], broker[0].options["enable_idempotence"]) == ("all", True)
        flushing = asyncio.create_task(publisher.flush())
        for future in broker[0].sent:
            await settle()
            assert not flushing.done()
            future.set_result(None)
        await flushing
        assert publisher.acknowledged == 3


@pytest.mark.parametrize(("records_max", "bytes_max"), [(2, 1_000), (1_000, 25)])
async def test_records_and_bytes_on_the_way_are_bounded(
    broker: list[Broker], monkeypatch: pytest.MonkeyPatch, records_max: int, bytes_max: int
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT_RECORDS_MAX", records_max)
    monkeypatch.setattr(module, "IN_FLIGHT_BYTES_MAX", bytes_max)
    async with Publisher({"bootstrap_servers": "b"}, "t") as publisher:
        for _ in range(2):
            await publisher.publish(b"0123456789", b"kk", topics.headers(1))
        third = asyncio.create_task(publisher.publish(b"0123456789", b"kk", topics.headers(1)))
        await settle()
        assert not third.done()
        broker[0].sent[0].set_result(None)
        await third
        await settle()
        for future in broker[0].sent[1:]:
            future.set_result(None)


async def test_one_frame_larger_than_the_bound_still_passes_alone(
    broker: list[Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT_BYTES_MAX", 5)
    async with Publisher({"bootstrap_servers": "b"}, "t") as publisher:
        await publisher.publish(b"0123456789", None, topics.headers(1))
        await settle()
        broker[0].sent[0].set_result(None)


async def test_a_failed_send_shows_in_everything_that_follows(broker: list[Broker]) -> None:
    publisher = Publisher({"bootstrap_servers": "b"}, "t")
    await publisher.__aenter__()
    await publisher.publish(b"x", None, topics.headers(1))
    flushing = asyncio.create_task(publisher.flush())
    await settle()
    broker[0].sent[0].set_exception(KafkaError("gone"))
    with pytest.raises(SendFailed, match="gone"):
        await flushing
    assert publisher.failed.done()
    assert publisher.acknowledged == 0
    with pytest.raises(SendFailed):
        await publisher.publish(b"x", None, topics.headers(1))
    with pytest.raises(SendFailed):
        await publisher.__aexit__(None, None, None)
