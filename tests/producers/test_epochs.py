"""Epochs only grow: over connections, restarts and clocks that step back."""

from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, codec
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from producers.epochs import EpochSource, greatest_epoch
from producers.errors import CodecMissing, KafkaUnreachable, TopicMissing
from producers.kafka import reach
from tests.producers import topics


@given(st.integers(0, 2**70), st.lists(st.integers(0, 2**70), min_size=1))
def test_an_epoch_is_the_clock_or_one_more_than_the_greatest(
    greatest: int, clock: list[int]
) -> None:
    times = iter(clock)
    epochs = EpochSource(greatest, lambda: next(times))
    for now in clock:
        expected = max(now, greatest + 1)
        assert epochs.next() == expected
        greatest = expected


async def greatest(kafka: Any, topic: str, **options: int) -> int:
    return await greatest_epoch({"bootstrap_servers": kafka.bootstrap}, topic, **options)


async def test_an_empty_topic_has_no_epoch(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    assert await greatest(kafka, venue.raw_topic) == 0


async def test_it_is_the_greatest_of_all_partitions(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    written = [(number % 8, topics.headers(1_000 + number).encode()) for number in range(40)]
    await topics.put(kafka.bootstrap, venue.raw_topic, *written)
    assert await greatest(kafka, venue.raw_topic) == 1_039


async def test_records_without_a_readable_epoch_are_looked_past(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    odd = [[], [("epoch", b"x")], [("epoch", b"")], [("epoch", b"-9"), ("receipt", b"1")]]
    await topics.put(
        kafka.bootstrap,
        venue.raw_topic,
        (3, topics.headers(77).encode()),
        *[(3, list(headers)) for headers in odd],
    )
    assert await greatest(kafka, venue.raw_topic) == 77
    assert await greatest(kafka, venue.raw_topic, look_back_records=4) == 0


@pytest.mark.parametrize("name", ["gzip", "lz4", "snappy", "zstd"])
async def test_it_is_read_however_it_is_compressed(
    kafka: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    writer = Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": name})
    writer.produce(venue.raw_topic, b"x" * 2_000, headers=topics.headers(1_039).encode())
    assert writer.flush(30) == 0
    assert await greatest(kafka, venue.raw_topic) == 1_039
    if name != "gzip":
        # Where the codec is not installed, that is what is said; Kafka can be reached.
        monkeypatch.setattr(codec, f"has_{name}", lambda: False)
        with pytest.raises(CodecMissing, match=f"{name}.*install the package `cramjam`"):
            await greatest(kafka, venue.raw_topic)


async def test_an_older_epoch_at_the_end_does_not_hide_a_newer_one(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    written = [(0, topics.headers(epoch).encode()) for epoch in (5, 9, 5, 5)]
    await topics.put(kafka.bootstrap, venue.raw_topic, *written)
    assert await greatest(kafka, venue.raw_topic) == 9


async def test_a_missing_topic_is_said_and_not_created(kafka: Any) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    servers = {"bootstrap_servers": kafka.bootstrap}
    with pytest.raises(TopicMissing, match="headroom topics apply"):
        await greatest_epoch(servers, "raw.nowhere.balances.v1", sleep=sleep)
    assert 1 < sum(pauses) < 5
    assert "raw.nowhere.balances.v1" not in await topics.existing(kafka.bootstrap)


@pytest.mark.parametrize("servers", ["127.0.0.1:1", ["127.0.0.1:1", "127.0.0.1:2"]])
async def test_a_kafka_that_is_not_there_is_one_clear_line(servers: object) -> None:
    with pytest.raises(KafkaUnreachable) as caught:
        await reach({"bootstrap_servers": servers})
    text = str(caught.value)
    assert "Kafka cannot be reached at 127.0.0.1:1" in text
    assert "HEADROOM_KAFKA_BOOTSTRAP" in text
    assert "\n" not in text


async def test_a_kafka_that_is_there_is_reached(kafka: Any) -> None:
    await reach({"bootstrap_servers": f"127.0.0.1:1,{kafka.bootstrap}"})


async def test_transactions_leave_markers_and_aborted_frames_and_an_epoch_is_found_behind_them(
    kafka: Any,
) -> None:
    venue = await topics.fresh(kafka.bootstrap, partitions=1)
    servers = {"bootstrap_servers": kafka.bootstrap}
    async with AIOKafkaProducer(**servers, transactional_id=venue.name) as producer:
        for epoch in range(1, 4):
            async with producer.transaction():
                await producer.send_and_wait(
                    venue.raw_topic, b"x", headers=topics.headers(epoch).encode()
                )
        await producer.begin_transaction()
        await producer.send_and_wait(venue.raw_topic, b"x", headers=topics.headers(9).encode())
        await producer.abort_transaction()
    # What was aborted was used, too.
    assert await greatest_epoch(servers, venue.raw_topic) == 9
    assert await greatest_epoch(servers, venue.raw_topic, look_back_records=1) == 0
    assert len(await topics.records(kafka.bootstrap, venue.raw_topic, 1, committed=True)) == 3
