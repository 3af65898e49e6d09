"""Requests that come late: no request of one transaction ends another, or adds to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processors.engine.librdkafka import properties
from processors.engine.sender import Sender
from tests.conftest import KafkaHandle
from tests.engine.proxy import Act, Kind, Proxy
from tests.processors.engine.harness import Bench, counting, until

pytestmark = pytest.mark.kafka

SLOW_SECONDS = 0.15
TIMES = 5


@pytest.fixture
async def proxy(kafka: KafkaHandle) -> AsyncIterator[Proxy]:
    async with Proxy(kafka.bootstrap) as made:
        yield made


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


async def test_a_commit_that_comes_late_does_not_end_the_next_transaction(
    bench: Bench, proxy: Proxy
) -> None:
    """Five times the broker is told to commit again, once half of the next one has reached it."""
    app, table = bench.app(proxy=proxy.bootstrap)
    async with bench.running(app, counting(table, bench.out)):
        with proxy.slow(Kind.ADD_OFFSETS_TO_TXN, SLOW_SECONDS):
            for number in range(TIMES):
                behind = (Kind.END_TXN, Kind.PRODUCE)
                passed = proxy.befall(Act.KEEP, Kind.END_TXN, behind=behind)
                await bench.send((b"a", b""))
                await until(lambda n=number: table.committed(0, b"a") == b"%d" % (2 * n + 1))
                await bench.send((b"a", b""))
                await until(passed.is_set)
                await until(lambda n=number: table.committed(0, b"a") == b"%d" % (2 * n + 2))
    assert [value for _, value in await bench.records(bench.out)] == [
        b"%d" % number for number in range(1, 2 * TIMES + 1)
    ]


async def test_offsets_that_come_late_do_not_take_the_place_of_the_next_ones(
    bench: Bench, proxy: Proxy
) -> None:
    """A transaction's offsets reach the broker again behind those of the next, before its end."""
    app, table = bench.app(proxy=proxy.bootstrap)
    behind = (Kind.TXN_OFFSET_COMMIT, Kind.END_TXN, Kind.TXN_OFFSET_COMMIT)
    async with bench.running(app, counting(table, bench.out)):
        with proxy.slow(Kind.END_TXN, SLOW_SECONDS):
            passed = proxy.befall(Act.KEEP, Kind.TXN_OFFSET_COMMIT, behind=behind)
            await bench.send((b"a", b""))
            await until(lambda: table.committed(0, b"a") == b"1")
            await bench.send((b"a", b""))
            await until(passed.is_set)
            await until(lambda: table.committed(0, b"a") == b"2")
        assert await bench.committed() == 2


async def test_each_connection_that_breaks_costs_one_epoch(bench: Bench, proxy: Proxy) -> None:
    """The next transaction has it, and those behind that one keep it."""
    app, table = bench.app(proxy=proxy.bootstrap)
    flight = app.consumer.flight
    async with bench.running(app, counting(table, bench.out)):
        for number in range(1, 4):
            await bench.send((b"a", b""))
            await until(lambda n=number: table.committed(0, b"a") == b"%d" % n)
        assert flight.renewed_count == 0
        for number in range(TIMES):
            proxy.lose_answer(Kind.END_TXN)
            await bench.send((b"a", b""))
            await until(lambda n=number: flight.renewed_count == n + 1)
            await bench.send((b"a", b""))
            await until(lambda n=number: table.committed(0, b"a") == b"%d" % (2 * n + 5))
            assert flight.renewed_count == number + 1


async def test_every_connection_that_breaks_is_told_of(bench: Bench, proxy: Proxy) -> None:
    """Once the commit has succeeded, each time: librdkafka's errors are told of once in a while."""
    sender = Sender(
        properties({"bootstrap_servers": proxy.bootstrap}), transactional_id=f"{bench.name}-sender"
    )
    await sender.open()
    try:
        for _ in range(TIMES):
            sender.begin()
            sender.offer(bench.out, b"a", b"")
            proxy.lose_answer(Kind.END_TXN)
            await sender._in_time(sender._again, sender._client, sender._client.commit_transaction)
            assert sender.in_doubt
    finally:
        await sender.close()


async def test_a_quiet_network_renews_nothing(bench: Bench) -> None:
    """A new epoch costs two round trips: nobody pays for it who has no reason."""
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        for number in range(1, 21):
            await bench.send((b"a", b""))
            await bench.until_committed(number)
        assert app.consumer.flight.committed_count >= 20
        assert app.consumer.flight.renewed_count == 0
