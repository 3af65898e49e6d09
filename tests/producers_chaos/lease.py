"""What befalls one of two producers of a lease: killed, suspended, cut off from Kafka.

Each is behind relays of its own, so that what reached its socket is known of both. What a killed one
had not written down is gone with it; all else has to be in raw once it was back for a turn.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.engine.proxy import Proxy
from tests.producers_chaos.counting import Row
from tests.producers_chaos.world import Producer, World, until

_RATE = 200
_LEASE = "both"


def lease_killed(folder: Path, seed: int, scale: float = 1.0) -> Row:
    """Kill -9 of the one that works, with frames in its spool; it comes back for a turn later."""
    return asyncio.run(_killed(folder, seed, scale))


def lease_suspended(folder: Path, seed: int, scale: float = 1.0) -> Row:
    """SIGSTOP, for longer than the lease lasts, and SIGCONT: what lay in its socket comes later."""
    return asyncio.run(_suspended(folder, seed, scale))


def lease_cut_off(folder: Path, seed: int, scale: float = 1.0) -> Row:
    """It reaches the venue, and not Kafka: it spools until it learns that another one works."""
    return asyncio.run(_cut_off(folder, seed, scale))


class _Two:
    """One that works, and one that waits."""

    def __init__(self, world: World, one: Producer, other: Producer, proxy: Proxy) -> None:
        self.world, self.one, self.other, self.proxy = world, one, other, proxy

    async def taken_over(self, since: float, scale: float) -> float:
        """Wait until the other one works; how long that took."""
        await self.other.works()
        seconds = time.monotonic() - since
        await self.world.more(20)
        await asyncio.sleep(self.world.random.uniform(0, 10) * scale)
        return seconds

    async def given_back(self) -> float:
        """Stop the other one, and have this one send what it kept; how long that took."""
        begun, before = time.monotonic(), self.one.says(": connected, epoch")
        await self.other.stop(self.world.wrong)
        await self.one.works(before + 1)
        await self.world.more(20)
        return time.monotonic() - begun


@contextlib.asynccontextmanager
async def _two(folder: Path, seed: int, scale: float) -> AsyncIterator[_Two]:
    async with World(folder, seed, rate=_RATE, PRODUCER_LEASE=_LEASE) as world:
        async with Proxy(world.node.bootstrap) as proxy:
            one = await world.produce("one", KAFKA_BOOTSTRAP=proxy.bootstrap)
            await one.works()
            other = await world.produce("other")
            await until(lambda: other.says(": waiting\n"))
            await world.more(20)
            await asyncio.sleep(world.random.uniform(0, 3) * scale)
            try:
                yield _Two(world, one, other, proxy)
            finally:
                await proxy.cut()


async def _killed(folder: Path, seed: int, scale: float) -> Row:
    async with _two(folder, seed, scale) as two:
        world, one = two.world, two.one
        world.begin("lease, killed")
        with two.proxy.holding(*range(100)):
            at = world.venue.frames
            await until(lambda: world.venue.frames > at + _RATE * (1 + 4 * scale))
            killed_at = time.monotonic()
            one.process.kill()
        world.kept = set(one.spooled().values())
        if len(world.kept) < _RATE // 2:
            world.wrong.append(f"only {len(world.kept)} frames lay in the spool of the killed one")
        one.relay.was_killed()
        noticed = await two.taken_over(killed_at, scale)
        one.start()
        await until(lambda: one.says(": waiting\n"))
        world.tell(noticed, await two.given_back())
        await world.stop()
        return (await world.rows())[0]


async def _suspended(folder: Path, seed: int, scale: float) -> Row:
    async with _two(folder, seed, scale) as two:
        world, one = two.world, two.one
        world.begin("lease, suspended")
        suspended_at = time.monotonic()
        one.process.signal(signal.SIGSTOP)
        noticed = await two.taken_over(suspended_at, scale)
        one.process.signal(signal.SIGCONT)
        await until(lambda: one.says("waiting for the lease") == 2)
        world.tell(noticed, await two.given_back())
        await world.stop()
        return (await world.rows())[0]


async def _cut_off(folder: Path, seed: int, scale: float) -> Row:
    async with _two(folder, seed, scale) as two:
        world, one = two.world, two.one
        world.begin("lease, cut off")
        with two.proxy.holding(*range(100)):
            cut_at = time.monotonic()
            noticed = await two.taken_over(cut_at, scale)
        await until(lambda: one.says("waiting for the lease") == 2)
        world.tell(noticed, await two.given_back())
        await world.stop()
        return (await world.rows())[0]
