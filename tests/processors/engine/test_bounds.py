"""Reading up to an offset and no further, and leaving a group for good; on a real Kafka."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from processors.engine.batch import Batch
from tests.conftest import KafkaHandle
from tests.processors.engine.harness import Bench, counting, until


@pytest.fixture
async def bench(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka.bootstrap, unique, tmp_path).topics() as made:
        yield made


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
async def test_a_source_is_read_up_to_an_offset_and_no_further(
    bench: Bench, guarantee: str
) -> None:
    """What lies behind stays unread, also what comes later; the commit stands just there."""
    await bench.send(*[(b"a", b"")] * 100)
    await bench.send(*[(b"b", b"")] * 100, partition=1)
    app, table = bench.app(read_until={(bench.source, 0): 40}, guarantee=guarantee)
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(140)
        await bench.send(*[(b"a", b"")] * 10)
        await bench.send(*[(b"b", b"")] * 10, partition=1)
        await bench.until_committed(150)
        assert table.committed(0, b"a") == b"40"
        assert table.committed(1, b"b") == b"110"
        assert set(app.consumer.lag().values()) == {0}
    assert await bench.committed() == 150
    # Started again it reads nothing of that partition; with another bound it goes on.
    for until_offset, total in ((40, 150), (70, 180), (1_000, 220)):
        app, table = bench.app(read_until={(bench.source, 0): until_offset}, guarantee=guarantee)
        async with bench.running(app, counting(table, bench.out)):
            await bench.until_committed(total)
            await until(lambda app=app: not any(app.consumer.lag().values()))
        assert await bench.committed() == total


async def test_a_source_waits_for_the_others(bench: Bench) -> None:
    """Until they were at their ends; then it is read like any other, to the end."""
    late = f"{bench.name}.late"
    await bench.create(late)
    for _ in range(20):
        await bench.write(late, b"z", b"")
    await bench.send(*[(b"a", b"")] * 3_000)
    app, _ = bench.app(read_last=frozenset([late]), records_at_once=100)
    seen: list[str] = []

    async def note(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            seen.extend([batch.topic] * len(batch))

    app.agent(app.topic(late), name="late")(note)
    async with bench.running(app, note):
        await until(lambda: seen.count(late) == 20)
        assert seen == [bench.source] * 3_000 + [late] * 20
        await bench.send((b"a", b""))
        await bench.write(late, b"z", b"")
        await until(lambda: len(seen) == 3_022)


async def members(bench: Bench) -> int:
    admin = AIOKafkaAdminClient(**bench.kafka)
    await admin.start()
    try:
        (response,) = await admin.describe_consumer_groups([bench.name])
        return len(response.groups[0][5])
    finally:
        await admin.close()


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_named_member_leaves_for_good_only_if_it_is_told_to(
    bench: Bench, *, leaves: bool
) -> None:
    """Else it stays in the group for as long as its session, so that it can come back."""
    await bench.send((b"a", b""))
    app, table = bench.app(instance="named")
    async with bench.running(app, counting(table, bench.out)):
        await bench.until_committed(1)
        assert await members(bench) == 1
        app.leaves = leaves
    assert await members(bench) == (0 if leaves else 1)
