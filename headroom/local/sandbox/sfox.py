"""A simulated sFOX: its enterprise balance feed, as documented, on a port of this machine.

`SfoxSandbox` is the server; what it says on a connection is `SfoxSession`'s matter.

Source: https://docs.sfox.com/websocket-api
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from random import Random
from typing import Final, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from headroom.local.sandbox.config import SfoxConfig, account_ids
from headroom.local.sandbox.control import control, is_control
from headroom.local.sandbox.door import HOST, Door
from headroom.local.sandbox.faults import AWAY, SFOX
from headroom.local.sandbox.holdings import Account
from headroom.local.sandbox.journal import Journal, Sent
from headroom.local.sandbox.line import Line, LineTransport
from headroom.local.sandbox.market import SFOX_ASSETS, Market
from headroom.local.sandbox.orders import Orderable, Ordered, Orders
from headroom.local.sandbox.pace import Pacer, Sleep
from headroom.local.sandbox.sfox_acts import Room, SfoxActs, Subscribers
from headroom.local.sandbox.sfox_faults import SfoxFaults
from headroom.local.sandbox.sfox_session import SfoxSession
from headroom.local.sandbox.wire import framed, reset

PATH: Final = "/ws"

_GOING_AWAY: Final = 1001
_REQUEST_BYTES_MAX: Final = 64 * 1024
# A client that does not read is cut off before it costs this venue its memory.
_UNREAD_BYTES_MAX: Final = 48 * 1024 * 1024


class SfoxSandbox(Orderable):
    """The venue as a server: `async with SfoxSandbox(config) as sandbox:`, then `sandbox.url`.

    Data flows while somebody is subscribed, `config.rate_per_second` frames a second for each
    subscribed connection; a new subscription begins a pass over all users, without a burst.
    Faults are ordered by `config.faults`, `order()` and the control path on the same port.
    Entering raises OSError where the port is taken or the journal cannot be written.
    """

    venue = "sfox"

    def __init__(
        self,
        config: SfoxConfig,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._config = config
        self._clock_ns = clock_ns
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        users = account_ids(config.users)
        self._market = Market(users, Random(config.seed), kinds=SFOX_ASSETS, margin=True)
        self._journal = Journal("sfox", config.journal)
        self.orders = Orders(
            SFOX, self._journal, dict.fromkeys(users), clock_ns=clock_ns, sleep=sleep
        )
        self._faults = SfoxFaults(self.orders, self._market, clock_ns)
        self._line = Line(self.orders, sleep)
        self._door = Door(self._listen, config.port, config.papers)
        self._servers: list[Server] = []
        self._started_ns = 0
        self._subscribers: Subscribers = {}
        self._anyone_subscribed = asyncio.Event()
        # Held by whoever sends, so that frames, answers and lines of the journal keep one order.
        self._sending = asyncio.Lock()
        self._acts = SfoxActs(self._room())
        self.orders.changed = self._changed
        self.producing: asyncio.Task[None] | None = None
        self.url = ""
        self.connections = 0
        self.refused = 0

    @property
    def frames_sent(self) -> int:
        """Balance frames that went out so far, over all connections; injected ones count too."""
        return self._journal.frames_sent

    async def __aenter__(self) -> Self:
        """Listen, and begin to produce."""
        self._journal.open()
        try:
            await self._door.open()
        except BaseException:
            self._journal.close()
            raise
        scheme = "ws" if self._config.papers is None else "wss"
        self.url = f"{scheme}://{HOST}:{self._door.port}{PATH}"
        self._started_ns = self._clock_ns()
        for order in self._config.faults:
            self.orders.begin(order)
        self.producing = asyncio.create_task(self._produce(), name="sfox sandbox")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop."""
        await self.stop()

    async def stop(self) -> None:
        """Produce no more, let every client read to a close frame (1001), and stop listening."""
        self.orders.end_all()
        await self._acts.stop()
        if self.producing is not None:
            async with self._sending:  # Never between a send and its line in the journal.
                self.producing.cancel()
            await asyncio.gather(self.producing, return_exceptions=True)
        await self._line.stop()
        self._door.close()
        await asyncio.gather(*(each.close(_GOING_AWAY, "going away") for each in self._connected()))
        await asyncio.gather(*(server.wait_closed() for server in self._servers))
        self._journal.close()

    async def _listen(
        self, port: int, context: ssl.SSLContext | None
    ) -> tuple[int, Callable[[], object]]:
        # At DEBUG the library logs what it receives, and that holds the key.
        logger = logging.getLogger("headroom.sandbox.sfox.websockets")
        logger.setLevel(logging.WARNING)
        server = await serve(
            self._serve,
            HOST,
            port,
            ssl=context,
            create_connection=_tapped(self._line),
            process_request=self._request,
            compression=None,
            max_size=_REQUEST_BYTES_MAX,
            ping_interval=None,  # The venue documents no heartbeat; it answers pings.
            close_timeout=float(self._config.close_seconds),
            write_limit=2 * _UNREAD_BYTES_MAX,
            logger=logger,
        )
        self._servers.append(server)
        bound = next(iter(server.sockets)).getsockname()[1]

        def leave() -> None:
            server.server.close()  # At once; the library would do it in a moment.
            server.close(close_connections=False)

        return bound, leave

    async def inject(self, text: str | bytes) -> int:
        """Send any text, or bytes as a binary message, to all subscribed; returns to how many."""
        async with self._sending:
            count = 0
            for connection, (name, _) in list(self._subscribers.items()):
                count += await self._send(connection, self._sent(name, text))
            return count

    async def disconnect_all(self) -> None:
        """Close every connection properly, with 1001, and go on listening."""
        await asyncio.gather(*(each.close(_GOING_AWAY) for each in self._connected()))

    def abort_all(self) -> None:
        """End every connection with RST, and go on listening."""
        for connection in self._connected():
            reset(connection.transport)

    async def _serve(self, connection: ServerConnection) -> None:
        session = SfoxSession(self._config.api_key)
        self.connections += 1
        name = f"sfox-{self._started_ns}-{self.connections}"
        try:
            async for message in connection:
                await self._answer(connection, name, session, message)
        except ConnectionClosed:
            pass
        finally:
            self._subscribers.pop(connection, None)
            if not self._subscribers:
                self._anyone_subscribed.clear()

    async def _answer(
        self, connection: ServerConnection, name: str, session: SfoxSession, message: str | bytes
    ) -> None:
        async with self._sending:
            answer = session.receive(message, self._clock_ns(), refuses=self._refuses)
            self.refused += answer.startswith('{"type": "error"')
            await connection.send(answer)
            if session.subscribed and connection not in self._subscribers:
                self._subscribers[connection] = (name, session)
                self._market.begin_pass()
                self._anyone_subscribed.set()

    def _refuses(self, action: object) -> bool:
        if self.orders.on("auth-blocked"):
            return True
        return action == "authenticate" and self.orders.strike("auth-error") is not None

    async def _produce(self) -> None:
        if not self._config.rate_per_second:
            return
        pacer = Pacer(
            self._config.rate_per_second, monotonic_ns=self._monotonic_ns, sleep=self._sleep
        )
        while True:
            if not self._subscribers:
                await self._anyone_subscribed.wait()
                pacer.restart()
            await pacer.tick()
            async with self._sending:
                account = self._market.step() if self._subscribers else None
                if account is not None:
                    await self._send_balances(account)
                    await self._acts.act()

    async def _send_balances(self, account: Account) -> None:
        self._acts.last_told = account
        for connection, (name, session) in list(self._subscribers.items()):
            for frame in self._faults.frames(session, account):
                sent = Sent(
                    account=account.user_id,
                    connection=name,
                    sequence=frame.sequence,
                    sent_ns=self._clock_ns(),
                    frame=frame.text,
                    fault=frame.fault,
                )
                await self._send(connection, sent)

    def _sent(self, name: str, frame: str | bytes) -> Sent:
        return Sent(
            account=None,
            connection=name,
            sequence=None,
            sent_ns=self._clock_ns(),
            frame=frame,
            injected=True,
        )

    async def _send_under_fault(
        self, connection: ServerConnection, name: str, text: str, fault: str
    ) -> bool:
        sent = Sent(
            account=None,
            connection=name,
            sequence=None,
            sent_ns=self._clock_ns(),
            frame=text,
            fault=fault,
        )
        return await self._send(connection, sent)

    async def _send(self, connection: ServerConnection, sent: Sent) -> bool:
        if connection.transport.is_closing():
            return False  # It was reset, and the library does not know yet.
        if connection.transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
            reset(connection.transport)
            return False
        transport = connection.transport
        if not isinstance(transport, LineTransport) or not transport.passes:
            return False
        if self.orders.strike("cut-inside", sent.account):
            transport.cut_inside(framed(sent.frame))
            return False
        try:
            await connection.send(sent.frame)
        except ConnectionClosed:
            return False
        self._journal.write(sent)
        return True

    def _send_many(self, connection: ServerConnection, frames: Sequence[Sent]) -> None:
        """Send at once what fits, without waiting; whoever calls holds `sending`."""
        transport = connection.transport
        if isinstance(transport, LineTransport) and transport.passes:
            transport.write(b"".join(framed(sent.frame) for sent in frames))
            for sent in frames:
                self._journal.write(sent)

    def _changed(self, ordered: Ordered) -> None:
        """A fault has begun or ended: the line's, the door's, or what the venue does itself."""
        self._line.changed(ordered)
        self._door.changed(ordered, self._line.begin)
        self._acts.changed(ordered)

    def _connected(self) -> list[ServerConnection]:
        return [each for server in self._servers for each in server.connections]

    def _room(self) -> Room:
        return Room(
            api_key=self._config.api_key,
            market=self._market,
            orders=self.orders,
            sending=self._sending,
            subscribers=self._subscribers,
            connected=self._connected,
            send=self._send_under_fault,
            send_many=self._send_many,
            clock_ns=self._clock_ns,
            monotonic_ns=self._monotonic_ns,
            sleep=self._sleep,
        )

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let a client of the documented path in, and answer all others here."""
        if is_control(request.path):
            reply = control(self.venue, self.orders, request.path)
            headers = Headers({"Content-Type": "application/json", "Connection": "close"})
            headers["Content-Length"] = str(len(reply.body))
            return Response(reply.status, reply.status.phrase, headers, reply.body)
        if request.path.partition("?")[0] == PATH:
            return self._turned_away(connection)
        return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")

    def _turned_away(self, connection: ServerConnection) -> Response | None:
        for name, status in AWAY.items():
            ordered = self.orders.strike(name)
            if ordered is not None:
                response = connection.respond(status, f"{status.phrase}\n")
                response.headers["Retry-After"] = ordered.retry_after
                return response
        return None


def _tapped(line: Line) -> type[ServerConnection]:
    """The library's connection, on the line's transport."""

    class Tapped(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(line.tap(transport))

    return Tapped
