"""Waiting until the live workers are out of the way, and all that they did has an outcome."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.operate.generations import app_name, kept_of, names_of

ALONE_SECONDS_MAX: Final = 60.0
_LOOK_SECONDS: Final = 0.2


class NotAlone(OperatorError):
    """Live workers that did not stop, or whose transactions have no outcome."""


class Stopped(OperatorError):
    """A person stopped it before it was done."""


async def alone(
    clients: Clients,
    live: str,
    stop: asyncio.Event,
    *,
    partitions: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Wait until the live generation's group has no member, and nothing is left open.

    What is left open may still come to count. Raises `NotAlone`, `Stopped`.
    """
    deadline = clock() + ALONE_SECONDS_MAX
    topics = kept_of(live, names_of(live, live=True))
    while True:
        members = (await asyncio.to_thread(clients.group, app_name(live))).members
        if not members and await asyncio.to_thread(clients.is_settled, topics, partitions):
            return
        if stop.is_set():
            raise Stopped("stopped: nothing was changed")
        if clock() > deadline:
            who = ", ".join(sorted(members)) or "what they did last has no outcome yet"
            raise NotAlone(f"live workers did not stop in time: {who}")
        await sleep(_LOOK_SECONDS)
