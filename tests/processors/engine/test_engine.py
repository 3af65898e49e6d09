"""The engine on a real Kafka: batches, tables, commits, restores, and what stops it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiokafka
import pytest

from processors.engine.batch import Batch
from processors.engine.errors import (
    ChangelogCut,
    ChangelogShared,
    GroupRefused,
    SendFailed,
    StoreUnusable,
)
from processors.engine.restore import Restorer
from processors.engine.store import MemoryStore
from processors.engine.table import Table
from tests.conftest import KafkaHandle
from tests.processors.engine.harness import Agent, Bench, counting, crashed


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


async def test_an_agent_reads_what_it_wrote_and_sends_in_order(bench: Bench) -> None:
    """Writes are seen by later reads at once, in the batch and in the next ones."""
    app, table = bench.app()
    await bench.send(*[(b"a", b""), (b"b", b""), (b"a", b"")] * 50)
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(150)
        assert table.committed(0, b"a") == b"100"
        assert table.committed(0, b"b") == b"50"
    sent = await bench.records(bench.out)
    assert [v for k, v in sent if k == b"a"] == [b"%d" % n for n in range(1, 101)]


async def test_a_batch_writes_one_changelog_record_for_each_key(bench: Bench) -> None:
    """Of several writes of a key in a batch only the last reaches the changelog."""
    app, table = bench.app()
    await bench.send(*[(b"k", b"")] * 200)
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(200)
    changelog = await bench.records(bench.changelog)
    assert changelog[-1] == (b"k", b"200")
    assert len(changelog) < 50


@pytest.mark.parametrize("store", ["rocksdb", "memory"])
async def test_a_restart_goes_on_where_it_was(bench: Bench, store: str) -> None:
    """A table outlives its worker: from its files, or from the changelog alone."""
    await bench.send(*[(b"a", b"")] * 30)
    for expected in (30, 60):
        app, table = bench.app(store=store)
        async with bench.running(app, counting(table, bench.out)):
            await bench.until_committed(expected)
            assert table.committed(0, b"a") == b"%d" % expected
        await bench.send(*[(b"a", b"")] * 30)


@pytest.mark.parametrize("store", ["rocksdb", "memory"])
async def test_a_deleted_row_stays_deleted(bench: Bench, store: str) -> None:
    """A delete is a tombstone in the changelog and nothing in the store."""

    def deleting(table):
        async def agent(batches):
            async for batch in batches:
                for record in batch:
                    if record.value == b"put":
                        table[record.key] = b"row"
                    else:
                        del table[record.key]

        return agent

    await bench.send((b"a", b"put"), (b"b", b"put"), (b"a", b"del"))
    for _ in range(2):
        app, table = bench.app(store=store)
        async with bench.running(app, deleting(table)):
            await bench.until_committed(3)
            assert dict(table.committed_items(0)) == {b"b": b"row"}
    assert (b"a", None) in await bench.records(bench.changelog)


async def test_an_exception_in_an_agent_stops_the_worker_and_commits_nothing(bench: Bench) -> None:
    """What an agent raises is the reason of the stop; its batch is done again by the next one."""
    app, table = bench.app()

    async def raising(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            for record in batch:
                table[record.key] = b"1"
                if record.value == b"poison":
                    raise ValueError("poison")

    await bench.send((b"a", b"poison"))
    async with bench.running(app, raising):
        assert isinstance(await crashed(app), ValueError)
    assert await bench.committed() == 0
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
        assert table.committed(0, b"a") == b"1"


async def test_no_offset_passes_a_batch_that_is_still_in_flight(bench: Bench) -> None:
    """Batches that are done behind one that is not are not committed (the stock driver does)."""
    app, table = bench.app(records_at_once=1, guarantee="at_least_once")
    sender = app.producer.sender
    offer, held = sender.offer, []

    def holding(topic, key, value, partition, headers, delivered):
        """Kafka's word on the first record is held back."""
        if topic == bench.out and value == b"1":
            told = delivered

            def delivered(error, message):
                held.append(lambda: told(error, message))

        offer(topic, key, value, partition, headers, delivered)

    sender.offer = holding
    await bench.send((b"a", b""), (b"a", b""), (b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        async with asyncio.timeout(20):
            while not held or len(await bench.records(bench.out)) < 3:
                await asyncio.sleep(0.02)
        await app.consumer.commit()
        assert await bench.committed() == 0
        assert table.committed(0, b"a") == b"3"  # a row is there once Kafka has it
        held[0]()
        await bench.until_committed(3)


@pytest.mark.parametrize("refused", ["a row", "a send"])
async def test_a_record_that_is_refused_alone_stops_the_worker(bench: Bench, refused: str) -> None:
    """Kafka refuses the first record that follows from a batch, and takes the ones behind it."""
    # Each record is a request of its own: else the last one would be refused with the first.
    alone = {"batch.num.messages": 1}
    app, table = bench.app(guarantee="at_least_once", librdkafka=alone)
    large = b"x" * 5_000

    def answering(table: Table) -> Agent:
        async def agent(batches: AsyncIterator[Batch]) -> None:
            async for batch in batches:
                for record in batch:
                    if refused == "a row":
                        table[record.value] = large if record.value == b"1" else b"small"
                    else:
                        value = large if record.value == b"1" else b"small"
                        batch.send(bench.out, key=record.key, value=value)

        return agent

    limited = bench.changelog if refused == "a row" else bench.out
    async with bench.running(app, answering(table)):
        await bench.limit(limited, 1_000)
        await bench.send((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
        assert isinstance(await crashed(app), SendFailed)
    assert await bench.committed() == 0
    await bench.limit(limited, 1_000_000)
    app, table = bench.app(guarantee="at_least_once", librdkafka=alone)
    async with bench.running(app, answering(table)):
        await bench.until_committed(3)
    assert [row for _, row in await bench.records(limited)][-3:] == [large, b"small", b"small"]


async def test_a_changelog_that_was_cut_is_refused(bench: Bench) -> None:
    """A local table that holds more than its changelog stops the worker: rows are not served."""
    await bench.send(*[(b"a", b"")] * 5)
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(5)
    await bench.admin.delete_topics([bench.changelog])
    async with asyncio.timeout(20):
        while bench.changelog in await bench.admin.list_topics():
            await asyncio.sleep(0.05)
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        reason = await crashed(app)
    assert isinstance(reason, ChangelogCut)
    assert not app.serving


async def test_nothing_is_served_before_the_tables_are_restored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a restore runs no agent works and nobody is answered."""
    gate, original = asyncio.Event(), Restorer.run

    async def gated(self, *args, **options):
        await gate.wait()
        return await original(self, *args, **options)

    monkeypatch.setattr(Restorer, "run", gated)
    app, table = bench.app()
    await bench.send((b"a", b""))
    app.agent(app.topic(bench.source), name="agent")(counting(table, bench.out))
    try:
        await app.start()
        async with asyncio.timeout(20):
            while app.tables._at_work is None:
                await asyncio.sleep(0.01)
        assert not app.serving
        assert await bench.records(bench.out) == []
        gate.set()
        await bench.until_committed(1)
        assert app.serving
    finally:
        await app.stop()


async def test_an_agent_that_hangs_is_seen(bench: Bench) -> None:
    """Heartbeats go on, offsets do not: the partition is named, until it moves again."""
    app, table = bench.app(stalled_after_seconds=0.5)
    gate = asyncio.Event()

    async def hanging(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            await gate.wait()
            table[b"done"] = b"%d" % batch.offset

    await bench.send((b"a", b""), (b"b", b""))
    async with bench.running(app, hanging):
        try:
            async with asyncio.timeout(20):
                while not app.consumer.stalled():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            gate.set()
            raise
        assert [(tp.topic, tp.partition) for tp in app.consumer.stalled()] == [(bench.source, 0)]
        gate.set()
        await bench.until_committed(2)
        assert app.consumer.stalled() == []


async def test_an_empty_changelog_that_cannot_be_is_refused(bench: Bench) -> None:
    """A source with commits has left rows: a changelog without any was deleted."""
    await bench.send(*[(b"a", b"")] * 5)
    app, table = bench.app(source=bench.source)
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(5)
    await bench.admin.delete_topics([bench.changelog])
    async with asyncio.timeout(20):
        while bench.changelog in await bench.admin.list_topics():
            await asyncio.sleep(0.05)
    app, table = bench.app(source=bench.source, store="memory")
    async with bench.running(app, counting(table, bench.out)):
        assert isinstance(await crashed(app), ChangelogCut)
    assert not app.serving


async def test_a_second_writer_in_a_changelog_stops_the_worker(bench: Bench) -> None:
    """Records between ours are another worker's: the local store does not pass over them."""
    app, table = bench.app(guarantee="at_least_once")
    await bench.send((b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
        await bench.write(bench.changelog, b"b", b"7")
        await bench.send((b"a", b""))
        assert isinstance(await crashed(app), ChangelogShared)
    assert await bench.committed() == 1
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(2)
        assert table.committed(0, b"b") == b"7"


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
async def test_a_store_that_cannot_be_written_stops_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, guarantee: str
) -> None:
    """A full disk is heard of; what a transaction held is in the changelog for the next start."""

    def full(self, rows, position):
        raise OSError("No space left on device")

    app, table = bench.app(store="memory", guarantee=guarantee)
    await bench.send((b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
        with monkeypatch.context() as patched:
            patched.setattr(MemoryStore, "write", full)
            await bench.send((b"a", b""))
            assert isinstance(await crashed(app), StoreUnusable)
    assert await bench.committed() == (2 if guarantee == "exactly_once" else 1)
    app, table = bench.app(store="memory")
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(2)
        assert table.committed(0, b"a") == (b"2" if guarantee == "exactly_once" else b"3")


async def test_a_group_that_cannot_be_joined_stops_the_worker(bench: Bench) -> None:
    """Another program in the group, with another protocol: a clear reason, no silent waiting."""
    other = aiokafka.AIOKafkaConsumer(bench.source, group_id=bench.name, **bench.kafka)
    await other.start()
    try:
        app, table = bench.app()
        async with bench.running(app, counting(table, bench.out)):
            assert isinstance(await crashed(app), GroupRefused)
    finally:
        await other.stop()
