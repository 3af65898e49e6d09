"""Transactions on a real Kafka: what was aborted never was, and nobody writes over a successor."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Position
from faust.types import TP

from processors.engine.app import EngineApp
from processors.engine.errors import CommitsLost, TransactionHangs, TransactionRefused
from processors.engine.fetcher import Begun
from processors.engine.sender import Sender, group_metadata
from tests.conftest import KafkaHandle
from tests.processors.engine.harness import Bench, counting, crashed, until


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


def as_of_another_generation(app: EngineApp, times: int) -> Callable[[], int]:
    """The group's answer to the next commits is that of a group that moved on; how many did."""
    consumer, refused = app.consumer, 0
    genuine = consumer.flight._group

    def group() -> bytes:
        nonlocal refused
        if refused == times:
            return genuine()
        refused += 1
        return group_metadata(app.conf.id, 9_999, "somebody-else", app.instance)

    consumer.flight._group = group
    return lambda: refused


async def test_what_the_group_refused_never_was_and_is_done_again(bench: Bench) -> None:
    """Offsets of another generation void the whole transaction; a plain += stays exact."""
    app, table = bench.app()
    derived: list[dict[bytes, bytes]] = []
    table.on_partition(
        restored=lambda number: derived.append(dict(table.committed_items(number))),
        revoked=lambda number: None,
    )
    async with bench.running(app, counting(table, bench.out)):
        await bench.send(*[(b"a", b"")] * 10)
        await bench.until_committed(10)
        told = len(derived)
        refused = as_of_another_generation(app, times=2)
        await bench.send(*[(b"a", b"")] * 10)
        await bench.until_committed(20)
        assert refused() == 2
        assert table.committed(0, b"a") == b"20"
        # Whatever was derived from rows that never were is derived anew.
        assert {b"a": b"10"} in derived[told:]
    assert [value for _, value in await bench.records(bench.out)] == [
        b"%d" % number for number in range(1, 21)
    ]
    assert (await bench.records(bench.changelog))[-1] == (b"a", b"20")


async def test_nothing_is_done_before_what_was_dropped(bench: Bench) -> None:
    """Records that come between a refused transaction and the next assignment lie behind it."""
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.send((b"a", b""))
        await bench.until_committed(1)
        asked: list[bool] = []
        app.consumer.flight._begin_again = lambda: asked.append(True)
        as_of_another_generation(app, times=1)
        await bench.send((b"b", b""))
        await until(lambda: asked)
        # Some, one after the other: what is fetched at this very moment is dropped in any case.
        for _ in range(10):
            await bench.send((b"c", b""))
            await asyncio.sleep(0.05)
        assert await bench.committed() == 1
        app.consumer.rejoin()
        await bench.until_committed(12)
        assert [table.committed(0, key) for key in (b"a", b"b", b"c")] == [b"1", b"1", b"10"]
    assert [key for key, _ in await bench.records(bench.out)] == [b"a", b"b", *[b"c"] * 10]


