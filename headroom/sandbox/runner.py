"""Running a simulated venue until it is told to stop: what the command line calls."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from headroom.sandbox.config import HercleConfig, SfoxConfig
from headroom.sandbox.hercle import HercleSandbox
from headroom.sandbox.sfox import SfoxSandbox


class SandboxReport(msgspec.Struct, frozen=True):
    """What a simulated venue did: `frames_sent` is the number of lines of its journal."""

    venue: str
    frames_sent: int
    connections: int
    refused: int


async def run_sfox(
    config: SfoxConfig, *, stop: asyncio.Event, announce: Callable[[str], None]
) -> SandboxReport:
    """Run a simulated sFOX until `stop` is set; `announce` gets its URL once it listens.

    Raises OSError where the port is taken or the journal cannot be written.
    """
    async with SfoxSandbox(config) as sandbox:
        await _run(sandbox, stop, announce)
    return SandboxReport("sfox", sandbox.frames_sent, sandbox.connections, sandbox.refused)


async def run_hercle(
    config: HercleConfig, *, stop: asyncio.Event, announce: Callable[[str], None]
) -> SandboxReport:
    """Run a simulated Hercle until `stop` is set; `announce` gets its URL once it listens.

    Raises OSError where the port is taken or the journal cannot be written.
    """
    async with HercleSandbox(config) as sandbox:
        await _run(sandbox, stop, announce)
    return SandboxReport("hercle", sandbox.frames_sent, sandbox.connections, sandbox.refused)


class _Sandbox(Protocol):
    url: str
    producing: asyncio.Task[None] | None


async def _run(sandbox: _Sandbox, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
    announce(sandbox.url)
    stopped = asyncio.create_task(stop.wait())
    waited: set[asyncio.Task[object]] = {stopped}
    if sandbox.producing is not None:
        waited.add(sandbox.producing)
    try:
        # Silence by configuration ends the producing task, and is no reason to stop.
        while not stop.is_set():
            done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        stopped.cancel()
