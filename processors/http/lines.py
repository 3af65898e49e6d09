"""Questions to other workers over connections that stay open: HTTP/1.1, as workers speak it.

aiohttp's client takes longer for a question than the worker that is asked takes to answer it. Here
an answer is a head of single lines, a length, and so many bytes. Of any other answer it is only
said that it is `Odd`: that client then has to ask. Nothing is guessed.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohappyeyeballs import start_connection
from yarl import URL

IDLE_SECONDS_MAX: Final = 15.0
"""A connection that lay idle for longer is not used again: the other end may be about to go."""
_HEAD_BYTES_MAX: Final = 64 * 1024
_DIGITS_MAX: Final = 18
_HEAD: Final = re.compile(
    r"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*+)?((?:\r\n[!#-'*+.^-z|~0-9A-Z-]++:[^\r\n\0]*+)*+)"
)
_KIND: Final = re.compile(r"([a-z]+/[a-z0-9.+-]+)(?:;.*)?")
_WITHOUT_BODY: Final = frozenset({204, 304})
_ADDRESS_SECONDS: Final = 0.25
"""So long an address of a name is waited for before the next one is tried as well (RFC 8305)."""


class Odd(Exception):
    """An answer, or an address, that is not as workers have it: somebody else has to ask."""


class LineLost(ConnectionError):
    """The other end went away before its answer was whole; `begun`: a part of it was there."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("the connection was lost before the answer")
        self.begun = begun


class Said(NamedTuple):
    """An answer; the names of `headers` are in lower case."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes


class Place(NamedTuple):
    """Where a worker listens; `host` is as a request names it, `prefix` stands before each path."""

    address: str
    port: int
    host: str
    prefix: str


def place_of(url: str) -> Place | None:
    """The place of a worker's URL; None where it is not plainly HTTP."""
    try:
        parsed = URL(url)
        address, port, host = parsed.raw_host, parsed.port, parsed.host_port_subcomponent
    except ValueError:
        return None
    is_plain = parsed.scheme == "http" and parsed.raw_user is None and parsed.raw_password is None
    if not is_plain or not address or port is None or host is None or parsed.raw_query_string:
        return None
    return Place(address, port, host, parsed.raw_path.rstrip("/"))


