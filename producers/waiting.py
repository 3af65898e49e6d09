"""Waiting that ends at once when the producer is to stop."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from producers.line import World
from producers.pace import RateBound

T = TypeVar("T")


async def pause(world: World, seconds: float) -> None:
    """Wait for so long; cut short by `stop`."""
    await unless_stopped(world.stop, _finish(world.sleep(seconds)))


async def in_turn(world: World, bound: RateBound) -> None:
    """Wait until the venue's limit lets us, and use it; cut short by `stop`."""
    while not world.stop.is_set():
        wait_seconds = bound.wait_seconds(world.monotonic())
        if wait_seconds <= 0:
            bound.note(world.monotonic())
            return
        await pause(world, wait_seconds)


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
