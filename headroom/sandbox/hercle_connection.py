"""One WebSocket of the simulated Hercle: what is sent on it, kept alive, and how it ends."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from headroom.sandbox import hub
from headroom.sandbox.faults import reset
from headroom.sandbox.hub import SEPARATOR, HubSession
from headroom.sandbox.journal import Journal, Sent
from headroom.sandbox.pace import NS_PER_SECOND, Sleep

_JOIN_ONE_IN: Final = 3


class Surroundings(msgspec.Struct, frozen=True):
    """What all connections of a hub share; `clock_ns` tells the date, `monotonic_ns` durations."""

    journal: Journal
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

    async def receive(self) -> str | bytes | None:
        """The next WebSocket message; None when there will be no more."""
        message = await self._socket.receive()
        self._heard_ns = self._around.monotonic_ns()
        if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
            data: str | bytes = message.data
            return data
        return None

    async def send(self, *messages: str | Sent) -> None:
        """Send hub messages, several of them in one WebSocket message now and then.

        Those of them that are frames go to the journal when they are sent. Raises
        ConnectionError where the connection is gone.
        """
        joined = len(messages) > 1 and self._around.rng.randint(1, _JOIN_ONE_IN) == 1
        async with self._sending:
            for batch in [messages] if joined else [(message,) for message in messages]:
                texts = [each if isinstance(each, str) else str(each.frame) for each in batch]
                await self._socket.send_str("".join(text + SEPARATOR for text in texts))
                for each in batch:
                    if isinstance(each, Sent):
                        self._around.journal.write(each)

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
        self, code: int = 1000, error: str | None = None, *, allow_reconnect: bool = False
    ) -> None:
        """Say goodbye (type 7), close properly, and wait until the client has closed too."""
        if self._ending is None:
            farewell = hub.close_message(error, allow_reconnect=allow_reconnect)
            self._ending = asyncio.create_task(self._end(code, farewell))
        # Shielded: whoever waits for the end may be cancelled, the end itself not.
        await asyncio.shield(self._ending)

    def abort(self) -> None:
        """End the connection with RST."""
        reset(self._transport)

    async def _end(self, code: int, farewell: str) -> None:
        try:
            if self.session.shaken and not self._socket.closed:
                await self.send(farewell)
        except ConnectionError:
            pass
        await self._socket.close(code=code)
