"""What befalls the line to a venue: all cases of `line_faults` in one world, in a drawn order.

Beside a certificate's change, which needs TLS and a world of its own: there nobody but the venue
can tell what was sent.
"""

import asyncio
import time
from typing import Any

from tests.producers.certificates import Authority
from tests.producers.line_faults import CASES, Case, befall
from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.world import Producer, World, until

# A connection that held so long was a good one: the next loss begins with a short pause.
_HELD_SECONDS = 6.0
_DISTRUST_SECONDS = 5.0
# They lead past the relay, to where the venue itself says that it is.
_ELSEWHERE = frozenset({"redirect", "redirect-loop"})


def line_sfox(draw: Draw) -> list[Row]:
    """Every fault of a line befalls the one to sFOX."""
    return asyncio.run(_line(draw, "sfox", 100))


def line_hercle(draw: Draw) -> list[Row]:
    """The same with Hercle, whose producer asks again and again."""
    return asyncio.run(_line(draw, "hercle", 50))


async def _line(draw: Draw, venue: str, rate: int) -> list[Row]:
    settings = {"HERCLE_POLL_SECONDS": "0.05"}
    async with World(draw, venue=venue, rate=rate, hasty=draw.is_short, **settings) as world:
        one = await world.produce()
        cases = [case for case in CASES if venue in case.venues and case.name not in _ELSEWHERE]
        world.random.shuffle(cases)
        lossy = {f"{venue} {case.label}" for case in cases if case.lost}
        for case in cases:
            await one.works()
            world.begin(f"{venue} {case.label}")
            await world.more()
            await _befall(world, one, case, draw.scale)
        await world.more()
        await world.stop()
        rows = await world.rows()
    for row in rows:
        if row.sent != row.received and row.fault not in lossy:
            row.wrong.append(f"{row.sent - row.received} frames reached no socket")
    return rows


class _Ordering:
    """The venue and the relay before it: who refuses is both."""

    def __init__(self, world: World, one: Producer) -> None:
        self._venue, self._relay = world.venue, one.relay

    def order(self, name: str, **numbers: Any) -> None:
        if name == "refuse":
            self._relay.shut()
        self._venue.order(name, **numbers)

    def clear(self, name: str) -> bool:
        self._relay.listen()
        return self._venue.clear(name)


async def _befall(world: World, one: Producer, case: Case, scale: float) -> None:
    """Have a case befall the producer, and wait until all is as before."""
    before = await world.written() - world.venue.frames
    losses = one.losses
    try:
        befallen = await befall(
            case,
            _Ordering(world, one),
            reconnects=lambda: one.losses,
            is_connected=lambda: one.is_connected,
            clock=time.monotonic,
            scale=scale,
        )
    except TimeoutError:
        world.wrong.append(f"{case.label}: not noticed, or not recovered from in time")
        return
    ended = time.monotonic()
    recovered = befallen.recovered_seconds
    if not case.reconnects:
        if one.losses > losses and scale >= 1:
            # A deadline that is short is missed by a busy machine, too.
            world.wrong.append(f"{case.label}: the connection was lost")
        wanted = before + world.venue.frames

        async def all_there() -> bool:
            return await world.written() >= wanted

        await until(all_there)
        recovered = time.monotonic() - ended
    world.tell(befallen.noticed_seconds, recovered)
    await world.more()
    if scale >= 1:
        await asyncio.sleep(_HELD_SECONDS)


def certificates(draw: Draw) -> list[Row]:
    """A venue shows a certificate that is not to be trusted, and a good one again."""
    return asyncio.run(_certificates(draw))


async def _distrust(world: World, one: Producer, scale: float) -> None:
    """The other certificate is shown until it is refused, and for a while; then the own one."""
    refusals, begun = one.says("certificate_refused"), time.monotonic()
    world.venue.order("certificate")
    await until(lambda: one.says("certificate_refused") > refusals)
    noticed = time.monotonic() - begun
    await asyncio.sleep(_DISTRUST_SECONDS * scale)
    assert not one.is_connected
    world.venue.clear("certificate")
    ended = time.monotonic()
    await until(lambda: one.is_connected)
    world.tell(noticed, time.monotonic() - ended)
    await world.more()
    await asyncio.sleep(_HELD_SECONDS if scale >= 1 else 0)


async def _certificates(draw: Draw) -> list[Row]:
    folder = draw.folder
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder)
    own, other = folder / "own.pem", folder / "other.pem"
    authority.serving()
    own.write_bytes(authority.newest.read_bytes())
    other.write_bytes(b"")
    kinds = {
        "expired": lambda: authority.serving(expired=True),
        "other host": lambda: authority.serving("other.example"),
        "self-signed": authority.self_signed,
    }
    async with World(
        draw, hasty=draw.is_short, papers=(own, other), CA_FILE=authority.file
    ) as world:
        one = await world.produce()
        names = list(kinds)
        world.random.shuffle(names)
        for name in names:
            await one.works()
            world.begin(f"certificate {name}")
            await world.more()
            kinds[name]()
            other.write_bytes(authority.newest.read_bytes())
            await _distrust(world, one, draw.scale)
        await world.stop()
        return await world.rows()
