"""What befalls one of two producers of a lease: suspended, cut off from Kafka, killed.

Each is behind relays of its own, so that what reached its socket is known of both. What a killed
one had not written down is gone with it; all else has to be in raw once it was back for a turn.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator

from tests.engine.proxy import Proxy
from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.world import Producer, World, until

_RATE = 200
_LEASE = "both"


def lease(draw: Draw) -> list[Row]:
    """Each fault befalls the one that works; the other one takes over, and is the next."""
    return asyncio.run(_lease(draw))


class _Two:
    """One that works, and one that waits."""

    def __init__(self, world: World, scale: float) -> None:
        self.world, self._scale = world, scale
        self._proxies: dict[Producer, Proxy] = {}
        self.one: Producer
        self.other: Producer

    async def begin(self, proxies: list[Proxy]) -> None:
        names = iter(("one", "other"))
        made = []
        for proxy in proxies:
            made.append(await self.world.produce(next(names), KAFKA_BOOTSTRAP=proxy.bootstrap))
            self._proxies[made[-1]] = proxy
            if len(made) == 1:
                await made[0].works()
        self.one, self.other = made
        await until(lambda: self.other.says(": waiting\n"))

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        with self._proxies[self.one].holding(*range(100)):
            yield

    async def some(self, seconds: float) -> None:
        """Some frames, for a drawn time."""
        await self.world.more(20)
        await asyncio.sleep(self.world.random.uniform(0, seconds) * self._scale)

    async def taken_over(self, since: float, before: int) -> None:
        """Wait until the other one works again and its frames, and those it had kept, come."""
        await self.other.works(before + 1)
        noticed = time.monotonic() - since
        await self.world.more(20)
        self.world.tell(noticed, time.monotonic() - since)
        await self.some(5)

    @property
    def turns(self) -> int:
        """How often the other one has worked."""
        return self.other.says(": connected, epoch")

    async def swapped(self, waits: int) -> None:
        """Wait until this one waits, as the other one did; they change their places."""
        await until(lambda: self.one.says("waiting for the lease") > waits)
        self.one, self.other = self.other, self.one


async def _lease(draw: Draw) -> list[Row]:
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(World(draw, rate=_RATE, PRODUCER_LEASE=_LEASE))
        proxies = [await stack.enter_async_context(Proxy(world.bootstrap)) for _ in range(2)]
        two = _Two(world, draw.scale)
        await two.begin(proxies)
        faults = [_suspended, _cut_off]
        world.random.shuffle(faults)
        for fault in (*faults, _killed):
            await two.some(3)
            await fault(two)
        # The one that was killed has its turn: what it had kept comes.
        before = two.turns
        await two.one.stop(world.wrong)
        await two.other.works(before + 1)
        await world.more(20)
        await world.stop()
        return await world.rows()


async def _suspended(two: _Two) -> None:
    """SIGSTOP, for longer than the lease lasts, and SIGCONT: what lay in its socket comes later."""
    two.world.begin("lease, suspended")
    waits, turns, since = two.one.says("waiting for the lease"), two.turns, time.monotonic()
    two.one.process.signal(signal.SIGSTOP)
    await two.taken_over(since, turns)
    two.one.process.signal(signal.SIGCONT)
    await two.swapped(waits)


async def _cut_off(two: _Two) -> None:
    """It reaches the venue, and not Kafka: it spools until it learns that another one works."""
    two.world.begin("lease, cut off")
    waits, turns, since = two.one.says("waiting for the lease"), two.turns, time.monotonic()
    with two.cut_off():
        await two.taken_over(since, turns)
    await two.swapped(waits)


async def _killed(two: _Two) -> None:
    """Kill -9 with frames in its spool; it is started again, and waits."""
    world, one = two.world, two.one
    world.begin("lease, killed")
    turns = two.turns
    with two.cut_off():
        at = world.venue.frames
        await until(lambda: world.venue.frames > at + 2 * _RATE)
        since = time.monotonic()
        one.process.kill()
    world.kept = set(one.spooled().values())
    if len(world.kept) < _RATE // 2:
        world.wrong.append(f"only {len(world.kept)} frames lay in the spool of the killed one")
    one.relay.was_killed()
    await two.taken_over(since, turns)
    one.start()
    await two.swapped(0)
