"""Reading Kafka by position and the venues' journals line by line."""

import copy

import pytest
from aiokafka import ConsumerRecord

from headroom.audit import audit, read_journals, read_world
from headroom.audit import reading as audits
from headroom.base import reading
from headroom.local.sandbox.journal import Journal, Sent
from tests.headroom.audit.frames import sfox
from tests.headroom.audit.pipeline import PARTITIONS, Pipeline

GAP = 2


class FakeAdmin:
    """Says which partitions there are."""

    def __init__(self, topics):
        self.cluster = topics

    def __call__(self, **settings):
        return self

    async def start(self):
        return None

    async def close(self):
        return None

    async def describe_topics(self):
        numbers = [{"partition": number} for number in range(PARTITIONS)]
        names = [*self.cluster, "__consumer_offsets"]
        return [{"topic": name, "partitions": numbers} for name in names]


class FakeConsumer:
    """A cluster in memory: each partition ends with offsets that hold no record."""

    def __init__(self, topics, *, starts=0, grows=True, stuck=False):
        self.cluster = topics
        self.starts = starts
        self.grows = grows
        self.stuck = stuck
        self.committed = True
        self.positions = {}
        self.paused = set()

    def __call__(self, **settings):
        assert settings["group_id"] is None
        made = copy.copy(self)
        made.committed = settings["isolation_level"] == "read_committed"
        return made

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    def assign(self, partitions):
        self.assigned = partitions

    def _of(self, partition):
        found = self.cluster[partition.topic]
        return [record for record in found if record.partition == partition.partition]

    async def end_offsets(self, partitions):
        # Every transaction counts as open still.
        return {
            p: len(self._of(p)) + GAP if self._of(p) and not self.committed else 0
            for p in partitions
        }

    async def beginning_offsets(self, partitions):
        return {p: min(self.starts, len(self._of(p))) for p in partitions}

    def seek(self, partition, offset):
        self.positions[partition] = offset

    def pause(self, *partitions):
        self.paused |= set(partitions)

    async def position(self, partition):
        return self.positions[partition]

    async def getmany(self, *partitions, timeout_ms):
        assert self.committed
        found = {}
        for partition in partitions:
            assert partition not in self.paused
            position, records = self.positions[partition], self._of(partition)
            batch = [item for item in records if item.offset >= position][:3]
            if not self.stuck or batch:
                self.positions[partition] = batch[-1].offset + 1 if batch else len(records) + GAP
            found[partition] = [_consumed(item) for item in batch]
            if self.grows and self.positions[partition] >= len(records) + GAP:
                late = _consumed(records[-1], offset=len(records) + GAP)
                found[partition].append(late)
        return found


def _consumed(record, offset=None):
    offset = record.offset if offset is None else offset
    return ConsumerRecord(
        record.topic, record.partition, offset, 0, 0, record.key, record.value, None, 0, 0,
        record.headers,
    )  # fmt: skip


@pytest.fixture
def given(monkeypatch):
    """Puts a cluster in the place of Kafka."""

    def put(topics, **how):
        monkeypatch.setattr(audits, "AIOKafkaAdminClient", FakeAdmin(topics))
        monkeypatch.setattr(reading, "AIOKafkaConsumer", FakeConsumer(topics, **how))

    return put


@pytest.fixture
def pipeline():
    made = Pipeline()
    for n in range(20):
        made.frame("sfox", sfox(f"a{n % 5}", n), account=f"a{n % 5}")
    return made


async def test_everything_up_to_the_ends_is_read_and_nothing_after(pipeline, given):
    given(pipeline.records)
    found = await audit({"bootstrap_servers": "x"})
    assert found.findings == []
    assert (found.raw, found.normalised, found.users) == (20, 20, 5)


async def test_topics_of_a_prefix_and_private_ones_are_read_where_asked(pipeline, given):
    topics = {f"t1.{name}": records for name, records in pipeline.records.items()}
    topics |= {"t1.headroom-x": pipeline.records["balances.v1"], "t2.y": [], "balances.v1": []}
    given(topics)
    world = await read_world({}, topic_prefix="t1.", canaries=[b"secret"])
    assert len(world.of("raw.sfox.balances.v1")) == 20
    assert len(world.others) == 20
    assert world.starts == {}


async def test_where_partitions_begin_is_remembered(pipeline, given):
    given(pipeline.records, starts=1)
    world = await read_world({})
    assert set(world.starts.values()) == {1}
    assert world.is_cut(world.of("balances.v1"))


async def test_a_kafka_that_gives_nothing_more_is_said_to_stall(pipeline, given):
    given(pipeline.records, grows=False, stuck=True)
    with pytest.raises(reading.Stalled):
        await read_world({}, stalled_seconds=0)


async def test_a_kafka_without_topics_is_an_empty_world(given):
    given({})
    assert (await audit({})).sound


def test_a_journal_gives_each_frame_by_its_bytes(tmp_path):
    path = tmp_path / "sfox.jsonl"
    journal = Journal("sfox", path)
    journal.open()
    for frame in (sfox().decode(), b"\xff\x00"):
        journal.write(Sent(account=None, connection="1", sequence=None, sent_ns=1, frame=frame))
    journal.close()
    found = list(read_journals([path]))
    assert [(sent.venue, sent.frame, sent.place) for sent in found] == [
        ("sfox", sfox(), "sfox.jsonl:1"),
        ("sfox", b"\xff\x00", "sfox.jsonl:2"),
    ]


def test_a_line_that_tells_of_a_fault_is_no_frame(tmp_path):
    path = tmp_path / "sfox.jsonl"
    journal = Journal("sfox", path)
    journal.open()
    journal.write_fault("gap", None, 1, on=True)
    sent = Sent(account="a", connection="1", sequence=1, sent_ns=1, frame="{}", fault="gap")
    journal.write(sent)
    journal.write_fault("gap", None, 1, on=False)
    journal.close()
    (found,) = read_journals([path])
    assert (found.frame, found.place, found.fault) == (b"{}", "sfox.jsonl:2", "gap")


def test_a_line_that_is_none_is_named(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"venue": "sfox"}\n')
    with pytest.raises(ValueError, match=r"x\.jsonl:1"):
        list(read_journals([path]))
