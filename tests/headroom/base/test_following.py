"""Following a topic through all that can befall it: on a real Kafka."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from headroom.base import compacted
from headroom.base.compacted import Looks
from headroom.base.following import Following, Reader
from tests.conftest import KafkaHandle

DEADLINE_SECONDS = 240.0
COMPACTED = {"cleanup.policy": "compact"}


class Topic:
    """A topic of a real Kafka, and who writes it and does to it what operators do."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self.access: dict[str, Any] = {"bootstrap.servers": bootstrap}
        self._admin = AdminClient(self.access)

    def create(self, partitions: int = 2, **settings: str) -> None:
        topic = NewTopic(self.name, partitions, 1, config={**COMPACTED, **settings})
        for done in self._admin.create_topics([topic]).values():
            done.result(30)

    def delete(self) -> None:
        for done in self._admin.delete_topics([self.name]).values():
            done.result(30)

    def made_again(self, partitions: int = 2) -> None:
        """Delete it and create it, as soon as Kafka lets one."""
        self.delete()
        while True:
            try:
                return self.create(partitions)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def widen(self, partitions: int) -> None:
        for done in self._admin.create_partitions([NewPartitions(self.name, partitions)]).values():
            done.result(30)

    def cut(self, partition: int, before: int) -> None:
        at = TopicPartition(self.name, partition, before)
        for done in self._admin.delete_records([at]).values():
            done.result(30)

    def write(self, *records: tuple[bytes | None, bytes | None], **options: Any) -> None:
        """Write in one partition (`partition`), 0 unless it is said."""
        partition = options.pop("partition", 0)
        producer = Producer({**self.access, "linger.ms": 0, **options})
        if "transactional.id" in options:
            producer.init_transactions()
            producer.begin_transaction()
        for key, value in records:
            producer.produce(self.name, value, key, partition=partition, on_delivery=_must)
        if "transactional.id" in options:
            producer.commit_transaction()
        assert producer.flush(30) == 0


def _must(error: KafkaError | None, _: object) -> None:
    assert error is None, error


class Taken:
    """What was taken, key by key; b"raise" is what nobody can take."""

    def __init__(self) -> None:
        self.now: dict[bytes | None, bytes | None] = {}
        self.values: list[bytes | None] = []
        self.since: list[float | None] = []
        self.forgotten = 0

    def take(self, key: bytes | None, value: bytes | None, since: float | None) -> None:
        if value == b"raise":
            raise ValueError(value)
        self.now[key] = value
        self.values.append(value)
        self.since.append(since)

    def forget(self) -> None:
        self.now.clear()
        self.forgotten += 1

    @contextlib.asynccontextmanager
    async def of(self, topic: Topic, **options: Any) -> AsyncIterator[Following]:
        read = Reader(lambda: topic.access)
        async with asyncio.timeout(DEADLINE_SECONDS):
            async with read(topic.name, self.take, forget=self.forget, **options) as following:
                yield following


@pytest.fixture
def topic(kafka: KafkaHandle, unique: str) -> Topic:
    return Topic(kafka.bootstrap, f"followed-{unique}")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that come sooner."""
    monkeypatch.setattr(compacted, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(compacted, "_IDENTITY_SECONDS", 0.1)


# -- what was there, what comes


@pytest.mark.parametrize("committed", [True, False])
async def test_what_was_there_is_known_before_anything_more_is_waited_for(
    topic: Topic,
    committed: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    topic.create(partitions=3)
    taken = Taken()
    async with taken.of(topic, read_committed=committed) as following:
        await following.until()
        assert taken.values == []
        topic.write((b"a", b"1"), (b"a", None))
        await following.until(lambda: len(taken.values) == 2)
    topic.write((b"b", b"2"), partition=2)
    again = Taken()
    async with again.of(topic, read_committed=committed) as following:
        await following.until()
        assert again.now == {b"a": None, b"b": b"2"}
    assert again.since == [None, None, None]
    assert None not in taken.since


async def test_an_end_behind_markers_is_an_end_and_what_was_aborted_is_not_shown(
    topic: Topic,
) -> None:
    topic.create(partitions=1)
    topic.write((b"a", b"1"), **{"transactional.id": f"{topic.name}-t"})
    producer = Producer({**topic.access, "transactional.id": f"{topic.name}-u"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic.name, b"2", b"a")
    producer.flush()
    producer.abort_transaction()
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
    assert taken.values == [b"1"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(topic: Topic, codec: str) -> None:
    topic.create(partitions=1, **{"compression.type": "uncompressed" if codec == "none" else codec})
    topic.write(*[(b"%d" % n, b"x" * 100) for n in range(50)], **{"linger.ms": 50})
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
    assert len(taken.now) == 50


async def test_what_nobody_can_take_is_told_once_counted_and_passed_by(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    topic.create(partitions=1)
    strangers = [(b"\xff", b"\xff"), (b"\xff", None)] + [(b"a", b"raise")] * 50
    topic.write(*strangers, (b"a", b"1"))
    taken, counted = Taken(), Counter[str]()
    async with taken.of(topic, foreign=lambda: counted.update(["foreign"])) as following:
        await following.until()
        topic.write((b"a", b"raise"), (b"a", b"2"))
        await following.until(lambda: taken.now.get(b"a") == b"2")
    assert counted.total() == 51
    (line,) = [one for one in caplog.messages if "nobody of us" in one]
    told = "passed by a record that nobody of us wrote (partition 0, offset 2): ValueError"
    assert line == f"{topic.name}: {told}"


async def test_more_than_one_batch_is_taken_in_order(topic: Topic) -> None:
    topic.create(partitions=1)
    topic.write(*[(b"k", b"%d" % number) for number in range(5_000)])
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
    assert taken.values == [b"%d" % number for number in range(5_000)]


# -- what operators do


async def test_a_topic_that_was_made_again_is_read_anew_and_the_old_one_is_forgotten(
    topic: Topic, hasty: None
) -> None:
    """Also where the new one is longer already than the old one was."""
    topic.create()
    topic.write((b"old", b"1"), (b"a", b"1"))
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
        topic.made_again()
        topic.write(*[(b"a", b"%d" % number) for number in range(2, 30)])
        await following.until(lambda: taken.now == {b"a": b"29"})
        assert following.known
    assert taken.forgotten >= 1


async def test_nobody_sees_half_of_a_topic_that_is_read_anew(
    topic: Topic, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.create()
    topic.write(*[(b"%d" % number, b"x") for number in range(3_000)])
    readings, assign = [], compacted.Compacted._assign

    def seen(self: compacted.Compacted, positions: Any) -> None:
        readings.append(self)
        assign(self, positions)

    monkeypatch.setattr(compacted.Compacted, "_assign", seen)
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
        readings[0]._id = "another topic's"
        while not taken.forgotten:
            assert len(taken.now) == 3_000
            await asyncio.sleep(0)
        assert len(taken.now) == 3_000


async def test_where_records_are_taken_away_before_they_are_read_it_is_read_from_what_is_left(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By retention, between the asking for the beginning and the reading."""
    topic.create(partitions=1, **{"cleanup.policy": "compact,delete"})
    topic.write(*[(b"%d" % number, b"x") for number in range(10)])
    assign, cut = compacted.Compacted._assign, [5, 7]

    def cut_first(self: compacted.Compacted, positions: Any) -> None:
        if positions and cut:
            topic.cut(0, cut.pop(0))
        assign(self, positions)

    monkeypatch.setattr(compacted.Compacted, "_assign", cut_first)
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
        assert sorted(taken.now) == [b"7", b"8", b"9"]


