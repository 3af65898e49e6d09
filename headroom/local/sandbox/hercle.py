"""A simulated Hercle: a SignalR hub that answers `GetBalances`, on a port of this machine.

`HercleSandbox` is the server; `hub` is the protocol, `hercle_messages` what is said in it, and
`hercle_connection` one client's WebSocket.

Source: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md
"""

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final, Self

from aiohttp import web

from headroom.local.sandbox import hub
from headroom.local.sandbox.config import HercleConfig
from headroom.local.sandbox.control import control, is_control
from headroom.local.sandbox.door import HOST, Door
from headroom.local.sandbox.faults import HERCLE
from headroom.local.sandbox.hercle_acts import HercleActs
from headroom.local.sandbox.hercle_admission import Admission
from headroom.local.sandbox.hercle_answers import Answers, Told, World
from headroom.local.sandbox.hercle_connection import HercleConnection, Surroundings
from headroom.local.sandbox.hercle_gate import Gate
from headroom.local.sandbox.hub import Goodbye, Handshake, HubEvent, Invocation
from headroom.local.sandbox.journal import Journal, Sent
from headroom.local.sandbox.line import Line, Tap
from headroom.local.sandbox.orders import Orderable, Ordered, Orders
from headroom.local.sandbox.pace import Pacer, Sleep

ELSEWHERE: Final = "/elsewhere"
"""Behind the hub's path: where a redirected client negotiates."""

_GOING_AWAY: Final = 1001
_MESSAGE_BYTES_MAX: Final = 64 * 1024
_PING_AFTER_HANDSHAKE_ONE_IN: Final = 3