def request_of(
    place: Place, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> bytes:
    """The bytes of a question; raises `Odd` where they could be taken for those of another."""
    lines = [f"{'GET' if body is None else 'POST'} {place.prefix}{path} HTTP/1.1"]
    lines.append(f"Host: {place.host}")
    lines.extend(f"{name}: {text}" for name, text in headers.items())
    if body is not None:
        lines.append(f"Content-Length: {len(body)}\r\nContent-Type: application/octet-stream")
    lines.append("\r\n")
    head = "\r\n".join(lines)
    ends = len(lines) + (body is not None)
    if head.count("\n") != ends or head.count("\r") != ends or "\0" in head or " " in path:
        raise Odd("a line feed, or a blank in the path")
    try:
        return head.encode() + (body or b"")
    except UnicodeEncodeError:
        raise Odd("not UTF-8") from None


class Lines:
    """Connections to other workers, `at_once_max` at most in use; none before the first question.

    Each has one question at a time, and is kept for the next one.
    """

    def __init__(self, at_once_max: int) -> None:
        self._turn = asyncio.Semaphore(at_once_max)
        self._all: set[_Line] = set()
        self._idle: dict[Place, list[_Line]] = {}

    def close(self) -> None:
        """Let go of all."""
        self._idle.clear()
        for line in tuple(self._all):
            line.drop()

    async def ask(self, place: Place, request: bytes, *, seconds: float, again: bool) -> Said:
        """What is answered to a request within so many seconds, its turn included.

        A connection may go just when it is used again: then it is asked once more, if it may be
        asked `again`. Raises `Odd`, OSError (`LineLost`, TimeoutError).
        """
        line = None if self._turn.locked() else self._kept(place)
        if line is not None:
            try:
                async with self._turn:
                    return await self._over(line, place, request, seconds)
            except LineLost as lost:
                if lost.begun or not again:
                    raise
        # That its turn comes, and that it is there, is waited for as well: not worth it above.
        async with asyncio.timeout(seconds), self._turn:
            line = await self._open(place)
            return await self._over(line, place, request, seconds)

    async def _over(self, line: "_Line", place: Place, request: bytes, seconds: float) -> Said:
        try:
            said = await line.ask(request, seconds)
        except BaseException:
            line.drop()
            raise
        if line.is_open:
            line.since = now = asyncio.get_running_loop().time()
            idle = self._idle.setdefault(place, [])
            idle.append(line)
            if idle[0].since < now - IDLE_SECONDS_MAX:
                idle.pop(0).drop()  # of a crowd that was there, one for each question
        return said

    def _kept(self, place: Place) -> "_Line | None":
        """The connection that was used last of those that are there and idle."""
        idle = self._idle.get(place)
        if not idle:
            return None
        latest = asyncio.get_running_loop().time() - IDLE_SECONDS_MAX
        while idle:
            line = idle.pop()
            if line.is_open and line.since >= latest:
                return line
            line.drop()
        del self._idle[place]
        return None

    async def _open(self, place: Place) -> "_Line":
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(place.address, place.port, type=socket.SOCK_STREAM)
        # asyncio's own way through several addresses leaves sockets behind where it is cancelled.
        sock = await start_connection(found, happy_eyeballs_delay=_ADDRESS_SECONDS, interleave=1)
        _, line = await loop.create_connection(lambda: _Line(self._all), sock=sock)
        return line


class _Line(asyncio.Protocol):
    """One connection, with one question at a time."""

    def __init__(self, among: set["_Line"]) -> None:
        self.since = 0.0
        self.is_open = False
        self._among = among
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Said] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read = b""
        # What the head says, and where the body ends; None until the head is there.
        self._head: tuple[int, str, dict[str, str]] | None = None
        self._begin = self._end = 0

    def ask(self, request: bytes, seconds: float) -> asyncio.Future[Said]:
        """The answer to come within so many seconds."""
        if self._transport is None or not self.is_open:
            raise LineLost(begun=False)
        self._read, self._head = b"", None
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._timer = loop.call_later(seconds, self._end_with, TimeoutError())
        self._transport.write(request)
        return self._answer

    def drop(self) -> None:
        """Close it at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's has these methods
        self._transport = transport
        self.is_open = True
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        self.is_open = False
        self._among.discard(self)
        self._end_with(LineLost(begun=bool(self._read)))

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            # Nobody asked: whatever it is, nothing that comes after it can be trusted.
            self.drop()
            return
        self._read = self._read + data if self._read else data
        try:
            self._look()
        except Odd as odd:
            self.drop()
            self._end_with(odd)

    def _look(self) -> None:
        if self._head is None:
            end = self._read.find(b"\r\n\r\n")
            if end < 0:
                if len(self._read) > _HEAD_BYTES_MAX:
                    raise Odd("a head without an end")
                return
            status, headers = _head_of(self._read[:end])
            kind, length = _kind_of(headers), 0 if status in _WITHOUT_BODY else _length_of(headers)
            self._head = status, kind, headers
            self._begin, self._end = end + 4, end + 4 + length
        if len(self._read) >= self._end:
            status, kind, headers = self._head
            body = self._read[self._begin : self._end]
            if len(self._read) > self._end or headers.get("connection") is not None:
                self.drop()
            self._end_with(Said(status, kind, headers, body))

    def _end_with(self, what: Said | Exception) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answer is None or self._answer.done():
            return
        if isinstance(what, Said):
            self._answer.set_result(what)
        else:
            self._answer.set_exception(what)


def _head_of(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers; raises `Odd` where a header stands twice, or over several lines."""
    found = _HEAD.fullmatch(head.decode("utf-8", "surrogateescape"))
    if found is None:
        raise Odd("no head of an answer")
    headers = {}
    lines = found[2].split("\r\n")[1:]
    for line in lines:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip(" \t")
    if len(headers) != len(lines) or "transfer-encoding" in headers:
        raise Odd("a header twice, or a body without a length")
    return int(found[1]), headers


def _length_of(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) <= _DIGITS_MAX):
        raise Odd("a body without a length")
    return int(length)


def _kind_of(headers: Mapping[str, str]) -> str:
    """The media type, without its parameters."""
    kind = _KIND.fullmatch(headers.get("content-type", "application/octet-stream").lower())
    if kind is None or "content-encoding" in headers:
        raise Odd("a content of no kind that workers have")
    return kind[1]
