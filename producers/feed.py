"""One line to a venue, kept up for ever: it carries out what the venue's session decides."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from producers.connection import (
    NotOpened,
    Socket,
    close_at,
    next_message,
    why_closed,
    why_not_opened,
)
from producers.errors import WrongKey
from producers.hiding import hidden
from producers.line import Line, World
from producers.outcomes import (
    Count,
    Established,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Refused,
    Send,
    Session,
)
from producers.pace import Backoff, RateBound
from schemas.feeds import FeedStatus
from schemas.headers import RawHeaders
from schemas.times import rfc3339
from schemas.words import Words

T = TypeVar("T")

_NS_PER_S: Final = 1_000_000_000


class Feed:
    """Keeps one line up until it is told to stop; `run` raises WrongKey and SendFailed only."""

    def __init__(self, line: Line, world: World) -> None:
        self._line = line
        self._world = world
        self._backoff = Backoff(world.rng)
        self._epoch = 0
        self._receipt = 0
        self._received_ns = 0
        self._frame_ns = 0
        self._heard_ns = 0
        self._established_at: float | None = None
        self._words = Words()
        self.connections = 0
        self.frames = 0
        self.reconnects: Counter[ReconnectReason] = Counter()
        self.counted: Counter[Kind] = Counter()

    def status(self) -> FeedStatus:
        """How the line is at this moment."""
        return FeedStatus(
            venue=self._line.venue.name,
            connection=self._line.connection,
            state="disconnected" if self._established_at is None else "connected",
            epoch=self._epoch or None,
            last_heard=_time(self._heard_ns),
            last_frame=_time(self._frame_ns),
            frames=self.frames,
            gaps=0,
            reconnects=self.reconnects.total(),
            time=rfc3339(self._world.clock_ns()),
        )

    async def run(self) -> None:
        """Connect, listen, and connect again, until `stop` is set."""
        pause_seconds = 0.0
        while not self._world.stop.is_set():
            await self._pause(pause_seconds)
            if self._world.stop.is_set():
                return
            ended = await self._one_connection()
            if ended is None:
                return
            pause_seconds = self._backoff.pause_seconds(patient=ended.patient)
            self._tell(ended, pause_seconds)

    def _tell(self, ended: Reconnect, pause_seconds: float) -> None:
        world, venue = self._world, self._line.venue.name
        self.reconnects[ended.reason] += 1
        world.metrics.reconnects.labels(venue, ended.reason).inc()
        if ended.reason is ReconnectReason.OVERSIZE:
            world.metrics.oversize.labels(venue).inc()
        words = "%s: %s (%s); trying again in %.1f s"
        world.log.warning(words, self._line.name, ended.reason, ended.detail, pause_seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait for the backoff, then for the venue's limit; cut short by `stop`."""
        if seconds:
            await self._unless_stopped(_finish(self._world.sleep(seconds)))
        await self._in_turn(self._world.attempts)

    async def _in_turn(self, bound: RateBound) -> None:
        """Wait until the venue's limit lets us, and use it; cut short by `stop`."""
        world = self._world
        while not world.stop.is_set():
            wait_seconds = bound.wait_seconds(world.monotonic())
            if wait_seconds <= 0:
                bound.note(world.monotonic())
                return
            await self._unless_stopped(_finish(world.sleep(wait_seconds)))

    async def _one_connection(self) -> Reconnect | None:
        """A connection's whole life; None where it ended because we were told to stop."""
        try:
            socket = await self._unless_stopped(self._line.open())
        except (NotOpened, OSError, TimeoutError, WebSocketException) as error:
            return why_not_opened(error)
        if socket is None:
            return None
        self.connections += 1
        self._begin_epoch()
        socket.on_heard = self._heard
        self._heard()
        session = self._line.session()
        async with socket:
            try:
                ended = await self._listen(socket, session)
            except ConnectionClosed as closed:
                ended = why_closed(closed)
            finally:
                self._lost()
            await self._take_leave(socket, session)
        return None if self._world.stop.is_set() else ended

    async def _listen(self, socket: Socket, session: Session) -> Reconnect:
        """Receive, and do what is due, until the session or the connection ends."""
        world = self._world
        closer = asyncio.create_task(close_at(world.stop, socket))
        try:
            ended = await self._carry_out(session.start(world.monotonic()), socket)
            while ended is None:
                wait_seconds = session.due - world.monotonic()
                message = await next_message(socket, wait_seconds) if wait_seconds > 0 else None
                if message is None:
                    outcomes = session.tick(world.monotonic())
                else:
                    outcomes = self._receive(message, session)
                ended = await self._carry_out(outcomes, socket)
            return ended
        finally:
            closer.cancel()

    async def _take_leave(self, socket: Socket, session: Session) -> None:
        """Close, and publish what still comes up to the venue's own close or the deadline."""
        closing = asyncio.create_task(socket.close())
        try:
            while True:
                message = await socket.recv(decode=False)
                outcomes = self._receive(message, session)
                frames = [outcome for outcome in outcomes if isinstance(outcome, Publish | Count)]
                await self._carry_out(frames, socket)
        except ConnectionClosed:
            await closing
        finally:
            closing.cancel()

    def _receive(self, message: bytes, session: Session) -> Sequence[Outcome]:
        world = self._world
        self._heard()
        self._received_ns = self._heard_ns
        return session.receive(message, world.monotonic())

    def _heard(self) -> None:
        """The venue lives: something came, if only a pong."""
        self._heard_ns = self._world.clock_ns()
        last_heard = self._world.metrics.last_heard_seconds.labels(self._line.venue.name)
        last_heard.set(self._heard_ns / _NS_PER_S)

    async def _carry_out(self, outcomes: Iterable[Outcome], socket: Socket) -> Reconnect | None:
        ended: Reconnect | None = None
        for outcome in outcomes:
            match outcome:
                case Publish():
                    await self._publish(outcome)
                case Count():
                    self._count(outcome)
                case Send(text=text) if ended is None:
                    await self._send(text, socket)
                case Established():
                    self._established()
                case Refused(detail=detail):
                    raise WrongKey(self._line.venue.name, self._line.name, detail)
                case Reconnect():
                    ended = ended or outcome
        return ended

    async def _publish(self, found: Publish) -> None:
        world, venue = self._world, self._line.venue
        if found.begins_epoch:
            self._begin_epoch()
            self._say(f"{self._line.name}: the venue counts from the start again")
        found, redacted = hidden(found)
        if redacted:
            self._say(f"{self._line.name}: the venue sent a secret of ours: hidden ({redacted})")
        self.frames += 1
        self._frame_ns = self._received_ns
        self._receipt += 1
        world.metrics.frames_received.labels(venue.name).inc()
        headers = RawHeaders(
            venue=venue.name,
            feed=venue.feed,
            epoch=self._epoch,
            receipt=self._receipt,
            received_time=rfc3339(self._received_ns),
            redacted=redacted,
        )
        await world.publisher.publish(found.frame, found.key, headers)

    def _count(self, found: Count) -> None:
        self.counted[found.kind] += 1
        self._world.metrics.messages_counted.labels(self._line.venue.name, found.kind).inc()
        if found.detail is not None:
            self._say(f"{self._line.name}: the venue says: {found.detail}")

    def _say(self, text: str) -> None:
        """Log what may come with every frame: each kind of words once a minute."""
        line = self._words.say(text, int(self._world.monotonic()))
        if line is not None:
            self._world.log.warning("%s", line)

    async def _send(self, text: str, socket: Socket) -> None:
        await self._in_turn(self._world.requests)
        # A socket that is being closed takes nothing more, and waiting for it would stop reading.
        if socket.state is State.OPEN:
            await socket.send(text)

    def _begin_epoch(self) -> None:
        self._epoch, self._receipt = self._world.epochs.next(), 0

    def _established(self) -> None:
        self._established_at = self._world.monotonic()
        self._world.metrics.connected.labels(self._line.venue.name).inc()
        self._world.log.info("%s: connected, epoch %d", self._line.name, self._epoch)
        self._world.tell(self.status())

    def _lost(self) -> None:
        if self._established_at is None:
            return
        self._backoff.held(self._world.monotonic() - self._established_at)
        self._established_at = None
        self._world.metrics.connected.labels(self._line.venue.name).dec()
        self._world.tell(self.status())

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`, or None where `stop` is set before: then it is cancelled."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._world.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            stopping.cancel()
            if working.cancel():
                await asyncio.gather(working, return_exceptions=True)


async def _finish(work: Awaitable[object]) -> None:
    await work


def _time(time_ns: int) -> str | None:
    return rfc3339(time_ns) if time_ns else None