async def test_a_group_that_refuses_for_ever_stops_the_worker(bench: Bench) -> None:
    """It does not go round in circles: after some tries it stops, with the reason."""
    app, table = bench.app()
    await bench.send((b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
        as_of_another_generation(app, times=1_000)
        await bench.send((b"a", b""))
        assert isinstance(await crashed(app), TransactionRefused)
    assert await bench.committed() == 1
    assert await bench.records(bench.out) == [(b"a", b"1")]


async def test_nothing_is_seen_of_a_batch_whose_agent_raised(bench: Bench) -> None:
    """Not its rows, not its sends, not its offset."""
    app, table = bench.app()

    async def failing(batches):
        async for batch in batches:
            for record in batch:
                table[record.key] = record.value
                batch.send(bench.out, key=record.key, value=record.value)
                if record.value == b"3":
                    raise RuntimeError("boom")

    await bench.send((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    async with bench.running(app, failing):
        await crashed(app)
    assert await bench.records(bench.out) == []
    assert await bench.records(bench.changelog) == []
    assert await bench.committed() == 0


async def test_a_transaction_that_a_dead_worker_left_open_is_waited_for(bench: Bench) -> None:
    """Its rows may still come to count: the restore ends after Kafka has decided."""
    await bench.send((b"a", b""))
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
    dead = Producer(
        {
            "bootstrap.servers": bench.kafka["bootstrap_servers"],
            "transactional.id": f"{bench.name}-dead",
            "transaction.timeout.ms": 60_000,
        }
    )
    dead.init_transactions()
    dead.begin_transaction()
    dead.produce(bench.changelog, b"77", b"a", 0)
    dead.flush()
    app, table = bench.app(number=2)
    app.agent(app.topic(bench.source), name="agent")(counting(table, bench.out))
    await app.start()
    try:
        await until(lambda: 0 in table.open_partitions)
        await until(lambda: app.tables._restorer.restored_records >= 1)
        assert not app.serving
        await asyncio.to_thread(dead.abort_transaction)
        await until(lambda: app.serving)
        assert table.committed(0, b"a") == b"1"
    finally:
        await app.stop()


async def test_a_killed_workers_open_transaction_ends_when_it_comes_back(bench: Bench) -> None:
    """The same instance aborts what its last run left open, without any time-out."""
    await bench.send((b"a", b""))
    app, table = bench.app(instance=f"{bench.name}-one")
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
    killed = Sender(app.librdkafka, transactional_id=f"{bench.name}-{bench.name}-one")
    await killed.open()
    killed.begin()
    killed.offer(bench.changelog, b"a", b"77", 0)
    killed.offer(bench.out, b"a", b"77")
    await asyncio.to_thread(killed._client.flush)
    app, table = bench.app(instance=f"{bench.name}-one")
    await bench.send((b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(2)
        assert table.committed(0, b"a") == b"2"
    assert [value for _, value in await bench.records(bench.out)] == [b"1", b"2"]
    await killed.close()


async def test_positions_behind_control_markers_are_committed(bench: Bench) -> None:
    """A source written in transactions ends with a marker; nothing is left to do behind it."""
    writer = Producer(
        {
            "bootstrap.servers": bench.kafka["bootstrap_servers"],
            "transactional.id": f"{bench.name}-writer",
        }
    )
    writer.init_transactions()
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        for number in range(3):
            writer.begin_transaction()
            writer.produce(bench.source, b"", b"a", 0)
            writer.flush()
            if number == 1:
                writer.abort_transaction()
            else:
                writer.commit_transaction()
        await bench.until_committed(6)
        assert table.committed(0, b"a") == b"2"
        await until(lambda: set(app.consumer.lag().values()) == {0})


async def test_offsets_are_read_once_no_transaction_on_them_is_open(bench: Bench) -> None:
    """A commit that may still come to count is waited for, not passed over (KIP-447)."""
    app, table = bench.app()
    await bench.send((b"a", b""))
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
    open_ = Producer(
        {
            "bootstrap.servers": bench.kafka["bootstrap_servers"],
            "transactional.id": f"{bench.name}-open",
        }
    )
    open_.init_transactions()
    open_.begin_transaction()
    reader = Consumer(
        {"bootstrap.servers": bench.kafka["bootstrap_servers"], "group.id": bench.name}
    )
    outside = reader.consumer_group_metadata()
    open_.send_offsets_to_transaction([Position(bench.source, 0, 1)], outside)
    app, table = bench.app(number=2)
    app.agent(app.topic(bench.source), name="agent")(counting(table, bench.out))
    await app.start()
    try:
        await until(lambda: app.tables._at_work is not None)
        waiting = asyncio.ensure_future(until(lambda: app.serving))
        done, _ = await asyncio.wait([waiting], timeout=1.0)
        assert not done
        await asyncio.to_thread(open_.commit_transaction)
        await waiting
    finally:
        await app.stop()
        reader.close()
    offsets = await bench.admin.list_consumer_group_offsets(bench.name)
    assert offsets[TopicPartition(bench.source, 0)].offset == 1


async def test_a_commit_behind_what_was_aborted_is_no_proof_of_rows(bench: Bench) -> None:
    """A source whose first records were aborted has commits, and its table has no row."""
    writer = Producer(
        {
            "bootstrap.servers": bench.kafka["bootstrap_servers"],
            "transactional.id": f"{bench.name}-writer",
        }
    )
    writer.init_transactions()
    writer.begin_transaction()
    writer.produce(bench.source, b"", b"a", 0)
    writer.flush()
    writer.abort_transaction()
    for _ in range(2):
        app, table = bench.app(source=bench.source, store="memory")
        async with bench.running(app, counting(table, bench.out)):
            assert app.crash_reason is None
            await bench.until_committed(2)


async def test_what_was_derived_is_derived_again_after_another_wrote(bench: Bench) -> None:
    """A partition that was kept over a rebalance may have been another worker's in between."""
    app, table = bench.app()
    told: list[dict[bytes, bytes]] = []
    table.on_partition(
        restored=lambda number: told.append(dict(table.committed_items(number))),
        revoked=lambda number: None,
    )
    async with bench.running(app, counting(table, bench.out)):
        await bench.send((b"a", b""))
        await bench.until_committed(1)
        await bench.write(bench.changelog, b"a", b"7")
        told.clear()
        app.consumer.rejoin()
        await until(lambda: {b"a": b"7"} in told)


async def test_a_client_that_never_answers_is_replaced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of librdkafka's may hang after a broker came back: its work is done again."""
    monkeypatch.setattr("processors.engine.sender.ENDING_SECONDS_MAX", 0.5)
    app, table = bench.app()
    sender, hanging = app.producer.sender, threading.Event()
    genuine = sender._commit

    def hangs(*arguments: object) -> None:
        monkeypatch.setattr(sender, "_commit", genuine)
        hanging.wait()

    async with bench.running(app, counting(table, bench.out)):
        await bench.send((b"a", b""))
        await bench.until_committed(1)
        monkeypatch.setattr(sender, "_commit", hangs)
        await bench.send((b"a", b""))
        await bench.until_committed(2)
        assert table.committed(0, b"a") == b"2"
        assert not hanging.is_set()
    hanging.set()
    assert await bench.records(bench.out) == [(b"a", b"1"), (b"a", b"2")]


async def test_nothing_is_restored_before_a_failed_transaction_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance may come while it is being aborted: until then it may still come to count."""
    app, table = bench.app()
    sender, restorer = app.producer.sender, app.tables._restorer
    abort, run = sender.abort, restorer.run
    ending, may_end, restores = asyncio.Event(), asyncio.Event(), []

    async def slow_abort() -> None:
        ending.set()
        await may_end.wait()
        await abort()

    async def told_run(*arguments: object, **options: object) -> object:
        restores.append(may_end.is_set())
        return await run(*arguments, **options)

    async with bench.running(app, counting(table, bench.out)):
        await bench.send((b"a", b""))
        await bench.until_committed(1)
        monkeypatch.setattr(sender, "abort", slow_abort)
        monkeypatch.setattr(restorer, "run", told_run)
        as_of_another_generation(app, times=1)
        await bench.send((b"a", b""))
        await until(ending.is_set)
        generation = app.consumer_generation_id
        app.consumer.rejoin()
        await until(lambda: app.consumer_generation_id != generation)
        await asyncio.sleep(0.5)
        may_end.set()
        await bench.until_committed(2)
        assert restores
        assert all(restores)
        assert table.committed(0, b"a") == b"2"


async def test_a_commit_that_kafka_lost_stops_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done between is not done twice over rows that have it."""
    app, table = bench.app()
    fetcher = app.consumer.fetcher
    start = fetcher.start

    async def as_it_was(partitions: Iterable[TP], **options: Any) -> Begun:
        begun = await start(partitions, **options)
        behind = {tp: max(0, offset - 4) for tp, offset in begun.positions.items()}
        return Begun(behind, begun.uncommitted)

    async with bench.running(app, counting(table, bench.out)):
        await bench.send(*[(b"a", b"")] * 10)
        await bench.until_committed(10)
        monkeypatch.setattr(fetcher, "start", as_it_was)
        app.consumer.rejoin()
        reason = await crashed(app)
    assert isinstance(reason, CommitsLost)
    assert (reason.topic, reason.known, reason.found) == (bench.source, 10, 6)
    assert (await bench.records(bench.out))[-1] == (b"a", b"10")


async def test_a_transaction_that_is_never_ended_stops_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka may have lost what became of it: a restore says so, and does not wait for ever."""
    monkeypatch.setattr("processors.engine.restore.STANDSTILL_SECONDS_MAX", 1.0)
    await bench.send((b"a", b""))
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
    hanging = Producer(
        {
            "bootstrap.servers": bench.kafka["bootstrap_servers"],
            "transactional.id": f"{bench.name}-hanging",
        }
    )
    hanging.init_transactions()
    hanging.begin_transaction()
    hanging.produce(bench.changelog, b"77", b"a", 0)
    hanging.flush()
    app, table = bench.app(number=2)
    async with bench.running(app, counting(table, bench.out)):
        reason = await crashed(app)
    assert isinstance(reason, TransactionHangs)
    assert (reason.topic, reason.partition) == (bench.changelog, 0)
    hanging.abort_transaction()


async def test_a_worker_that_joined_anew_is_not_stopped_by_its_own_name(bench: Bench) -> None:
    """Expelled while it was suspended, it comes back as another member of the same instance.

    What it had in flight as the old one is refused as if somebody else had taken its name.
    """
    app, table = bench.app(instance=f"{bench.name}-one")
    async with bench.running(app, counting(table, bench.out)):
        await bench.send((b"a", b""))
        await bench.until_committed(1)
        refused = as_of_another_generation(app, times=1)
        await bench.send((b"a", b""))
        await bench.until_committed(2)
        assert refused() == 1
        assert app.crash_reason is None
        assert table.committed(0, b"a") == b"2"
    assert [value for _, value in await bench.records(bench.out)] == [b"1", b"2"]