async def test_a_topic_that_is_not_there_yet_is_waited_for(
    topic: Topic, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    taken = Taken()
    async with taken.of(topic) as following:
        await told(caplog, topic.name)
        topic.create()
        topic.write((b"a", b"1"))
        await following.until(lambda: taken.now == {b"a": b"1"})


async def test_partitions_that_are_added_are_read_from_their_beginning(
    topic: Topic, hasty: None
) -> None:
    topic.create(partitions=1)
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
        topic.widen(3)
        topic.write((b"a", b"1"), partition=2)
        await following.until(lambda: taken.now == {b"a": b"1"})
    assert taken.forgotten == 0


async def test_a_beginning_that_moves_changes_nothing_for_who_has_read(
    topic: Topic, hasty: None
) -> None:
    topic.create(partitions=1, **{"cleanup.policy": "compact,delete"})
    topic.write((b"a", b"1"), (b"b", b"1"))
    taken = Taken()
    async with taken.of(topic) as following:
        await following.until()
        topic.cut(0, 2)
        topic.write((b"b", b"2"))
        await following.until(lambda: taken.now == {b"a": b"1", b"b": b"2"})
    assert taken.forgotten == 0
    again = Taken()
    async with again.of(topic) as following:
        await following.until()
    assert again.now == {b"b": b"2"}


async def told(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait for a line that says this."""
    while not any(text in one for one in caplog.messages):
        await asyncio.sleep(0.02)


# -- since when


async def test_what_is_read_late_counts_as_there_since_the_last_look_that_did_not_find_it(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour passes between two records and the reading of the second: it is an hour old."""
    handing, passed, hand_over = threading.Event(), threading.Event(), Following.hand_over

    def held_up(self: Following, records: Any, **how: Any) -> None:
        if records:
            handing.set()
        hand_over(self, records, **how)

    def monotonic() -> float:
        return time.monotonic() + 3_600.0 * passed.is_set()

    monkeypatch.setattr(Following, "hand_over", held_up)
    topic.create(partitions=1)
    taken, read = Taken(), Reader(lambda: topic.access, monotonic=monotonic)
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        read(topic.name, taken.take, forget=taken.forget) as following,
    ):
        await following.until()
        # The event loop stands still, and with it the reader.
        topic.write((b"a", b"1"))
        handing.wait()
        topic.write((b"a", b"2"))
        passed.set()
        await following.until(lambda: len(taken.values) == 2)
        topic.write((b"a", b"3"))
        await following.until(lambda: len(taken.values) == 3)
    late, news = taken.since[1:]
    assert late is not None
    assert news is not None
    assert monotonic() - late > 3_600.0
    assert monotonic() - news < 3_600.0


def test_a_record_is_there_since_the_last_look_that_did_not_find_it() -> None:
    looks = Looks()
    assert looks.since(0) is None
    looks.found(1.0, 10)
    assert [looks.since(9), looks.since(10)] == [None, 1.0]
    looks.found(2.0, 12)
    looks.found(3.0, 12)
    assert [looks.since(11), looks.since(12), looks.since(13)] == [1.0, 3.0, 3.0]


def test_who_is_far_behind_keeps_few_looks_and_none_makes_a_record_younger() -> None:
    looks = Looks()
    for number in range(1, 10_000):
        looks.found(float(number), 10 * number)
    assert len(looks._found) <= compacted._LOOKS_MAX
    for offset in range(10, 100_000, 7):
        since = looks.since(offset)
        assert since is not None
        assert since <= offset / 10
