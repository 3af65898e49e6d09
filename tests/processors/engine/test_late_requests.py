"""Requests that come late: none of one transaction may end, or change, another one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import KafkaHandle
from tests.engine.proxy import Kind, Proxy
from tests.processors.engine.harness import DEADLINE_SECONDS, Bench, counting

pytestmark = pytest.mark.kafka


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


@pytest.mark.parametrize(
    "kind",
    [Kind.END_TXN, Kind.TXN_OFFSET_COMMIT, Kind.ADD_OFFSETS_TO_TXN, Kind.ADD_PARTITIONS_TO_TXN],
)
async def test_a_request_that_comes_late_counts_nothing_twice(bench: Bench, kind: Kind) -> None:
    """Kept back, its connection cut, and passed on after what was tried again was answered."""
    async with Proxy(bench.kafka["bootstrap_servers"]) as proxy:
        through = Bench(proxy.bootstrap, bench.name, bench.folder)
        app, table = through.app()
        count = 0
        async with through.running(app, counting(table, bench.out)):
            for times in range(1, 6):
                proxy.late(kind, 0.01 + 0.01 * times)
                async with asyncio.timeout(DEADLINE_SECONDS):
                    # Records go on coming, so that the late one finds a transaction to end.
                    while proxy.passed_on < times:
                        await bench.send((b"a", b""))
                        count += 1
                        await asyncio.sleep(0.002)
            await bench.until_committed(count)
            assert app.consumer.flight.renewed_count >= 5
    told = [int(value or b"") for _, value in await bench.records(bench.out)]
    assert told == list(range(1, count + 1))


async def test_a_quiet_network_renews_nothing(bench: Bench) -> None:
    """A new epoch costs two round trips: nobody pays for it who has no reason."""
    app, table = bench.app()
    async with bench.running(app, counting(table, bench.out)):
        for number in range(1, 21):
            await bench.send((b"a", b""))
            await bench.until_committed(number)
        assert app.consumer.flight.committed_count >= 20
        assert app.consumer.flight.renewed_count == 0
