"""Requests that come late: no request of one transaction ends another, or adds to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import KafkaHandle
from tests.engine.proxy import Act, Kind, Proxy
from tests.processors.engine.harness import Bench, counting, until

pytestmark = pytest.mark.kafka

LATE_SECONDS = 0.02
TIMES = 5


@pytest.fixture
async def proxy(kafka: KafkaHandle) -> AsyncIterator[Proxy]:
    async with Proxy(kafka.bootstrap) as made:
        yield made


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


@contextlib.asynccontextmanager
async def busy(bench: Bench) -> AsyncIterator[list[int]]:
    """One record after the other in the source; how many there were."""
    sent, stopped = [0], False

    async def send() -> None:
        while not stopped:
            await bench.send((b"a", b""))
            sent[0] += 1

    sending = asyncio.create_task(send())
    try:
        yield sent
    finally:
        stopped = True
        await sending


@pytest.mark.parametrize("kind", [Kind.END_TXN, Kind.TXN_OFFSET_COMMIT])
async def test_a_request_that_comes_late_leaves_the_next_transaction_alone(
    bench: Bench, proxy: Proxy, kind: Kind
) -> None:
    """Five commits are told the broker again while the next transaction is open."""
    app, table = bench.app(proxy=proxy.bootstrap)
    async with bench.running(app, counting(table, bench.out)):
        async with busy(bench) as sent:
            await until(lambda: app.consumer.flight.committed_count)
            for _ in range(TIMES):
                passed = proxy.befall(Act.KEEP, kind, LATE_SECONDS)
                async with asyncio.timeout(20):
                    await passed.wait()
        await bench.until_committed(sent[0])
        assert app.consumer.flight.renewed_count >= TIMES
    assert [value for _, value in await bench.records(bench.out)] == [
        b"%d" % number for number in range(1, sent[0] + 1)
    ]
