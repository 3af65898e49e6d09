"""Frames in Kafka: their own bytes, in order, never waited for, and kept until Kafka has them."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from producers import publisher as module
from producers.errors import KafkaRefuses, SendFailed
from producers.spool import courier
from producers.spool.disk import Disk
from producers.spool.records import Group
from producers.spool.spool import Spool
from schemas.topics import FRAME_BYTES_MAX
from tests.producers import topics
from tests.producers.publishing import Clients, publisher
from tests.producers.worlds import until


async def test_a_frame_lies_in_kafka_byte_for_byte_with_key_and_headers(
    kafka: Any, tmp_path: Path
) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    frames = [b'{"a": 1.10 }', b"", b"\xff\x00", "ключ 😀".encode(), b"x" * FRAME_BYTES_MAX]
    async with publisher(kafka.bootstrap, venue.raw_topic, tmp_path) as one:
        for number, frame in enumerate(frames, start=1):
            one.publish(frame, b"k", topics.headers(7, number))
        await one.flush()
        assert one.acknowledged == len(frames)
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    assert [record.value for record in records] == frames
    assert {record.key for record in records} == {b"k"}
    assert list(records[1].headers) == topics.headers(7, 2).encode()


async def test_a_key_leads_to_the_partition_that_java_finds(kafka: Any) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    async with publisher(kafka.bootstrap, venue.raw_topic) as one:
        for key in (b"21", b"foobar", None):
            one.publish(b"x", key, topics.headers(1))
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    found = {record.key: record.partition for record in records}
    # murmur2 of both is in Kafka's own UtilsTest: -973932308 and -790332482.
    assert (found[b"21"], found[b"foobar"]) == (4, 6)
    assert None in found


@pytest.mark.parametrize("on_disk", [True, False])
async def test_thousands_of_frames_keep_their_order(
    kafka: Any, tmp_path: Path, *, on_disk: bool
) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    folder = tmp_path if on_disk else None
    async with publisher(kafka.bootstrap, venue.raw_topic, folder) as one:
        for number in range(30_000):
            frame = b"%d" % number + b" " * (number % 997)
            one.publish(frame, b"u%d" % (number % 3), topics.headers(1, number))
            if number % 1_000 == 0:
                await asyncio.sleep(0.001)
    records = await topics.records(kafka.bootstrap, venue.raw_topic)
    assert len(records) == 30_000
    for remainder in range(3):
        numbers = [int(r.value) for r in records if r.key == b"u%d" % remainder]
        assert numbers == list(range(remainder, 30_000, 3))


async def test_many_of_the_largest_frames_at_once_pass(kafka: Any, tmp_path: Path) -> None:
    venue = await topics.fresh(kafka.bootstrap)
    async with publisher(kafka.bootstrap, venue.raw_topic, tmp_path) as one:
        for number in range(6):
            one.publish(b"x" * FRAME_BYTES_MAX, b"%d" % number, topics.headers(1))
        await one.flush()
        assert one.acknowledged == 6


async def test_a_topic_that_takes_no_batches_gets_frames_one_by_one(
    kafka: Any, tmp_path: Path
) -> None:
    """An operator has lowered `max.message.bytes` below what a batch has."""
    venue = await topics.fresh(kafka.bootstrap, max_message_bytes=2_000)
    frames = [b"%d" % number + b"x" * 900 for number in range(40)]
    async with publisher(kafka.bootstrap, venue.raw_topic, tmp_path) as one:
        for number, frame in enumerate(frames, start=1):
            one.publish(frame, b"k", topics.headers(7, number))
        await one.flush()
    found = [r.value for r in await topics.records(kafka.bootstrap, venue.raw_topic)]
    assert list(dict.fromkeys(found)) == frames


async def test_what_kafka_never_takes_ends_nothing_and_stays_in_the_spool(
    kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS_MAX", 2.0)
    venue = await topics.fresh(kafka.bootstrap, max_message_bytes=2_000)
    async with publisher(kafka.bootstrap, venue.raw_topic, tmp_path) as one:
        one.publish(b"x" * 5_000, b"k", topics.headers(7, 1))
    assert one.waiting == 1
    assert "Kafka refuses frames" in caplog.text
    assert "1 frames stay in the spool" in caplog.text
    await topics.allow(kafka.bootstrap, venue.raw_topic, 10_000)
    async with publisher(kafka.bootstrap, venue.raw_topic, tmp_path) as two:
        assert two.found == 1
    [record] = await topics.records(kafka.bootstrap, venue.raw_topic)
    assert (record.value, list(record.headers)) == (b"x" * 5_000, topics.headers(7, 1).encode())


async def test_nothing_that_kafka_does_keeps_publish_waiting(monkeypatch: Any) -> None:
    clients = Clients(monkeypatch)
    async with publisher("b", "t") as one:
        for number in range(50_000):
            one.publish(b"x" * 100, b"k", topics.headers(1, number))
        assert not await one.settled(1, 0.05)
        assert one.waiting_seconds() >= 0
        clients.takes = float("inf")
    assert len(clients.values) == 50_000
    assert one.waiting == 0


async def test_what_comes_faster_than_it_is_written_is_waited_for(monkeypatch: Any) -> None:
    clients = Clients(monkeypatch, takes=float("inf"))
    writing, write = threading.Event(), Spool.append
    monkeypatch.setattr(Spool, "append", lambda *given: writing.wait(10) and write(*given))
    async with publisher("b", "t") as one:
        await one.written()
        for number in range(20_000):
            one.publish(b"x" * 100, b"k", topics.headers(1, number))
        waiting = asyncio.create_task(one.written())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        writing.set()
        await waiting
    assert len(clients.values) == 20_000


async def test_settled_says_that_all_up_to_a_frame_are_there(monkeypatch: Any) -> None:
    clients = Clients(monkeypatch)
    async with publisher("b", "t") as one:
        for number in range(3):
            one.publish(b"x", b"k", topics.headers(1, number))
            await until(lambda number=number: len(clients.values) == number + 1)
        clients.takes = 2
        assert await one.settled(2, 5.0)
        assert not await one.settled(3, 0.05)
        assert one.acknowledged == 2
        clients.takes = 1
        assert await one.settled(3, 5.0)


async def test_a_client_that_breaks_is_replaced_and_begins_with_what_is_not_there(
    monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clients = Clients(monkeypatch)
    async with publisher("b", "t") as one:
        for number in range(6):
            one.publish(b"%d" % number, b"k", topics.headers(1, number))
            await until(lambda number=number: len(clients.values) == number + 1)
        clients.takes = 2
        assert await one.settled(2, 5.0)
        clients.made[0].failed("out of order sequence")
        await until(lambda: len(clients.made) == 2 and len(clients.made[1].sent) == 4)
        one.publish(b"6", b"k", topics.headers(1, 6))
        clients.takes = float("inf")
    assert clients.made[1].values == [b"2", b"3", b"4", b"5", b"6"]
    assert clients.made[0].closed
    assert caplog.text.count("out of order sequence") == 1


async def test_a_client_without_room_is_asked_again_for_the_same_record(monkeypatch: Any) -> None:
    clients = Clients(monkeypatch)
    clients.room = 7
    async with publisher("b", "t") as one:
        for number in range(100):
            one.publish(b"%d" % number, b"k", topics.headers(1, number))
        await until(lambda: len(clients.values) == 7)
        clients.takes = float("inf")
    assert clients.values == [b"%d" % number for number in range(100)]


@pytest.mark.parametrize(("kept_bytes", "is_read"), [(1_000_000, False), (1_000, True), (0, True)])
async def test_what_has_to_wait_is_read_back_where_memory_is_too_small_and_keeps_its_order(
    monkeypatch: Any, tmp_path: Path, *, kept_bytes: int, is_read: bool
) -> None:
    clients = Clients(monkeypatch)
    clients.room = 5
    read: list[int] = []
    after = Disk.after

    def noted(self: Disk, number: int, *, bytes_max: int) -> list[Group]:
        read.append(number)
        return after(self, number, bytes_max=bytes_max)

    monkeypatch.setattr(Disk, "after", noted)
    monkeypatch.setattr(courier, "AHEAD_BYTES_MAX", kept_bytes)
    frames = [b"%03d" % number + b"x" * 300 for number in range(60)]
    async with publisher("", "t", tmp_path) as one:
        for number in range(0, 60, 3):
            keys = [b"u"] * 3
            one.publish_all(frames[number : number + 3], keys, topics.headers(1, number + 3))
            await until(lambda: one._courier._written == one.received)
        clients.takes = float("inf")
        clients.room = 1_000
        await one.flush()
    assert clients.values == frames
    sent = [dict(headers)["receipt"] for made in clients.made for _, _, headers in made.sent]
    assert sent == [b"%d" % number for number in range(1, 61)]
    assert bool(read) == is_read


async def test_in_memory_what_kafka_does_not_take_at_the_end_is_an_error(
    monkeypatch: Any,
) -> None:
    Clients(monkeypatch)
    monkeypatch.setattr(module, "FLUSH_SECONDS_MAX", 0.1)
    with pytest.raises(SendFailed, match="not taken"):
        async with publisher("b", "t") as one:
            one.publish(b"x", None, topics.headers(1))


async def test_refused_credentials_end_it(monkeypatch: Any) -> None:
    Clients(monkeypatch)
    one = publisher("b", "t")
    await one.__aenter__()
    one.refuse(Exception("no such user"))
    with pytest.raises(KafkaRefuses, match="no such user"):
        one.publish(b"x", None, topics.headers(1))
    with pytest.raises(KafkaRefuses):
        await one.__aexit__(None, None, None)


async def test_what_the_thread_fails_at_is_told(monkeypatch: Any) -> None:
    clients = Clients(monkeypatch)
    one = publisher("b", "t")
    await one.__aenter__()
    monkeypatch.setattr(one._spool, "append", lambda *_: 1 / 0)
    one.publish(b"x", None, topics.headers(1))
    await until(one.failed.done)
    with pytest.raises(SendFailed, match="division"):
        await one.flush()
    assert not clients.values
    with pytest.raises(SendFailed):
        await one.__aexit__(None, None, None)


async def test_a_small_spool_lets_go_of_the_oldest_and_keeps_the_newest(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """However much may be on its way elsewhere."""
    clients = Clients(monkeypatch)
    async with publisher("b", "t", tmp_path, bytes_max=100_000) as one:
        for number in range(1_000):
            one.publish(b"%d" % number + b"x" * 900, b"k", topics.headers(1, number))
            if number % 20 == 0:
                await asyncio.sleep(0.002)
        await until(lambda: one.dropped > 500)
        clients.takes = float("inf")
    numbers = [int(value.partition(b"x")[0]) for value in clients.values]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 999
    assert len(numbers) + one.dropped == 1_000
    metric = one._metrics.frames_dropped.labels("sfox", "lost")
    assert metric._value.get() == 0
