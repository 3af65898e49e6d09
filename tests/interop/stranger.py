"""A program that is not ours, started: lines in, and what it says it saw out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30
_LINE_BYTES_MAX = 64 * 1024 * 1024


class Stranger:
    """It prints `["name", value…]` lines; `seen` keeps them all."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: list[list[Any]] = []

    async def tell(self, *words: object) -> None:
        """A line for it: JSON, or a word as it is."""
        line = words[0] if len(words) == 1 else json.dumps(words)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def next(self, *names: str) -> list[Any]:
        """The next line of one of these names; others are kept and passed over."""
        return await self.until(lambda line: line[0] in names)

    async def saw(self, name: str, times: int) -> None:
        """It has seen so many of these in all."""
        while sum(line[0] == name for line in self.seen) < times:
            await self.next(name)

    async def until(self, wanted: Callable[[list[Any]], bool]) -> list[Any]:
        """The next line that is wanted."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while line := await self._process.stdout.readline():
                self.seen.append(json.loads(line))
                if wanted(self.seen[-1]):
                    return self.seen[-1]
        raise AssertionError(f"it ended; it saw {self.seen}")

    async def line(self) -> str:
        """Its next line as it is."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            return (await self._process.stdout.readline()).decode().rstrip()

    async def ended(self) -> None:
        """It ends by itself."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._process.wait()


@asynccontextmanager
async def running(command: list[object], folder: Path, log: Path) -> AsyncIterator[Stranger]:
    """Start it, and end it whatever happens."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LINE_BYTES_MAX,
        )
    try:
        yield Stranger(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
