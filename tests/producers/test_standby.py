"""One producer works, one waits: what becomes of a killed, a suspended and a cut off one."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine.proxy import Proxy
from tests.producers.standby import Two, two, until

pytestmark = pytest.mark.slow


async def frames_come(world: Two, count: int) -> None:
    before = len(await world.raw())

    async def more() -> bool:
        return len(await world.raw()) >= before + count

    await until(more, *world.processes.values())


async def test_a_killed_one_is_followed_by_the_one_that_waits(kafka: Any, tmp_path: Path) -> None:
    async with two(kafka.bootstrap, tmp_path) as world:
        one = await world.begin("one")
        await world.works(one)
        other = await world.begin("other")
        await frames_come(world, 30)
        assert not other.says("connected")
        killed_at = time.monotonic()
        one.tell(signal.SIGKILL)
        await world.works(other)
        print(f"took over {time.monotonic() - killed_at:.1f} s after a kill")
        await frames_come(world, 30)
        found = await world.raw()
        assert all(len(set(values)) == 1 for values in found.values())
        assert len({epoch for epoch, _ in found}) == 2


async def test_a_suspended_one_is_fenced_when_it_wakes_up_and_waits(
    kafka: Any, tmp_path: Path
) -> None:
    async with two(kafka.bootstrap, tmp_path, rate="200") as world:
        one = await world.begin("one")
        await world.works(one)
        other = await world.begin("other")
        await frames_come(world, 30)
        one.tell(signal.SIGSTOP)
        stopped_at = time.monotonic()
        await world.works(other)
        print(f"took over {time.monotonic() - stopped_at:.1f} s after a pause")
        await frames_come(world, 30)
        first = min(epoch for epoch, _ in await world.raw())
        before = {at for at in await world.raw() if at[0] == first}
        one.tell(signal.SIGCONT)
        await until(lambda: one.says("another producer works"), one)
        await until(lambda: one.says("waiting for the lease") == 2, one)
        assert one.runs()
        await frames_come(world, 30)
        # What it had in hand is not there, nor is anything of a later epoch of its own.
        assert {at for at in await world.raw() if at[0] == first} == before
        assert one.says("connected, epoch") == 1
        assert other.says("connected, epoch") == 1
        # It comes later, under its own epoch and receipts.
        other.tell(signal.SIGKILL)
        await world.works(one, 2)
        await frames_come(world, 30)
        found = await world.raw()
        assert all(len(set(values)) == 1 for values in found.values())
        receipts = sorted(receipt for epoch, receipt in found if epoch == first)
        assert receipts == list(range(1, len(receipts) + 1))


async def test_a_stopped_one_hands_over_at_once(kafka: Any, tmp_path: Path) -> None:
    async with two(kafka.bootstrap, tmp_path) as world:
        one = await world.begin("one")
        await world.works(one)
        other = await world.begin("other")
        await frames_come(world, 10)
        stopped_at = time.monotonic()
        one.tell(signal.SIGTERM)
        await world.works(other)
        print(f"took over {time.monotonic() - stopped_at:.1f} s after a stop")
        await asyncio.to_thread(one.end)
        assert not list((tmp_path / "one").rglob("*damaged*"))


async def test_one_that_is_cut_off_from_kafka_is_followed_and_keeps_its_frames(
    kafka: Any, tmp_path: Path
) -> None:
    async with Proxy(kafka.bootstrap) as proxy, two(kafka.bootstrap, tmp_path) as world:
        one = await world.begin("one", proxy.bootstrap)
        await world.works(one)
        other = await world.begin("other")
        await frames_come(world, 30)
        with proxy.holding(*range(100)):
            cut_at = time.monotonic()
            await world.works(other)
            print(f"took over {time.monotonic() - cut_at:.1f} s after a cut")
            await frames_come(world, 60)
        await until(lambda: one.says("another producer works"), one)
        assert one.runs()
        first = min(epoch for epoch, _ in await world.raw())
        before = {at for at in await world.raw() if at[0] == first}
        await frames_come(world, 30)
        assert {at for at in await world.raw() if at[0] == first} == before
        # What came while it was cut off lies in its spool, and is sent at its next turn.
        other.tell(signal.SIGKILL)
        await world.works(one, 2)
        await frames_come(world, 30)
        found = await world.raw()
        receipts = sorted(receipt for epoch, receipt in found if epoch == first)
        assert len(receipts) > len(before)
        assert receipts == list(range(1, len(receipts) + 1))
        assert all(len(set(values)) == 1 for values in found.values())


async def test_what_a_former_one_tells_counts_for_nothing(kafka: Any, tmp_path: Path) -> None:
    async with two(kafka.bootstrap, tmp_path) as world:
        one = await world.begin("one")
        await world.works(one)
        other = await world.begin("other")
        one.tell(signal.SIGSTOP)
        await world.works(other)
        one.tell(signal.SIGCONT)
        await until(lambda: one.says("waiting for the lease") == 2, one)
        statuses = await world.statuses()
        first, second = sorted({status.lease for status in statuses})
        begun = next(at for at, one in enumerate(statuses) if one.lease == second)
        assert 0 < first < second
        assert not [
            status
            for status in statuses[begun:]
            if status.lease == first and status.state == "connected" and status.doubt is None
        ]


async def test_where_kafka_is_away_for_both_nothing_is_missing_after(
    kafka: Any, tmp_path: Path
) -> None:
    """The one that works has the next turn, too, if it is back soon enough."""
    async with Proxy(kafka.bootstrap) as proxy, two(kafka.bootstrap, tmp_path) as world:
        one = await world.begin("one", proxy.bootstrap)
        await world.works(one)
        other = await world.begin("other", proxy.bootstrap)
        await frames_come(world, 30)
        with proxy.holding(*range(100)):
            await until(lambda: one.says(": doubtful"), one)
            sent = world.sandbox.frames_sent
            await until(lambda: world.sandbox.frames_sent > sent + 100)
            await proxy.cut()
        before = len(await world.raw())

        async def all_came() -> bool:
            found = await world.raw()
            return len(found) > max(before, sent + 100)

        await until(all_came, one, other)
        found = await world.raw()
        epochs = sorted({epoch for epoch, _ in found})
        assert len(epochs) == one.says(": connected, epoch") + other.says(": connected, epoch")
        for epoch in epochs:
            receipts = sorted(receipt for of, receipt in found if of == epoch)
            assert receipts == list(range(1, len(receipts) + 1))
