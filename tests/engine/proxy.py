"""A TCP proxy between Kafka's clients and a broker that knows where a request begins.

Clients that start at `Proxy.bootstrap` stay behind the proxy: in every answer but a fetch the
broker's own address is replaced by the proxy's, which has as many bytes. Whoever starts at the
broker's address is not touched by any fault.

Source: Kafka's protocol guide, "Protocol Primitive Types" and "Common Request and Response
Structure": a length of four bytes, in a request then two bytes that name its kind; answers come
in the order of the requests.
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Iterator
from enum import IntEnum
from typing import Self


class Kind(IntEnum):
    """Kinds of requests (`api_key`)."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    HEARTBEAT = 12
    END_TXN = 26


class Proxy:
    """A proxy on a port of its own, for `async with`; faults apply to all its connections."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._host, self._port = host, int(port)
        self._server: asyncio.Server | None = None
        self._own_port = 0
        self._gates: dict[int, asyncio.Event] = {}
        self._delays: dict[int, float] = {}
        self._cuts: defaultdict[int, int] = defaultdict(int)
        self._connections: set[asyncio.Task[None]] = set()
        self.held = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._own_port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    @property
    def bootstrap(self) -> str:
        """Where clients begin."""
        return f"{self._host}:{self._own_port}"

    # -- faults

    @contextlib.contextmanager
    def holding(self, *kinds: Kind) -> Iterator[None]:
        """Requests of these kinds, and what comes behind them, wait until this ends."""
        gate = asyncio.Event()
        self._gates.update(dict.fromkeys(kinds, gate))
        try:
            yield
        finally:
            for kind in kinds:
                del self._gates[kind]
            gate.set()

    @contextlib.contextmanager
    def slow(self, kind: Kind, seconds: float) -> Iterator[None]:
        """Every request of this kind takes so long."""
        self._delays[kind] = seconds
        try:
            yield
        finally:
            del self._delays[kind]

    def lose_answer(self, kind: Kind) -> None:
        """The broker does the next request of this kind; the connection ends before it says so."""
        self._cuts[kind] += 1

    async def cut(self) -> None:
        """End all connections; what is held back never reaches the broker."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    # -- one connection

    async def _connected(self, client: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [reply]
        try:
            broker, request = await asyncio.open_connection(self._host, self._port)
            writers.append(request)
            asked: deque[int] = deque()
            ways = [
                asyncio.ensure_future(self._requests(client, request, asked)),
                asyncio.ensure_future(self._answers(broker, reply, asked)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the broker is away, or the proxy cuts: for the client it is the same
        finally:
            self._connections.discard(task)
            for writer in writers:
                writer.transport.abort()

    async def _requests(
        self, client: asyncio.StreamReader, request: asyncio.StreamWriter, asked: deque[int]
    ) -> None:
        while frame := await _frame(client):
            kind = int.from_bytes(frame[:2])
            if kind in self._delays:
                await asyncio.sleep(self._delays[kind])
            while kind in self._gates:
                self.held += 1
                await self._gates[kind].wait()
            asked.append(kind)
            request.write(len(frame).to_bytes(4) + frame)
            await request.drain()

    async def _answers(
        self, broker: asyncio.StreamReader, reply: asyncio.StreamWriter, asked: deque[int]
    ) -> None:
        own, proxied = (
            self._host.encode() + port.to_bytes(4) for port in (self._port, self._own_port)
        )
        while frame := await _frame(broker):
            kind = asked.popleft()
            if self._cuts[kind]:
                self._cuts[kind] -= 1
                return
            if kind != Kind.FETCH:
                frame = frame.replace(own, proxied)
            reply.write(len(frame).to_bytes(4) + frame)
            await reply.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next request or answer without its length; empty at the end."""
    try:
        return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
