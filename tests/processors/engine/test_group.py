"""Members of the group on a real Kafka: restarts, copies kept warm, stores that are too old."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from headroom.local.kafka.probe import free_port
from processors.engine.app import EngineApp
from processors.engine.errors import GroupRefused, NameTaken
from processors.engine.member import Member
from processors.engine.table import Table
from tests.conftest import KafkaHandle
from tests.engine.proxy import Kind, Proxy
from tests.processors.engine.harness import DEADLINE_SECONDS, Bench, counting, crashed, until

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


async def test_a_restart_within_the_session_moves_nothing(bench: Bench) -> None:
    """Another worker keeps its partitions and its generation while one is started again."""
    one, rows = bench.app(number=1, instance="one")
    other, others_rows = bench.app(number=2, instance="two")
    async with bench.running(other, counting(others_rows, bench.out)):
        async with bench.running(one, counting(rows, bench.out)):
            await until(lambda: len(one.consumer.assignment()) == 2)
            await until(lambda: other.serving)
            generation = other.consumer_generation_id
            had, others_had = one.consumer.assignment(), other.consumer.assignment()
        again, rows = bench.app(number=1, instance="one")
        async with bench.running(again, counting(rows, bench.out)):
            assert again.consumer.assignment() == had
            assert other.consumer.assignment() == others_had
            assert again.consumer_generation_id == generation
            assert other.consumer_generation_id == generation
            assert other.serving
            for partition in (0, 1):
                await bench.send((b"a", b""), partition=partition)
            await bench.until_committed(2)


async def test_a_member_that_comes_back_elsewhere_tells_the_group(bench: Bench) -> None:
    """Questions must find it under its new address, so the group is asked again."""
    app, table = bench.app(number=1, instance="one")
    async with bench.running(app, counting(table, bench.out)):
        generation = app.consumer_generation_id
    app, table = bench.app(number=7, instance="one")
    async with bench.running(app, counting(table, bench.out)):
        assert app.consumer_generation_id > generation
        assert app.owner(table, b"a")[1] == "http://127.0.0.1:7"


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
async def test_of_two_workers_of_one_name_one_stops_and_says_so(
    bench: Bench, guarantee: str
) -> None:
    """Two machines that are copies of each other: the later one works, and stays."""
    one, rows = bench.app(number=1, instance="one", guarantee=guarantee)
    async with bench.running(one, counting(rows, bench.out)):
        other, others_rows = bench.app(number=2, instance="one", guarantee=guarantee)
        async with bench.running(other, counting(others_rows, bench.out)):
            assert isinstance(await crashed(one), NameTaken)
            assert "goes by the name of this one (one)" in str(one.crash_reason)
            await one.stop()
            await until(lambda: other.serving)
            await bench.send((b"a", b""))
            await bench.until_committed(1)
            assert other.crash_reason is None


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
async def test_a_named_member_that_was_expelled_joins_anew(
    bench: Bench, kafka: KafkaHandle, guarantee: str
) -> None:
    """Its heartbeats did not come through for longer than its session; nobody has its name."""
    async with Proxy(kafka.bootstrap) as proxy:
        bench.kafka = {"bootstrap_servers": proxy.bootstrap}
        one, rows = bench.app(number=1, instance="one", guarantee=guarantee)
        async with bench.running(one, counting(rows, bench.out)):
            generation = one.consumer_generation_id
            with proxy.holding(Kind.HEARTBEAT):
                async with asyncio.timeout(DEADLINE_SECONDS):
                    while await bench.members():
                        await asyncio.sleep(0.1)
            await until(lambda: one.consumer_generation_id > generation and one.serving)
            await bench.send((b"a", b""))
            await bench.until_committed(1)
            assert one.crash_reason is None


async def test_a_worker_that_its_group_does_not_answer_does_not_serve(
    bench: Bench, kafka: KafkaHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables are there, and nobody would notice; the lag that was known is still told."""
    async with Proxy(kafka.bootstrap) as proxy:
        bench.kafka = {"bootstrap_servers": proxy.bootstrap}
        one, rows = bench.app(number=1, instance="one", stalled_after_seconds=0)
        async with bench.running(one, counting(rows, bench.out)):
            await bench.send((b"a", b""))
            await bench.until_committed(1)
            await until(lambda: one.consumer.lag().keys() >= {TP(bench.source, 0)})
            assert one.not_serving_seconds() == 0
            with proxy.holding(*Kind):
                await until(lambda: one.not_serving_seconds() > 1)
                assert one.serving
                # No agent hangs: this is counted by itself, and for longer.
                monkeypatch.setattr(one.consumer.fetcher, "end", lambda _: 9)
                assert one.consumer.lag()[TP(bench.source, 0)] > 0
                assert one.consumer.stalled() == []
                monkeypatch.setattr(one.consumer, "assignment", set)
                assert TP(bench.source, 0) in one.consumer.lag()
                monkeypatch.undo()
            await until(lambda: one.not_serving_seconds() == 0)
            assert one.crash_reason is None


async def test_a_member_whose_group_task_has_died_stops_and_says_so(bench: Bench) -> None:
    """A task of aiokafka's may end by an error that it did not foresee; heartbeats would go on."""
    one, rows = bench.app(number=1, instance="one")
    async with bench.running(one, counting(rows, bench.out)):

        async def broken(*_: object) -> None:
            raise AssertionError("nobody foresaw this")

        one.consumer._client._coordinator.ensure_active_group = broken
        one.consumer.rejoin()
        reason = await crashed(one)
        assert isinstance(reason, GroupRefused)
        assert "nobody foresaw this" in str(reason)


