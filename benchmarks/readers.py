"""Readers of a worker's events, many in one process: one notes what it is told, the others drain.

Those that drain look at nothing: on the same two cores they must cost no more than a client in C.
All of them take gzip, as browsers do.

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
from yarl import URL

_PATH: Final = "/v1/events?kind=balances"
_LINE_BYTES_MAX: Final = 1024 * 1024
_CURRENT: Final = b"event: current"


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
        # All drop what they read into the same place.
        buffer = bytearray(_LINE_BYTES_MAX)
        reading += [asyncio.create_task(_drain(url, current, buffer)) for _ in range(count - 1)]
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


class _Drain(asyncio.BufferedProtocol):
    """Reads and drops, once it has seen that it is at the newest."""

    def __init__(self, current: asyncio.Semaphore, buffer: bytearray) -> None:
        self._buffer = buffer
        self._current: asyncio.Semaphore | None = current
        self._seen = b""
        self.lost = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._current is not None:
            self._seen = self._seen[-len(_CURRENT) :] + self._buffer[:nbytes]
            if _CURRENT in self._seen:
                self._current.release()
                self._current, self._seen = None, b""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


async def _drain(url: str, current: asyncio.Semaphore, buffer: bytearray) -> None:
    where = URL(url)
    loop = asyncio.get_running_loop()
    transport, drain = await loop.create_connection(
        lambda: _Drain(current, buffer), where.host or "", where.port or 0
    )
    try:
        asked = f"GET {_PATH} HTTP/1.1\r\nHost: {where.authority}\r\nAccept-Encoding: gzip\r\n\r\n"
        transport.write(asked.encode())
        await drain.lost
    finally:
        transport.abort()


if __name__ == "__main__":
    found = asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    # All of it or nothing is there: somebody waits for it.
    written = Path(sys.argv[4])
    part = written.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(found))
    part.replace(written)
