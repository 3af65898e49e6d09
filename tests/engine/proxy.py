"""A TCP proxy between Kafka's clients and a broker that knows where a request begins.

Clients that start at `Proxy.bootstrap` stay behind the proxy: in every answer but a fetch the
broker's own address is replaced by the proxy's, which has as many bytes. Whoever starts at the
broker's address is not touched by any fault. It listens without encryption or passwords.

A request may come late, as in a network that is busy: its connection ends, its client tries again
on another one, and then the broker gets the first one, too.

Source: Kafka's protocol guide, "Protocol Primitive Types" and "Common Request and Response
Structure": a length of four bytes, in a request then two bytes that name its kind; answers come
in the order of the requests.
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple, Self

# A request that was kept, and that nobody tried again, comes after so long.
_UNTRIED_SECONDS_MAX = 3.0
_LATE_SECONDS_MAX = 10.0


class Kind(IntEnum):
    """Kinds of requests (`api_key`)."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class Act(StrEnum):
    """What can befall one request."""

    KEEP = "keep"
    """Its connection ends; it reaches the broker some time after another of its kind was answered,
    on a connection of the proxy's."""
    REPEAT = "repeat"
    """The broker gets it; its connection ends, and later the broker gets it again, as with `KEEP`.

    On a connection that stands nothing is ever repeated: TCP sees to that."""
    DELAY = "delay"
    """It and what is behind it come later."""
    CUT = "cut"
    """Its connection ends, and it never reaches the broker."""
    LOSE = "lose"
    """The broker does it; the connection ends before it says so."""


class Due(NamedTuple):
    """An act that waits for a request; `passed` once the broker has, or will never have, it."""

    act: Act
    seconds: float
    behind: tuple[Kind, ...]
    passed: asyncio.Event


class _Late:
    """A request that comes late: once these kinds were answered, one after the other."""

    def __init__(self, behind: Iterable[int]) -> None:
        self._behind = deque(behind)
        self.turn = asyncio.Event()

    def answered(self, kind: int) -> None:
        if self._behind and self._behind[0] == kind:
            self._behind.popleft()
        if not self._behind:
            self.turn.set()


class Proxy:
    """A proxy on a port of its own, for `async with`; faults apply to all its connections."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._host, self._port = host, int(port)
        self._server: asyncio.Server | None = None
        self._own_port = 0
        self._gates: dict[int, asyncio.Event] = {}
        self._delays: dict[int, float] = {}
        self._due: defaultdict[int, deque[Due]] = defaultdict(deque)
        self._connections: set[asyncio.Task[None]] = set()
        self._late: dict[asyncio.Task[None], _Late] = {}
        self.held = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._own_port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await _end(self._late)

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
        self.befall(Act.LOSE, kind)

    def befall(
        self, act: Act, kind: Kind, seconds: float = 0.0, behind: tuple[Kind, ...] = ()
    ) -> asyncio.Event:
        """Let something befall the next request of a kind, after those that wait for one before.

        `seconds`: how long it is delayed, or how much later it comes (again); `behind`: the answers
        after which it does, in this order, instead of one of its kind. What is returned is set once
        nothing more comes of it.
        """
        due = Due(act, seconds, behind or (kind,), asyncio.Event())
        self._due[kind].append(due)
        return due.passed

    def forgive(self) -> None:
        """Let nothing befall what comes from now on."""
        self._due.clear()

    async def cut(self) -> None:
        """End all connections; what is held back never reaches the broker."""
        await _end(self._connections)

    # -- for those who change what is said

    def request(self, _kind: int, frame: bytes) -> bytes:
        """What the broker gets of a request."""
        return frame

    async def answer(self, _kind: int, frame: bytes) -> bytes:
        """What the client gets of an answer."""
        return frame

    # -- one connection

    async def _connected(self, client: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [reply]
        try:
            broker, request = await asyncio.open_connection(self._host, self._port)
            writers.append(request)
            asked: deque[tuple[int, Due | None]] = deque()
            ways = [
                asyncio.ensure_future(self._requests(client, request, asked)),
                asyncio.ensure_future(self._answers(broker, reply, asked)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(ways)
                for _, due in asked:
                    if due is not None and due.act is Act.LOSE:
                        due.passed.set()
        except (OSError, asyncio.CancelledError):
            pass  # the broker is away, or the proxy cuts: for the client it is the same
        finally:
            self._connections.discard(task)
            for writer in writers:
                writer.transport.abort()

    async def _requests(
        self,
        client: asyncio.StreamReader,
        request: asyncio.StreamWriter,
        asked: deque[tuple[int, Due | None]],
    ) -> None:
        while frame := await _frame(client):
            kind = int.from_bytes(frame[:2])
            if kind in self._delays:
                await asyncio.sleep(self._delays[kind])
            while kind in self._gates:
                self.held += 1
                await self._gates[kind].wait()
            lost = None
            if self._due[kind]:
                due = self._due[kind].popleft()
                match due.act:
                    case Act.CUT:
                        due.passed.set()
                        return
                    case Act.KEEP:
                        self._pass_on_late(frame, due)
                        return
                    case Act.REPEAT:
                        self._pass_on_late(frame, due)
                        lost = due
                    case Act.DELAY:
                        await asyncio.sleep(due.seconds)
                        due.passed.set()
                    case Act.LOSE:
                        lost = due
            asked.append((kind, lost))
            request.write(_framed(self.request(kind, frame)))
            await request.drain()

    async def _answers(
        self,
        broker: asyncio.StreamReader,
        reply: asyncio.StreamWriter,
        asked: deque[tuple[int, Due | None]],
    ) -> None:
        own, proxied = (
            self._host.encode() + port.to_bytes(4) for port in (self._port, self._own_port)
        )
        while frame := await _frame(broker):
            kind, lost = asked.popleft()
            if lost is not None:
                if lost.act is Act.LOSE:
                    lost.passed.set()
                return
            if kind != Kind.FETCH:
                frame = frame.replace(own, proxied)
            reply.write(_framed(await self.answer(kind, frame)))
            await reply.drain()
            for late in self._late.values():
                late.answered(kind)

    # -- what comes late

    def _pass_on_late(self, frame: bytes, due: Due) -> None:
        late = _Late(due.behind)
        task = asyncio.create_task(self._late_request(frame, due, late))
        self._late[task] = late
        task.add_done_callback(self._late.pop)

    async def _late_request(self, frame: bytes, due: Due, late: _Late) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(late.turn.wait(), _UNTRIED_SECONDS_MAX)
        await asyncio.sleep(due.seconds)
        try:
            async with asyncio.timeout(_LATE_SECONDS_MAX):
                broker, request = await asyncio.open_connection(self._host, self._port)
                try:
                    request.write(_framed(frame))
                    await _frame(broker)
                finally:
                    request.transport.abort()
        except OSError:  # a time-out is one, too
            pass
        finally:
            due.passed.set()


async def _end(tasks: Collection[asyncio.Future[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4) + frame


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next request or answer without its length; empty at the end."""
    try:
        return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
