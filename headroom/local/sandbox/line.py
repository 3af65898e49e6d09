"""The line between a simulated venue and its clients, and what can go wrong with it alone.

Both venues' servers write to a `LineTransport` instead of the socket's own transport, so that the
faults of `faults.LINE` are the same at both, whatever is said: nothing here knows a protocol.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from headroom.local.sandbox.orders import Ordered, Orders
from headroom.local.sandbox.pace import Sleep
from headroom.local.sandbox.wire import reset_once_delivered

DRIBBLE_BYTES_PER_SECOND: Final = 2_000
_DRIBBLES_PER_SECOND: Final = 20
_MUTING: Final = ("silence", "half-open")


class LineTransport(asyncio.Transport):
    """A socket's transport on which a fault may hold back, slow or cut what is written.

    `user` is whose connection it is, None as long as that is not known.
    """

    def __init__(self, inner: asyncio.Transport, line: "Line") -> None:
        super().__init__()
        self._inner = inner
        self._line = line
        self.user: str | None = None
        self._mute = False
        self._deaf = False
        self._reads = True
        self._is_cut = False
        self._waiting = bytearray()
        self._afterwards: list[Callable[[], None]] = []
        self._paused = False
        self._dribbling: asyncio.Task[None] | None = None

    @property
    def passes(self) -> bool:
        """Whether what is written now leaves, and whole."""
        return not (self._mute or self._is_cut or self._inner.is_closing())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, as far as the faults that are on let it through."""
        if self._mute or self._is_cut:
            return
        if self._waiting or self._line.rate_of(self) is not None:
            self._waiting += data
            self._press()
            if self._dribbling is None:
                self._dribbling = self._line.begin(self._dribble())
            return
        self._inner.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write them all."""
        self.write(b"".join(list_of_data))

    def cut_inside(self, data: bytes) -> None:
        """Write the first half of `data`, and end the connection with RST once it has arrived."""
        self._inner.write(data[: len(data) // 2])
        self._is_cut = True
        self._line.begin(reset_once_delivered(self._inner, self._line.sleep))

    def hold(self, *, mute: bool, deaf: bool) -> None:
        """From now on swallow what is written, or not; read nothing, or read again."""
        self._mute = mute
        if deaf != self._deaf:
            self._deaf = deaf
            if deaf:
                self._inner.pause_reading()
            elif self._reads and not self._inner.is_closing():
                self._inner.resume_reading()
        self._finish()

    def write_eof(self) -> None:
        """Say that nothing more comes, once all that was written has left."""
        self._later(self._inner.write_eof)

    def close(self) -> None:
        """Close, once all that was written has left."""
        self._later(self._inner.close)

    def abort(self) -> None:
        """Close at once."""
        self._waiting.clear()
        self._inner.abort()

    def pause_reading(self) -> None:
        """The protocol wants nothing for now."""
        self._reads = False
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """The protocol wants to read again."""
        self._reads = True
        if not self._deaf:
            self._inner.resume_reading()

    def get_write_buffer_size(self) -> int:
        """How many bytes have not left yet."""
        return len(self._waiting) + self._inner.get_write_buffer_size()

    def can_write_eof(self) -> bool:  # noqa: D102 - as the socket's own; so are all below
        return self._inner.can_write_eof()

    def is_closing(self) -> bool:  # noqa: D102
        return self._inner.is_closing()

    def is_reading(self) -> bool:  # noqa: D102
        return self._inner.is_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401, D102
        return self._inner.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: D102
        self._inner.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:  # noqa: D102
        return self._inner.get_write_buffer_limits()

    def get_protocol(self) -> asyncio.BaseProtocol:  # noqa: D102
        return self._inner.get_protocol()

    def _later(self, do: Callable[[], None]) -> None:
        self._afterwards.append(do)
        self._finish()

    def _finish(self) -> None:
        """Do what waited until all has left; a venue that is silent does not say goodbye either."""
        if self._waiting or self._mute:
            return
        todo, self._afterwards = self._afterwards, []
        for do in todo:
            if not self._inner.is_closing():
                do()

    async def _dribble(self) -> None:
        """Let what waits leave in small pieces, in its order."""
        try:
            while self._waiting and not self._inner.is_closing():
                rate = self._line.rate_of(self)
                size = len(self._waiting) if rate is None else max(1, rate // _DRIBBLES_PER_SECOND)
                if not self._mute:
                    self._inner.write(bytes(self._waiting[:size]))
                    del self._waiting[:size]
                    self._press()
                await self._line.sleep(1 / _DRIBBLES_PER_SECOND)
        finally:
            self._dribbling = None
            self._finish()

    def _press(self) -> None:
        """Have the protocol wait, or go on, by how much has not left."""
        low, high = self._inner.get_write_buffer_limits()
        protocol = self._inner.get_protocol()
        if not isinstance(protocol, asyncio.Protocol):
            return
        if not self._paused and len(self._waiting) > high:
            self._paused = True
            protocol.pause_writing()
        elif self._paused and len(self._waiting) <= low:
            self._paused = False
            protocol.resume_writing()


class Line:
    """All connections of one venue, and the faults of `faults.LINE` that hold them."""

    def __init__(self, orders: Orders, sleep: Sleep) -> None:
        self._orders = orders
        self.sleep = sleep
        self._connections: set[LineTransport] = set()
        self._half_open: set[LineTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def tap(self, transport: asyncio.BaseTransport) -> LineTransport:
        """The transport that a server is to use in place of its own."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a venue speaks over a stream")
        self._connections = {each for each in self._connections if not each.is_closing()}
        tapped = LineTransport(transport, self)
        self._connections.add(tapped)
        self._hold(tapped)
        return tapped

    def belongs(self, transport: asyncio.BaseTransport | None, user: str) -> None:
        """It has become known whose connection this is."""
        if isinstance(transport, LineTransport):
            transport.user = user
            self._hold(transport)

    def changed(self, ordered: Ordered) -> None:
        """A fault has begun or ended."""
        if ordered.fault.name == "half-open":
            # Who comes later is well: it is this line that is dead, and nobody tells its ends.
            self._half_open = set() if ordered.over.is_set() else set(self._connections)
        if ordered.fault.name in _MUTING:
            for each in self._connections:
                self._hold(each)

    def rate_of(self, transport: LineTransport) -> int | None:
        """How many bytes may leave each second; None where nobody counts."""
        ordered = self._orders.on("dribble", transport.user)
        return None if ordered is None else ordered.order.rate or DRIBBLE_BYTES_PER_SECOND

    def begin(self, doing: Any) -> "asyncio.Task[None]":  # noqa: ANN401 - a coroutine
        """Do something beside all else."""
        task: asyncio.Task[None] = asyncio.create_task(doing, name="line")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Let go of everything; whoever calls has ended the faults."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hold(self, transport: LineTransport) -> None:
        silent = self._orders.on("silence", transport.user) is not None
        dead = self._orders.on("half-open", transport.user) is not None
        dead = dead and transport in self._half_open
        transport.hold(mute=silent or dead, deaf=dead)


class Tap(asyncio.Protocol):
    """A server's protocol that is handed the line's transport instead of the socket's."""

    def __init__(self, inner: asyncio.Protocol, line: Line) -> None:
        self._inner = inner
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._inner.connection_made(self._line.tap(transport))

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:  # noqa: D102
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:  # noqa: D102
        self._inner.pause_writing()

    def resume_writing(self) -> None:  # noqa: D102
        self._inner.resume_writing()