class HercleSandbox(Orderable):
    """The venue as a server: `async with HercleSandbox(config) as sandbox:`, then `sandbox.url`.

    The state changes `config.rate_per_second` times a second over all users, whether somebody
    asks or not. Faults are ordered by `config.faults`, `order()` and the control path on the same
    port. Entering raises OSError where the port is taken or the journal cannot be written.
    """

    venue = "hercle"

    def __init__(
        self,
        config: HercleConfig,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
        new_token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._config = config
        users = config.users_by_key
        user_ids = list(users.values())
        self._world = World(user_ids, Random(config.seed))
        journal = Journal("hercle", config.journal)
        self.orders = Orders(
            HERCLE, journal, dict.fromkeys(user_ids), clock_ns=clock_ns, sleep=sleep
        )
        self._around = Surroundings(
            journal=journal,
            orders=self.orders,
            clock_ns=clock_ns,
            monotonic_ns=monotonic_ns,
            sleep=sleep,
            # Not the world's: what is asked, and when, must not change what happens there.
            rng=Random(config.seed + 1),
            ping_seconds=config.ping_seconds,
            client_timeout_seconds=config.client_timeout_seconds,
        )
        self._gate = Gate(Admission(users, new_token), self.orders)
        self._answers = Answers(self._world, self.orders, config.data, self._around.rng)
        self._connected: set[HercleConnection] = set()
        keys = {user_id: key for key, user_id in users.items()}
        self._acts = HercleActs(
            self.orders,
            keys,
            self._connected,
            self._flood,
            monotonic_ns=monotonic_ns,
            sleep=sleep,
        )
        self.orders.changed = self._changed
        self._line = Line(self.orders, sleep)
        self._door = Door(self._listen, config.port, config.papers)
        self._runner: web.AppRunner | None = None
        self._failure: asyncio.Future[None] | None = None
        self._started_ns = 0
        self.producing: asyncio.Task[None] | None = None
        self.url = ""
        self.connections = 0

    @property
    def refused(self) -> int:
        """How often a key, a token or a handshake was refused."""
        return self._gate.refused

    @property
    def frames_sent(self) -> int:
        """Balance frames that went out so far, over all connections; injected ones count too."""
        return self._around.journal.frames_sent

    async def __aenter__(self) -> Self:
        """Listen, and begin to change."""
        app = web.Application()
        for path in (self._config.path, f"{self._config.path}{ELSEWHERE}"):
            app.router.add_post(f"{path}/negotiate", self._negotiate)
            app.router.add_get(path, self._serve)
        app.router.add_get("/control/{rest:.*}", self._control)
        # No access log: a request's line would hold the connection's token.
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=float(self._config.close_seconds),
        )
        self._around.journal.open()
        try:
            await runner.setup()
            self._runner = runner
            await self._door.open()
        except BaseException:
            await runner.cleanup()
            self._around.journal.close()
            raise
        scheme = "http" if self._config.papers is None else "https"
        self.url = f"{scheme}://{HOST}:{self._door.port}{self._config.path}"
        self._started_ns = self._around.clock_ns()
        self._failure = asyncio.get_running_loop().create_future()
        for order in self._config.faults:
            self.orders.begin(order)
        self.producing = asyncio.create_task(self._produce(self._failure), name="hercle sandbox")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop."""
        await self.stop()

    async def stop(self) -> None:
        """Change no more, let every client read to a close frame (1001), and stop listening."""
        if self.producing is not None:
            self.producing.cancel()
            await asyncio.gather(self.producing, return_exceptions=True)
        self._gate.stopping = True
        self.orders.end_all()
        await self._acts.stop()
        await self._line.stop()
        if self._runner is not None:
            self._door.close()
            await self.disconnect_all()
            await self._runner.cleanup()
            self._runner = None
        self._around.journal.close()

    async def _listen(
        self, port: int, context: ssl.SSLContext | None
    ) -> tuple[int, Callable[[], object]]:
        serve = None if self._runner is None else self._runner.server
        if serve is None:
            raise RuntimeError("the venue does not run")
        server = await asyncio.get_running_loop().create_server(
            lambda: Tap(serve(), self._line), HOST, port, ssl=context
        )
        return server.sockets[0].getsockname()[1], server.close

    async def inject(self, text: str | bytes, *, user_id: str | None = None) -> int:
        """Send any text as a hub message, or bytes in a binary one, to all clients or one user's.

        The 0x1E is put behind it. Returns to how many connections it went.
        """
        count = 0
        for connection in list(self._connected):
            if connection.session.shaken and user_id in {None, connection.user_id}:
                with suppress(ConnectionError):
                    await connection.inject(text)
                    count += 1
        return count

    async def disconnect_all(self) -> None:
        """Close every connection properly, with 1001, and go on listening."""
        ends = [each.end(_GOING_AWAY, allow_reconnect=True) for each in self._connected]
        await asyncio.gather(*ends)

    def abort_all(self) -> None:
        """End every connection with RST, and go on listening."""
        for connection in self._connected:
            connection.abort()

    def _changed(self, ordered: Ordered) -> None:
        """A fault has begun or ended: the line's, the door's, or what the venue does itself."""
        self._line.changed(ordered)
        self._door.changed(ordered, self._line.begin)
        self._acts.changed(ordered)

    async def _flood(self, connection: HercleConnection, count: int) -> None:
        """Tell a user's balances so often, unasked."""
        told = self._answers.flood(connection.user_id, count)
        await connection.send_many([self._sent(connection, each, None) for each in told])

    async def _control(self, request: web.Request) -> web.Response:
        target = request.raw_path
        if not is_control(target):
            raise web.HTTPNotFound
        reply = control(self.venue, self.orders, target)
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")

    async def _negotiate(self, request: web.Request) -> web.Response:
        user_id = self._gate.negotiating(request.headers.get("Authorization", ""))
        self._line.belongs(request.transport, user_id)
        version = request.query.get("negotiateVersion", "0")
        if not (version.isascii() and version.isdigit()):
            # As ASP.NET does it: the answer is 200, and says what is wrong.
            return web.json_response({"error": "The negotiateVersion is not a number."})
        elsewhere = f"{self.url}{ELSEWHERE}"
        return web.json_response(self._gate.negotiate(user_id, int(version[:9]), elsewhere))

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        user_id = self._gate.user_of(request.headers.get("Authorization", ""))
        transport = request.transport
        if transport is None:
            raise web.HTTPBadRequest
        self._gate.admit(user_id, request.query.get("id"))
        self._line.belongs(transport, user_id)
        socket = web.WebSocketResponse(
            compress=False,
            max_msg_size=_MESSAGE_BYTES_MAX,
            timeout=float(self._config.close_seconds),
        )
        await socket.prepare(request)
        self.connections += 1
        name = f"hercle-{self._started_ns}-{self.connections}"
        connection = HercleConnection(name, user_id, socket, transport, self._around)
        self._connected.add(connection)
        keeping = asyncio.create_task(connection.keep_alive())
        try:
            await self._talk(connection)
        except Exception as error:
            # Such as a journal that cannot be written: the venue ends, not one connection.
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)
            raise
        finally:
            keeping.cancel()
            self._connected.discard(connection)
        return socket

    async def _talk(self, connection: HercleConnection) -> None:
        """Read to the end; then wait until the close has gone through in both directions."""
        with suppress(ConnectionError):
            while (data := await connection.receive()) is not None:
                for event in connection.session.receive(data):
                    await self._react(connection, event)
        await connection.end()

    async def _react(self, connection: HercleConnection, event: HubEvent) -> None:
        match event:
            case Handshake(error=None):
                # A real hub's first messages may come together with the answer.
                drawn = self._around.rng.randint(1, _PING_AFTER_HANDSHAKE_ONE_IN)
                first = [hub.PING] if drawn == 1 else []
                await connection.send(hub.HANDSHAKE_ANSWER, *first, whole=True)
            case Handshake(error=str(error)):
                self._gate.refused += 1
                await connection.send(hub.handshake_refused(error))
                await connection.end()
            case Invocation():
                slow = self.orders.on("slow", connection.user_id)
                if slow is None and not connection.turn.locked():
                    await self._answer(connection, event)
                else:
                    self._acts.begin(self._answer_slowly(connection, event, slow))
            case Goodbye(error=error):
                await connection.end(1000, error)

    async def _answer_slowly(
        self, connection: HercleConnection, invocation: Invocation, slow: Ordered | None
    ) -> None:
        """Answer in turn, after the time that an answer takes while the fault is on."""
        async with connection.turn:
            if slow is not None:
                await slow.wait(self._around.sleep(float(slow.delay_seconds)))
                self.orders.strike("slow", connection.user_id)
            with suppress(ConnectionError):
                await self._answer(connection, invocation, None if slow is None else "slow")

    async def _answer(
        self, connection: HercleConnection, invocation: Invocation, fault: str | None = None
    ) -> None:
        outgoing = [
            self._sent(connection, each, fault) if isinstance(each, Told) else each
            for each in self._answers.to(invocation, connection.user_id)
        ]
        await connection.send(*outgoing)
        await self._acts.answered(connection)

    def _sent(self, connection: HercleConnection, told: Told, fault: str | None) -> Sent:
        one = len(told.accounts) == 1
        return Sent(
            account=told.accounts[0] if one else None,
            connection=connection.name,
            sequence=told.sequence,
            sent_ns=self._around.clock_ns(),
            frame=told.text,
            fault=told.fault or fault,
            accounts=() if one else told.accounts,
        )

    async def _produce(self, failure: asyncio.Future[None]) -> None:
        changing = asyncio.create_task(self._change())
        try:
            await asyncio.gather(changing, failure)
        finally:
            changing.cancel()

    async def _change(self) -> None:
        if not self._config.rate_per_second:
            return
        pacer = Pacer(
            self._config.rate_per_second,
            monotonic_ns=self._around.monotonic_ns,
            sleep=self._around.sleep,
        )
        while True:
            await pacer.tick()
            self._world.step()
