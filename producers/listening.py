"""One open connection, from its first word to its last: what comes is carried, what is due said."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from producers.carrier import Carrier
from producers.connection import Socket, close_at, next_messages
from producers.line import World
from producers.outcomes import (
    Confirmed,
    Count,
    Doubted,
    Established,
    InDoubt,
    Outcome,
    Publish,
    Reconnect,
    Run,
    Send,
    Session,
)
from producers.waiting import Overdue, in_turn


class Pace(Protocol):
    """When a connection may be left for a doubt: see `producers.pace.DoubtPace`."""

    def due(self, now: float) -> float:
        """The time from which on, in monotonic seconds."""


class Listening:
    """Carries out what a connection's session decides.

    `heard` is called whenever something has come, and tells the time (ns since 1970); `established`
    when the venue has accepted us.
    """

    def __init__(
        self,
        socket: Socket,
        session: Session,
        world: World,
        carrier: Carrier,
        pace: Pace,
        *,
        heard: Callable[[], int],
        established: Callable[[], object],
    ) -> None:
        self._socket = socket
        self._session = session
        self._run: Run = getattr(session, "run", _none)
        self._world = world
        self._carrier = carrier
        self._pace = pace
        self._heard = heard
        self._on_established = established
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._received_ns = 0
        self._leave_at = float("inf")
        self._leave: Reconnect | None = None
        self._untaken: list[bytes] = []
        self.left_in_doubt = False
        """Whether it was given up for what it had told."""

    async def run(self, *give_up: asyncio.Event) -> Reconnect:
        """Receive, and do what is due, until the session or the connection ends.

        Raises ConnectionClosed; so it does once the producer is stopped, or told to `give_up`.
        """
        world, session = self._world, self._session
        helpers = [
            *(
                asyncio.create_task(close_at(event, self._socket))
                for event in (world.stop, *give_up)
            ),
            # Beside the listening: a venue that does not read must not keep us from reading.
            asyncio.create_task(self._send_all()),
        ]
        try:
            ended = self._carry_out(session.start(world.monotonic()))
            overdue, messages = Overdue(), list[bytes]()
            while ended is None:
                wait_seconds = min(session.due, self._leave_at) - world.monotonic()
                if overdue.is_up(wait_seconds, world.monotonic()):
                    messages = []
                else:
                    messages = await next_messages(self._socket, wait_seconds)
                if messages:
                    ended = self._take(messages)
                    await world.publisher.written()
                else:
                    ended = self._carry_out(session.tick(world.monotonic())) or self._left()
            return ended
        finally:
            for helper in helpers:
                helper.cancel()

    async def take_leave(self) -> None:
        """Close, and publish what still comes up to the venue's own close or the deadline."""
        closing = asyncio.create_task(self._socket.close())
        messages, self._untaken = self._untaken, []
        try:
            while True:
                self._take_last(messages)
                await self._world.publisher.written()
                messages = await self._socket.messages()
        except ConnectionClosed:
            await closing
        finally:
            closing.cancel()

    def _take(self, messages: list[bytes]) -> Reconnect | None:
        """Take messages that came together; what is left of them where the connection ends."""
        self._received_ns = self._heard()
        now, at = self._world.monotonic(), 0
        while at < len(messages):
            taken = self._take_run(messages, at)
            ended: Reconnect | None = None
            if not taken:
                ended = self._carry_out(self._session.receive(messages[at], now))
                taken = 1
            at += taken
            if self._leave is not None or ended is not None:
                ended = ended or self._left()
            if ended is not None:
                self._untaken = messages[at:]
                return ended
        return None

    def _take_last(self, messages: list[bytes]) -> None:
        """The same once the connection is given up: nothing else follows from them."""
        self._received_ns = self._heard()
        at = 0
        while at < len(messages):
            taken = self._take_run(messages, at)
            if not taken:
                outcomes = self._session.receive(messages[at], self._world.monotonic())
                self._carry_out([one for one in outcomes if isinstance(one, Publish | Count)])
                taken = 1
            at += taken

    def _take_run(self, messages: list[bytes], at: int) -> int:
        """Take the frames of which there is no more to say; how many."""
        found = self._run(messages, at)
        if found is None:
            return 0
        self._carrier.publish_all(found, self._received_ns)
        return len(found.frames)

    def _left(self) -> Reconnect | None:
        """The reconnect that a doubt asked for, once its time has come."""
        if self._leave is None or self._world.monotonic() < self._leave_at:
            return None
        self.left_in_doubt = True
        return self._leave

    def _carry_out(self, outcomes: Iterable[Outcome]) -> Reconnect | None:
        ended: Reconnect | None = None
        for outcome in outcomes:
            match outcome:
                case Publish():
                    self._carrier.publish(outcome, self._received_ns)
                case Count():
                    self._carrier.count(outcome)
                case Send(text=text) if ended is None:
                    self._outbox.put_nowait(text)
                case Established():
                    self._on_established()
                case Doubted() | Confirmed():
                    self._carrier.vouch(outcome)
                case InDoubt():
                    self._carrier.vouch(outcome)
                    self._leave_for(outcome)
                case Reconnect():
                    ended = ended or outcome
        return ended

    def _leave_for(self, doubt: InDoubt) -> None:
        """Have the connection given up for a new one, as soon as that is no hurry."""
        if self._leave is None:
            self._leave = Reconnect(doubt.reason, doubt.detail)
            self._leave_at = self._pace.due(self._world.monotonic())

    async def _send_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # whoever listens is told, too
            while True:
                text = await self._outbox.get()
                await in_turn(self._world, self._world.requests)
                if self._socket.state is State.OPEN:
                    await self._socket.send(text)


def _none(_messages: list[bytes], _first: int) -> None:
    """Where a session has no short way, each message is for `receive`."""
