"""Where partitions are read from: what does not fit is an error with a name, and a stop."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from processors.engine.app import EngineApp
from processors.engine.errors import (
    CommitsMissing,
    LogChanged,
    LogShortened,
    PositionsMoved,
    RecordsGone,
)
from processors.engine.marks import Commit
from processors.engine.positions import Bounds, starts
from tests.conftest import KafkaHandle
from tests.processors.engine.harness import Bench, counting, crashed

GUARANTEES = ("exactly_once", "at_least_once")
PLACE = TP("t", 0)


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


@given(
    commit=st.none() | st.integers(0, 50),
    begin=st.integers(0, 40),
    count=st.integers(0, 10),
    known=st.booleans(),
    lost=st.booleans(),
)
def test_a_partition_is_read_from_its_commit_or_not_at_all(
    *, commit: int | None, begin: int, count: int, known: bool, lost: bool
) -> None:
    """It begins elsewhere in one case alone: nothing was ever read of it."""
    bounds = {PLACE: Bounds(begin, begin + count)}
    before = {"t"} if known else set()
    found = starts_or_error(commit, bounds, before, missing_is_lost=lost)
    if isinstance(found, CommitsMissing):
        assert commit is None
        assert known or lost
    elif isinstance(found, RecordsGone):
        assert (found.position, found.begin) == (commit, begin)
        assert found.position < begin
    elif isinstance(found, LogShortened):
        assert (found.position, found.end) == (commit, begin + count)
        assert found.position > found.end
    else:
        assert isinstance(found, int)
        assert begin <= found <= begin + count
        assert found == (begin if commit is None else commit)
        assert commit is not None or not (known or lost)


def starts_or_error(
    commit: int | None, bounds: dict[TP, Bounds], before: set[str], *, missing_is_lost: bool
) -> int | LogChanged:
    try:
        read_before, lost = before, missing_is_lost
        return starts({PLACE: commit}, bounds, read_before=read_before, missing_is_lost=lost)[PLACE]
    except LogChanged as error:
        return error


async def read(bench: Bench, guarantee: Any, count: int = 5, **options: Any) -> None:
    """Have a worker read some records and stop."""
    await bench.send(*[(b"a", b"")] * count)
    app, table = bench.app(guarantee=guarantee, **options)
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(count)


async def stopped_by(bench: Bench, guarantee: Any, **options: Any) -> BaseException | None:
    """What stops the next worker."""
    app, table = bench.app(guarantee=guarantee, **options)
    async with bench.running(app, counting(table, bench.out)):
        return await crashed(app)


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_records_that_were_deleted_before_they_were_read_stop_the_worker(
    bench: Bench, guarantee: str
) -> None:
    """Retention overtook a worker that was away."""
    await read(bench, guarantee)
    await bench.send(*[(b"a", b"")] * 5)
    await bench.delete_before(bench.source, 8)
    reason = await stopped_by(bench, guarantee)
    assert isinstance(reason, RecordsGone)
    assert (reason.topic, reason.partition, reason.begin) == (bench.source, 0, 8)


async def test_records_deleted_under_a_running_worker_stop_it(bench: Bench) -> None:
    """Retention overtook a worker that lags: it had read as far as its memory goes."""
    gate = asyncio.Event()
    app, table = bench.app(records_at_once=1)

    async def waiting(batches: Any) -> None:
        async for batch in batches:
            await gate.wait()
            table[b"count"] = b"%d" % len(batch)

    async with bench.running(app, waiting):
        app.consumer.flight.records_max = 1
        for _ in range(20):
            await bench.send(*[(b"a", b"x" * 1_000)] * 400)
        await bench.delete_before(bench.source, 7_900)
        app.consumer.flight.records_max = 16_000
        gate.set()
        reason = await crashed(app)
    assert isinstance(reason, RecordsGone)
    assert reason.begin == 7_900


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_a_source_that_ends_before_its_commit_stops_the_worker(
    bench: Bench, guarantee: str
) -> None:
    """An older copy of a disk took its place: here the group is moved beyond the end instead."""
    await read(bench, guarantee)
    beyond = TopicPartition(bench.source, 0, 50)
    asked = [ConsumerGroupTopicPartitions(bench.name, [beyond])]
    admin = AdminClient({"bootstrap.servers": bench.kafka["bootstrap_servers"]})
    await asyncio.to_thread(admin.alter_consumer_group_offsets(asked)[bench.name].result)
    reason = await stopped_by(bench, guarantee)
    assert isinstance(reason, LogShortened)
    assert reason.position == 50


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_commits_that_somebody_else_made_are_asked_about(
    bench: Bench, guarantee: str
) -> None:
    """Whoever vouches for them, they are ours afterwards; else the worker stops, each time."""
    asked: list[dict[TP, Commit]] = []
    refused = True

    async def vouch(strange: Mapping[TP, Commit]) -> None:
        asked.append(dict(strange))
        if refused:
            raise PositionsMoved(topic=bench.source, partition=0, found=2, why="it was at 5")

    place = TP(bench.source, 0)
    await read(bench, guarantee, vouch=vouch)
    assert await marks(bench) == {0: "rows headroom 5.", 1: "headroom 0."}
    assert asked == []
    await reset(bench, 2)
    for _ in range(2):
        reason = await stopped_by(bench, guarantee, vouch=vouch)
        assert isinstance(reason, PositionsMoved)
        assert "its offsets were reset: see `headroom resume`" in str(reason)
    assert asked == [{place: Commit(2, left_rows=False, ours=False)}] * 2
    refused = False
    asked.clear()
    await read(bench, guarantee, count=0, vouch=vouch)
    assert asked == [{place: Commit(2, left_rows=False, ours=False)}]
    await read(bench, guarantee, count=0, vouch=vouch)
    assert len(asked) == 1


async def marks(bench: Bench) -> dict[int, str]:
    """What the commits of the source say."""
    found = await bench.admin.list_consumer_group_offsets(bench.name)
    said = {tp.partition: o.metadata for tp, o in found.items() if tp.topic == bench.source}
    return {number: text.rstrip("\0") for number, text in said.items()}


async def reset(bench: Bench, offset: int) -> None:
    """Set the group's offset in the source as Kafka's own tools do, once nobody is in it."""
    asked = [ConsumerGroupTopicPartitions(bench.name, [TopicPartition(bench.source, 0, offset)])]
    admin = AdminClient({"bootstrap.servers": bench.kafka["bootstrap_servers"]})
    async with asyncio.timeout(30):
        while True:
            try:
                done = admin.alter_consumer_group_offsets(asked)[bench.name]
                await asyncio.to_thread(done.result)
            except KafkaException:  # the member has not left yet
                await asyncio.sleep(0.1)
            else:
                return


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_a_group_whose_commits_are_gone_stops_the_worker(
    bench: Bench, guarantee: str, tmp_path: Path
) -> None:
    """They were deleted, or have expired: with a folder or without."""
    await read(bench, guarantee)
    admin = AdminClient({"bootstrap.servers": bench.kafka["bootstrap_servers"]})
    async with asyncio.timeout(20):
        while True:
            try:
                gone = admin.delete_consumer_groups([bench.name])[bench.name]
                await asyncio.to_thread(gone.result)
            except Exception:  # noqa: BLE001 - the member has not left yet
                await asyncio.sleep(0.1)
            else:
                break
    told = await bench.records(bench.out)
    assert isinstance(await stopped_by(bench, guarantee), CommitsMissing)
    bench.folder = tmp_path / "another machine"
    bench.folder.mkdir()
    assert isinstance(await stopped_by(bench, guarantee), CommitsMissing)
    assert await bench.records(bench.out) == told


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_every_partition_has_a_commit_before_anything_is_read(
    bench: Bench, guarantee: Any
) -> None:
    """So a commit that is missing later is known to be lost: of a quiet partition, too."""
    app, table = bench.app(guarantee=guarantee)
    async with bench.running(app, counting(table, bench.out)):
        offsets = await bench.admin.list_consumer_group_offsets(bench.name)
    assert {tp.partition: o.offset for tp, o in offsets.items() if tp.topic == bench.source} == {
        0: 0,
        1: 0,
    }
    await read(bench, guarantee, read_before=frozenset({bench.source}))


@pytest.mark.parametrize("guarantee", GUARANTEES)
async def test_two_workers_that_start_at_once_are_no_alarm(bench: Bench, guarantee: Any) -> None:
    """One of them may have written rows before the other has its partitions."""
    await bench.send(*[(b"a", b"")] * 5)
    await bench.send(*[(b"b", b"")] * 5, partition=1)
    apps = [bench.app(guarantee=guarantee, number=number) for number in (1, 2)]
    for app, table in apps:
        app.agent(app.topic(bench.source), name="agent")(counting(table, bench.out))
    try:
        await asyncio.gather(*(app.start() for app, _ in apps))
        await bench.until_committed(10)
        assert [_reason(app) for app, _ in apps] == [None, None]
    finally:
        await asyncio.gather(*(app.stop() for app, _ in apps))


def _reason(app: EngineApp) -> BaseException | None:
    reason: BaseException | None = app.crash_reason
    return reason


async def test_a_changelog_without_its_first_records_is_refused(bench: Bench) -> None:
    """On a real Kafka: the topic is only compacted again, and says nothing of it."""
    await read(bench, "exactly_once")
    await bench.delete_before(bench.changelog, 2)
    reason = await stopped_by(bench, "exactly_once", store="memory")
    assert "it begins at offset 2" in str(reason)
    reason = await stopped_by(bench, "exactly_once")
    assert "it begins at offset 2" in str(reason)


def test_errors_of_a_changed_log_are_one_kind() -> None:
    """Whoever catches one catches all, and is told the same way on."""
    assert issubclass(RecordsGone, LogChanged)
    assert issubclass(LogShortened, LogChanged)
    assert issubclass(CommitsMissing, LogChanged)
