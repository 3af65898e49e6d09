"""Running a simulated venue until it is told to stop: what the command line calls."""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

import msgspec


class SandboxReport(msgspec.Struct, frozen=True):
    """What a simulated venue did: `frames_sent` is how many frames its journal has."""

    venue: str
    frames_sent: int
    connections: int
    refused: int


class Sandbox(Protocol):
    """A simulated venue: an asynchronous context, in which it listens at `url`.

    `producing` makes its frames, and ends with an exception only. `frames_sent` is how many frames
    its journal has, `refused` how often a key was.
    """

    venue: str
    url: str
    producing: asyncio.Task[None] | None
    connections: int

    @property
    def refused(self) -> int: ...  # noqa: D102 - see above
    @property
    def frames_sent(self) -> int: ...  # noqa: D102

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...


async def announced(
    sandbox: Sandbox, *, stop: asyncio.Event, announce: Callable[[str], None]
) -> SandboxReport:
    """Run a simulated venue until `stop` is set; `announce` gets its URL once it listens.

    Raises OSError where the port is taken or the journal cannot be written.
    """
    async with sandbox:
        announce(sandbox.url)
        await _until(stop, sandbox.producing)
    return SandboxReport(sandbox.venue, sandbox.frames_sent, sandbox.connections, sandbox.refused)


async def _until(stop: asyncio.Event, producing: asyncio.Task[None] | None) -> None:
    stopped = asyncio.create_task(stop.wait())
    waited: set[asyncio.Task[object]] = {stopped}
    if producing is not None:
        waited.add(producing)
    try:
        # Silence by configuration ends the producing task, and is no reason to stop.
        while not stop.is_set():
            done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        stopped.cancel()
