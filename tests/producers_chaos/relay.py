"""A TCP relay that knows no protocol: it holds bytes back, refuses, and counts what has arrived.

Towards the client it keeps every byte that it handed to the kernel, and how many of them the
client's kernel has acknowledged: what was acknowledged has reached the client's socket, whatever
becomes of the connection then.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from typing import Final, Self

_CHUNK: Final = 256 * 1024
_LINGER_RESET: Final = struct.pack("ii", 1, 0)
_LOOK_SECONDS: Final = 0.005
_DELIVER_SECONDS: Final = 2.0
_HOST: Final = "127.0.0.1"


class Passed:
    """What went to the client on one connection."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._sock: socket.socket | None = None
        self._acknowledged = 0

    @property
    def arrived(self) -> bytes:
        """What the client's kernel has taken."""
        return bytes(self._bytes[: self._count()])

    def begin(self, sock: socket.socket) -> None:
        self._sock = sock

    def handed(self, data: memoryview) -> None:
        self._bytes += data

    def end(self) -> None:
        """Before the socket is closed."""
        self._acknowledged, self._sock = self._count(), None

    def _count(self) -> int:
        if self._sock is None:
            return self._acknowledged
        return len(self._bytes) - unacknowledged(self._sock)


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the peer's kernel has not acknowledged."""
    return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)


class Relay:
    """A relay to a port of this machine, for `async with`; `connections` keeps the oldest first."""

    def __init__(self, port: int, *, keeps: bool = True) -> None:
        self.target = port
        self._keeps = keeps
        self._door: socket.socket
        self._accepting: asyncio.Task[None] | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0
        self.connections: list[Passed] = []
        self.killed: list[Passed] = []

    async def __aenter__(self) -> Self:
        self._bind()
        self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        doing = [*self._doing, *([self._accepting] if self._accepting else [])]
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
        self._door.close()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is connected."""
        return not self._doing

    def was_killed(self) -> None:
        """Whoever was connected until now is no more."""
        self.killed += self.connections
        self.connections = []

    # -- faults

    def hold(self) -> None:
        """Let nothing pass, either way; connections stay, and new ones are taken."""
        self._open.clear()

    def release(self) -> None:
        """Let all pass again, from where it stood."""
        self._open.set()

    def shut(self) -> None:
        """Refuse who comes, and keep the port."""
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None
            self._door.close()
            self._bind()

    def listen(self) -> None:
        """Take who comes."""
        if self._accepting is None:
            self._door.listen(64)
            self._accepting = asyncio.create_task(self._accept())

    def _bind(self) -> None:
        self._door = socket.socket()
        self._door.setblocking(False)
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._door.bind((_HOST, self.port))
        self.port = self._door.getsockname()[1]

    # -- connections

    async def _accept(self) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self._door)
            task = asyncio.create_task(self._relay(client))
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)

    async def _relay(self, client: socket.socket) -> None:
        client.setblocking(False)
        target = socket.socket()
        target.setblocking(False)
        passed = Passed()
        passed.begin(client)
        if self._keeps:
            self.connections.append(passed)
        ways: list[asyncio.Task[None]] = []
        try:
            for sock in (client, target):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(target, (_HOST, self.target))
            ways = [
                asyncio.create_task(self._pass(client, target, None)),
                asyncio.create_task(self._pass(target, client, passed if self._keeps else None)),
            ]
            # Each way ends by itself; one that was broken breaks the other one.
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
            for way in ways:
                if way.done():
                    way.result()
        except OSError:
            await _delivered(client)
            for sock in (client, target):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            passed.end()
            client.close()
            target.close()

    async def _pass(
        self, source: socket.socket, target: socket.socket, passed: Passed | None
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, _CHUNK):
            await self._open.wait()
            view = memoryview(data)
            while view:
                try:
                    count = target.send(view)
                except BlockingIOError:
                    await _writable(target)
                    continue
                if passed is not None:
                    passed.handed(view[:count])
                view = view[count:]
        await self._open.wait()
        target.shutdown(socket.SHUT_WR)


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(sock, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(sock)


async def _delivered(sock: socket.socket) -> None:
    """Wait until what was sent has arrived: what broke behind it must not take it along."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_DELIVER_SECONDS):
            while unacknowledged(sock):
                await asyncio.sleep(_LOOK_SECONDS)


def messages(arrived: bytes) -> list[bytes]:
    """The whole WebSocket messages of a server that are in there; none of a plain HTTP answer.

    Source: RFC 6455, section 5.2.
    """
    head, _, data = arrived.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        return []
    found: list[bytes] = []
    parts: list[bytes] = []
    at = 0
    while len(data) - at >= 2:
        kind, length, first = data[at], data[at + 1] & 0x7F, at + 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length, first = int.from_bytes(data[first : first + wide]), first + wide
        at = first + length
        if at > len(data):
            break
        if kind & 0x0F in (0, 1, 2):
            parts.append(data[first:at])
            if kind & 0x80:
                found.append(b"".join(parts))
                parts = []
    return found
