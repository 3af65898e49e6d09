"""One WebSocket of the simulated Hercle: what is sent on it, kept alive, and how it ends."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from headroom.local.sandbox import hub
from headroom.local.sandbox.hub import SEPARATOR, HubSession
from headroom.local.sandbox.journal import Journal, Sent
from headroom.local.sandbox.line import LineTransport
from headroom.local.sandbox.orders import Orders
from headroom.local.sandbox.pace import NS_PER_SECOND, Sleep
from headroom.local.sandbox.wire import framed, reset, reset_once_delivered

_JOIN_ONE_IN: Final = 3
_UNREAD_BYTES_MAX: Final = 16 * 1024 * 1024


class Surroundings(msgspec.Struct, frozen=True):
    """What all connections of a hub share; `clock_ns` tells the date, `monotonic_ns` durations."""

    journal: Journal
    orders: Orders
    clock_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    sleep: Sleep
    rng: Random
    ping_seconds: Decimal
    client_timeout_seconds: Decimal


class HercleConnection:
    """A connection of one user: sends whole messages in order and writes frames to the journal."""

    def __init__(
        self,
        name: str,
        user_id: str,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        around: Surroundings,
    ) -> None:
        self.name = name
        self.user_id = user_id
        self.session = HubSession()
        self._socket = socket
        self._transport = transport
        self._around = around
        self._heard_ns = around.monotonic_ns()
        self._ending: asyncio.Task[None] | None = None
        # Held by whoever sends, so that the journal has the order of the socket.
        self._sending = asyncio.Lock()
        self._hearing = asyncio.Event()
        self._hearing.set()
        self.turn = asyncio.Lock()
        """Held by the slow answer whose turn it is."""

    async def receive(self) -> str | bytes | None:
        """The next WebSocket message; None when there will be no more."""
        await self._hearing.wait()
        message = await self._socket.receive()
        self._heard_ns = self._around.monotonic_ns()
        if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
            data: str | bytes = message.data
            return data
        return None

    async def send(self, *messages: str | Sent, whole: bool = False) -> None:
        """Send hub messages, several of them in one WebSocket message now and then.

        Those of them that are frames go to the journal when the last byte of each is sent. A
        fault may cut them elsewhere than at their ends, but those that are to stay `whole`. Raises
        ConnectionError where the connection is gone.
        """
        manner = None if whole else self._manner()
        async with self._sending:
            for text, complete in self._pieces(messages, manner):
                if self._is_cut_inside(text, complete) or not self._passes:
                    continue
                await self._socket.send_str(text)
                for each in complete:
                    if isinstance(each, Sent):
                        fault = each.fault or manner
                        self._around.journal.write(msgspec.structs.replace(each, fault=fault))

    async def send_many(self, frames: Sequence[Sent]) -> None:
        """Send frames at once, each in a WebSocket message, without waiting for the client.

        None of them where it has not read much of what was sent before.
        """
        async with self._sending:
            if not self._passes or self._transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
                return
            self._transport.write(b"".join(framed(f"{each.frame!s}{SEPARATOR}") for each in frames))
            for each in frames:
                self._around.journal.write(each)

    @property
    def _passes(self) -> bool:
        return not isinstance(self._transport, LineTransport) or self._transport.passes

    def _is_cut_inside(self, text: str, complete: Sequence[str | Sent]) -> bool:
        """Whether a fault has sent half of a message that ends a frame, and then RST."""
        if not any(isinstance(each, Sent) for each in complete):
            return False
        if not isinstance(self._transport, LineTransport):
            return False
        if self._around.orders.strike("cut-inside", self.user_id) is None:
            return False
        self._transport.cut_inside(framed(text))
        return True

    def _manner(self) -> str | None:
        for name in ("split", "glued"):
            if self._around.orders.strike(name, self.user_id):
                return name
        return None

    def _pieces(
        self, messages: Sequence[str | Sent], manner: str | None
    ) -> list[tuple[str, list[str | Sent]]]:
        """The WebSocket messages to send, each with the hub messages that are complete with it."""
        rng = self._around.rng
        texts = [
            (each if isinstance(each, str) else str(each.frame)) + SEPARATOR for each in messages
        ]
        if manner is None:
            if len(messages) > 1 and rng.randint(1, _JOIN_ONE_IN) == 1:
                return [("".join(texts), list(messages))]
            return [(text, [message]) for text, message in zip(texts, messages, strict=True)]
        pieces: list[tuple[str, list[str | Sent]]] = []
        rest, unfinished = "", list[str | Sent]()
        for text, message in zip(texts, messages, strict=True):
            place = rng.randint(1, len(text) - 1)
            if manner == "split" and rest:
                pieces.append((rest, unfinished))
                rest, unfinished = "", []
            pieces.append((rest + text[:place], unfinished))
            rest, unfinished = text[place:], [message]
        return [*pieces, (rest, unfinished)] if messages else []

    async def tell(self, text: str, fault: str) -> None:
        """Send a message of no account, which a fault made."""
        sent = Sent(
            account=None,
            connection=self.name,
            sequence=None,
            sent_ns=self._around.clock_ns(),
            frame=text,
            fault=fault,
        )
        await self.send(sent)

    async def inject(self, frame: str | bytes) -> None:
        """Send any text as a hub message, or bytes in a binary one; the 0x1E is put behind it."""
        sent = Sent(
            account=None,
            connection=self.name,
            sequence=None,
            sent_ns=self._around.clock_ns(),
            frame=frame,
            injected=True,
        )
        if isinstance(frame, str):
            await self.send(sent)
            return
        async with self._sending:
            await self._socket.send_bytes(frame + SEPARATOR.encode())
            self._around.journal.write(sent)

    def deafen(self) -> None:
        """Read no more from the socket."""
        self._hearing.clear()
        self._transport.pause_reading()

    def hear(self) -> None:
        """Read again."""
        self._heard_ns = self._around.monotonic_ns()
        self._hearing.set()
        self._transport.resume_reading()

    async def keep_alive(self) -> None:
        """Ping in time, and end the connection of a client that is silent for too long."""
        around = self._around
        ping_ns = int(around.ping_seconds * NS_PER_SECOND)
        timeout_ns = int(around.client_timeout_seconds * NS_PER_SECOND)
        ping_due_ns = around.monotonic_ns() + ping_ns
        while True:
            due_ns = min(ping_due_ns, self._heard_ns + timeout_ns)
            await around.sleep(max(0, due_ns - around.monotonic_ns()) / NS_PER_SECOND)
            now_ns = around.monotonic_ns()
            if not self._hearing.is_set():
                self._heard_ns = now_ns
            if now_ns >= self._heard_ns + timeout_ns:
                await self.end(1000, "The client has been silent for too long.")
                return
            if now_ns >= ping_due_ns:
                ping_due_ns = now_ns + ping_ns
                if self.session.shaken:
                    try:
                        await self.send(hub.PING)
                    except ConnectionError:
                        return

    async def end(
        self,
        code: int = 1000,
        error: str | None = None,
        *,
        reason: str = "",
        allow_reconnect: bool = False,
    ) -> None:
        """Say goodbye (type 7), close properly, and wait until the client has closed too."""
        if self._ending is None:
            farewell = hub.close_message(error, allow_reconnect=allow_reconnect)
            self._ending = asyncio.create_task(self._end(code, farewell, reason))
        # Shielded: whoever waits for the end may be cancelled, the end itself not.
        await asyncio.shield(self._ending)

    async def close(self, code: int) -> None:
        """Close properly, without a word of the hub's."""
        await self._socket.close(code=code)

    def abort(self) -> None:
        """End the connection with RST."""
        reset(self._transport)

    async def cut(self) -> None:
        """End the connection with RST once the client has what was sent."""
        async with self._sending:
            await reset_once_delivered(self._transport, self._around.sleep)

    async def _end(self, code: int, farewell: str, reason: str) -> None:
        try:
            if self.session.shaken and not self._socket.closed:
                await self.send(farewell)
        except ConnectionError:
            pass
        await self._socket.close(code=code, message=reason.encode())
