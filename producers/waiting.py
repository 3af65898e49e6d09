"""Waiting that ends at once when the producer is to stop."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from producers.line import World
from producers.pace import RateBound

T = TypeVar("T")
_OVERDUE_SECONDS: Final = 5.0


async def pause(world: World, seconds: float, *, unless: asyncio.Event | None = None) -> None:
    """Wait for so long; cut short by `stop`, and by `unless`."""
    waiting = _finish(world.sleep(seconds))
    if unless is not None:
        waiting = unless_stopped(unless, waiting)
    await unless_stopped(world.stop, waiting)


async def in_turn(world: World, bound: RateBound) -> None:
    """Wait until the venue's limit lets us, and use it; cut short by `stop`."""
    while not world.stop.is_set():
        wait_seconds = bound.wait_seconds(world.monotonic())
        if wait_seconds <= 0:
            bound.note(world.monotonic())
            if world.bounds is not None:
                world.bounds.used(bound)
            return
        await pause(world, wait_seconds)


class Overdue:
    """How long what is there to be read comes before a deadline that has passed.

    Who was late himself may have the answer in his socket; but a venue that never stops talking
    must not keep a deadline off for ever.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def is_up(self, wait_seconds: float, now: float) -> bool:
        """Whether the deadline, which is `wait_seconds` away, comes first."""
        if wait_seconds > 0:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since > _OVERDUE_SECONDS


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None where `stop` is set before: then it is cancelled."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopping.cancel()
        if working.cancel():
            await asyncio.gather(working, return_exceptions=True)


async def _finish(work: Awaitable[object]) -> None:
    await work