async def test_a_client_that_finds_no_broker_any_more_cannot_have_the_group() -> None:
    """The task that follows where the brokers are is one of them."""

    async def broken() -> None:
        raise AssertionError("nobody foresaw this")

    task = asyncio.create_task(broken())
    coordinator = SimpleNamespace(_send_req=None, check_errors=lambda: None)
    consumer = SimpleNamespace(_coordinator=coordinator, _client=SimpleNamespace(_sync_task=task))
    member = Member(consumer, "one")
    member.check()
    await asyncio.wait([task])
    with pytest.raises(KafkaError, match="nobody foresaw this"):
        member.check()


async def until_copied(app: EngineApp, table: Table, key: bytes) -> None:
    """Wait until a copy lacks nothing: control markers behind its rows are read over."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (copy := await app.copy_of(table, key)) is None or copy.lag:
            await asyncio.sleep(0.01)
    assert (copy.row, copy.is_standby) == (b"1", True)
    assert copy.applied_ms is not None


async def test_a_standby_takes_over_what_it_kept_warm(bench: Bench) -> None:
    """It follows the changelog, and reads almost nothing when it becomes the owner."""
    options = {"standby_replicas": 1, "store": "memory"}
    one, rows = bench.app(number=1, **options)
    other, others_rows = bench.app(number=2, **options)
    keys = [b"k%d" % number for number in range(500)]
    async with bench.running(one, counting(rows, bench.out)):
        async with bench.running(other, counting(others_rows, bench.out)):
            await until(lambda: len(others_rows.standbys()) == len(others_rows.actives()) == 1)
            await until(lambda: one.serving)
            for partition in (0, 1):
                await bench.send(*[(key, b"") for key in keys], partition=partition)
            await bench.until_committed(2 * len(keys))
            for held, kept in ((rows, others_rows), (others_rows, rows)):
                (changelog, store), *_ = kept.standbys().items()
                active = held.actives()[changelog]
                await until(lambda a=active, s=store: dict(a.items()) == dict(s.items()))
            # Nobody is asked who only keeps a copy, unless a copy will do.
            assert rows.open_partitions.isdisjoint(others_rows.open_partitions)
            for app, table in ((one, rows), (other, others_rows)):
                key = next(k for k in keys if app.partition_of(k) not in table.open_partitions)
                await until_copied(app, table, key)
            read = one.tables.restored_records
        await until(lambda: len(rows.actives()) == 2 and one.serving)
        assert one.tables.restored_records == read
        for partition in (0, 1):
            assert rows.committed(partition, keys[-1]) == b"1"
            await bench.send((keys[-1], b""), partition=partition)
        await bench.until_committed(2 * len(keys) + 2)
        assert rows.committed(0, keys[-1]) == b"2"
        # What it holds itself can be looked at as well, for as long as nobody may be asked: behind
        # its rows lies a marker, of which it has not read.
        copy = await one.copy_of(rows, keys[-1])
        assert copy is not None
        assert (copy.row, copy.is_standby) == (b"2", False)
        assert copy.lag in (0, 1)


async def test_a_worker_that_is_up_to_date_is_never_too_old(bench: Bench) -> None:
    """A changelog that nobody wrote to for a week has nothing new to say.

    Without transactions: behind them lies a marker, and nobody can tell whether only that.
    """
    now_ms = 1_710_367_225_000
    await bench.send((b"a", b""))
    app, table = bench.app(clock_ms=lambda: now_ms, guarantee="at_least_once")
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
    app, table = bench.app(clock_ms=lambda: now_ms + 7 * DAY_MS, guarantee="at_least_once")
    async with bench.running(app, counting(table, bench.out)):
        assert table.committed(0, b"a") == b"1"
        assert app.tables.restored_records == 0


@pytest.mark.parametrize(
    ("guarantee", "said"),
    [("at_least_once", "Kafka is away"), ("exactly_once", "Kafka does not answer yet")],
)
async def test_who_is_started_while_kafka_is_away_waits_for_it(
    bench: Bench, kafka: KafkaHandle, caplog: pytest.LogCaptureFixture, guarantee: str, said: str
) -> None:
    """A machine that comes up starts workers and Kafka in any order."""
    caplog.set_level("INFO")
    port = free_port()
    bench.kafka = {"bootstrap_servers": f"127.0.0.1:{port}"}
    app, rows = bench.app(guarantee=guarantee)
    async with asyncio.TaskGroup() as tasks:
        started = asyncio.Event()
        stop = asyncio.Event()

        async def work() -> None:
            async with bench.running(app, counting(rows, bench.out)):
                started.set()
                await stop.wait()

        tasks.create_task(work())
        await until(lambda: said in caplog.text)
        assert not started.is_set()
        async with await relay(port, kafka.bootstrap):
            await started.wait()
            assert app.crash_reason is None
            assert app.serving
            stop.set()


async def relay(port: int, target: str) -> asyncio.Server:
    """Listens on a port, and passes everything on to the target and back."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass  # either side may leave without a word
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, there = target.split(":")
        back, forth = await asyncio.open_connection(host, int(there))
        await asyncio.gather(passed_on(reader, forth), passed_on(back, writer))

    return await asyncio.start_server(connected, "127.0.0.1", port)
