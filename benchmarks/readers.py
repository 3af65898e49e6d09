"""Readers of a worker's events, many in one process: one notes what it is told, the others drain.

`python -m benchmarks.readers URL COUNT SECONDS FILE` says `reading MS` once all of them are at the
newest, and writes [milliseconds since 1970, user, version] of what the one was told to the file.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

_PATH: Final = "/v1/events?kind=balances"
_LINE_BYTES_MAX: Final = 1024 * 1024


class _Told(msgspec.Struct):
    user: str
    version: int


async def main(url: str, count: int, seconds: float) -> list[tuple[float, str, int]]:
    """What one of so many was told, in so many seconds."""
    told: list[tuple[float, str, int]] = []
    current = asyncio.Semaphore(0)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        url, connector=connector, timeout=timeout, read_bufsize=_LINE_BYTES_MAX
    ) as session:
        reading = [asyncio.create_task(_note(session, told, current))]
        reading += [asyncio.create_task(_drain(session, current)) for _ in range(count - 1)]
        for _ in range(count):
            await current.acquire()
        print("reading", int(time.time() * 1_000), flush=True)
        await asyncio.wait(reading, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        broken = [one for one in reading if one.done()]
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    if broken:
        raise RuntimeError(f"{len(broken)} of {count} readers were cut")
    return told


async def _note(
    session: aiohttp.ClientSession,
    told: list[tuple[float, str, int]],
    current: asyncio.Semaphore,
) -> None:
    decode, kind, is_current = msgspec.json.Decoder(_Told).decode, b"", False
    async with session.get(_PATH) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"event:"):
                kind = line[6:].strip()
                if kind == b"current" and not is_current:
                    is_current = True
                    current.release()
            elif (
                kind == b"balances" and line.startswith(b"data:") and b'"deleted"' not in line[:60]
            ):
                found = decode(line[5:])
                told.append((time.time() * 1_000, found.user, found.version))


async def _drain(session: aiohttp.ClientSession, current: asyncio.Semaphore) -> None:
    is_current = False
    async with session.get(_PATH) as response:
        response.raise_for_status()
        async for some in response.content.iter_any():
            if not is_current and b"current" in some:
                is_current = True
                current.release()


if __name__ == "__main__":
    found = asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    # All of it or nothing is there: somebody waits for it.
    written = Path(sys.argv[4])
    part = written.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(found))
    part.replace(written)
