"""One line to a venue, kept up for ever: dialled, listened to, given up, and dialled again."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from websockets.exceptions import ConnectionClosed, WebSocketException

from producers.carrier import Carrier
from producers.condition import Condition
from producers.connection import (
    KeyRefused,
    NotOpened,
    why_closed,
    why_not_opened,
)
from producers.errors import WrongKey
from producers.health import OPENING_SECONDS, Course, LineHealth
from producers.keys import LineKey
from producers.line import Line, World, told_of
from producers.listening import Listening
from producers.outcomes import (
    InDoubt,
    Kind,
    Reconnect,
    ReconnectReason,
)
from producers.pace import Backoff, DoubtPace, Patience
from producers.waiting import in_turn, pause, unless_stopped
from schemas.feeds import FeedStatus

_NS_PER_S: Final = 1_000_000_000
_LEAVING_SECONDS: Final = 60.0
_STOPPED: Final = "the producer was stopped"
_STARTED: Final = "the producer was started"
_REFUSALS: Final = {
    ReconnectReason.KEY_REFUSED: "key",
    ReconnectReason.HANDSHAKE_REFUSED: "connection",
}


class Feed:
    """Keeps one line up until it is told to stop; `run` raises WrongKey and SendFailed only.

    `accounts` are those that the line is known to have spoken for before, None for all.
    """

    def __init__(self, line: Line, world: World, accounts: Sequence[str] | None = None) -> None:
        self._line = line
        self._world = world
        self._backoff = Backoff(world.rng)
        self._patience = Patience(world.rng, line.refused_seconds)
        self._doubt_pace = DoubtPace()
        at = (line.venue.name, line.connection, world.instance)
        self._condition = Condition(
            *at,
            vouches_when_heard=line.vouches_when_heard,
            accounts=None if line.vouches_when_heard else accounts or (),
            clock_ns=world.clock_ns,
            monotonic=world.monotonic,
            lease=world.lease,
        )
        self._established_at: float | None = None
        self._left_in_doubt = False
        self._superseded = asyncio.Event()
        self._rekeyed = asyncio.Event()
        self._key = LineKey(world.key_ring, line.connection)
        self._why_anew = _STARTED
        self._carrier = Carrier(line, world, self._condition)
        self._course = Course(line.name, self._condition, world.monotonic)
        self._asked_to_stay_away = False
        self.connections = 0
        self.reconnects: Counter[ReconnectReason] = Counter()

    @property
    def condition(self) -> Condition:
        """What is told of the line."""
        return self._condition

    def health(self) -> LineHealth:
        """How the line does."""
        return self._course.health()

    @property
    def frames(self) -> int:
        """Frames that came so far."""
        return self._condition.frames

    @property
    def counted(self) -> Counter[Kind]:
        """Messages that were no balances."""
        return self._carrier.counted

    def status(self) -> FeedStatus:
        """How the line is at this moment."""
        return self._condition.status(reconnects=self._carrier.reconnects)

    def supersede(self) -> None:
        """Begin anew: somebody else's frames, of a later epoch, outrank those of this run."""
        self._superseded.set()

    def rekeyed(self, *, at_once: bool) -> None:
        """The keys were read again: perhaps another one is there for this line.

        Who waits after a refusal tries it; with `at_once` the present one, too, and a connection
        that stands with another key is made anew.
        """
        if at_once or self._key.is_other:
            self._key.again.set()
        if at_once and self._key.is_other:
            self._rekeyed.set()

    async def until_another_key(self) -> None:
        """Wait for another key, where this line was given up for its own."""
        await self._key.until_other()
        self._course.is_given_up = False
        self._patience = Patience(self._world.rng, self._line.refused_seconds)

    def overflowed(self) -> None:
        """Frames were lost on their way: what was told up to here may not be the newest."""
        detail = "frames were lost: the spool has no room"
        self._carrier.vouch(InDoubt("spooled", detail, ReconnectReason.GAP))

    async def run(self) -> None:
        """Connect, listen, and connect again, until `stop` is set."""
        pause_seconds = self._still_away_seconds()
        while not self._world.stop.is_set():
            if pause_seconds:
                asked = self._asked_to_stay_away
                await pause(self._world, pause_seconds, unless=None if asked else self._key.again)
            self._course.do("waiting for its turn, within the venue's limits", is_due_wait=True)
            await in_turn(self._world, self._world.attempts)
            if self._world.stop.is_set():
                return
            self._course.do("connecting", OPENING_SECONDS)
            ended = await self._one_connection()
            if ended is None:
                return
            pause_seconds = self._pause_seconds(ended)
            what = f"{ended.reason} ({ended.detail}); trying again in {pause_seconds:.1f} s"
            is_due = ended.patient or ended.wait_seconds > 0
            self._course.do(what, pause_seconds, is_due_wait=is_due)
            self._tell(ended, pause_seconds)

    def _still_away_seconds(self) -> float:
        """How long to stay away because of what an earlier process was told."""
        bounds = self._world.bounds
        seconds, for_key = (0.0, False) if bounds is None else bounds.away(self._line.connection)
        if seconds:
            self._asked_to_stay_away = not for_key
            words = f"the venue has sent us away; it is not dialled for another {seconds:.0f} s"
            self._world.log.info("%s: %s", self._line.name, words)
            self._course.do(words, seconds, is_due_wait=not for_key)
        return seconds

    def _pause_seconds(self, ended: Reconnect) -> float:
        """How long to stay away; raises WrongKey where nothing is gained by coming back."""
        self._count_refusal(ended.reason)
        self._asked_to_stay_away = ended.wait_seconds > 0
        if ended.reason is not ReconnectReason.KEY_REFUSED:
            self._condition.lost(ended.detail)
            self._remember(ended.wait_seconds)
            return self._backoff.pause_seconds(
                patient=ended.patient, at_least_seconds=ended.wait_seconds
            )
        self._condition.refused(ended.detail)
        if self._key.is_other_once_read(self._world.log):
            self._patience = Patience(self._world.rng, self._line.refused_seconds)
            return self._backoff.pause_seconds()
        pause_seconds = self._patience.pause_seconds()
        self._remember(pause_seconds or max(self._line.refused_seconds), for_key=True)
        if pause_seconds is None:
            self._course.is_given_up = True
            self._carrier.tell()
            raise WrongKey(self._line.venue.name, self._line.name, ended.detail)
        return pause_seconds

    def _remember(self, seconds: float, *, for_key: bool = False) -> None:
        if seconds and self._world.bounds is not None:
            self._world.bounds.stay_away(self._line.connection, seconds, for_key=for_key)

    def _count_refusal(self, reason: ReconnectReason) -> None:
        if (what := _REFUSALS.get(reason)) is not None:
            self._world.metrics.refusals.labels(self._line.venue.name, what).inc()

    def _tell(self, ended: Reconnect, pause_seconds: float) -> None:
        world, venue = self._world, self._line.venue.name
        self.reconnects[ended.reason] += 1
        self._carrier.reconnects += 1
        world.metrics.reconnects.labels(venue, ended.reason).inc()
        if ended.reason is ReconnectReason.OVERSIZE:
            world.metrics.oversize.labels(venue).inc()
        words = "%s: %s (%s); trying again in %.1f s"
        world.log.warning(
            words,
            *(self._line.name, ended.reason, ended.detail, pause_seconds),
            extra={**told_of(self._line), "reason": str(ended.reason)},
        )
        self._carrier.tell()

    async def _one_connection(self) -> Reconnect | None:
        """A connection's whole life; None where it ended because we were told to stop."""
        self._key.use()
        self._rekeyed.clear()
        try:
            socket = await unless_stopped(self._world.stop, self._line.open())
        except KeyRefused as refused:
            return Reconnect(ReconnectReason.KEY_REFUSED, refused.detail)
        except (NotOpened, OSError, TimeoutError, WebSocketException) as error:
            return why_not_opened(error)
        if socket is None:
            return None
        self.connections += 1
        if self._left_in_doubt:
            # From here on it counts how long ago that was: the way back may have taken a while.
            self._doubt_pace.note(self._world.monotonic())
            self._left_in_doubt = False
        self._course.do("connected, not accepted yet", OPENING_SECONDS)
        self._superseded.clear()
        self._condition.begin_epoch(
            self._world.epochs.next(), "reconnected", f"connected anew ({self._why_anew})"
        )
        socket.on_heard = self._heard
        self._heard()
        listening = Listening(
            socket,
            self._line.session(),
            self._world,
            self._carrier,
            self._doubt_pace,
            heard=self._heard,
            established=self._established,
        )
        async with socket:
            ended = None
            try:
                ended = await listening.run(self._superseded, self._rekeyed)
            except ConnectionClosed as closed:
                ended = self._why_closed(closed)
            finally:
                self._left_in_doubt = listening.left_in_doubt
                self._lost(ended)
                self._course.do("closing", _LEAVING_SECONDS)
            await listening.take_leave()
        return None if self._world.stop.is_set() else ended

    def _why_closed(self, closed: ConnectionClosed) -> Reconnect:
        if self._superseded.is_set():
            detail = "another connection told of the same accounts under a later epoch, and is gone"
            return Reconnect(ReconnectReason.SUPERSEDED, detail)
        if self._rekeyed.is_set():
            return Reconnect(ReconnectReason.KEY_CHANGED, "there is another key")
        return why_closed(closed)

    def _heard(self) -> int:
        """The venue lives: something came, if only a pong; the time (ns since 1970)."""
        self._condition.heard()
        last_heard = self._world.metrics.last_heard_seconds.labels(self._line.venue.name)
        last_heard.set(self._condition.heard_ns / _NS_PER_S)
        return self._condition.heard_ns

    def _established(self) -> None:
        self._established_at = self._world.monotonic()
        self._patience.accepted()
        self._condition.established()
        self._world.metrics.connected.labels(self._line.venue.name).inc()
        extra = {**told_of(self._line), "epoch": (epoch := self._condition.epoch)}
        self._world.log.info("%s: connected, epoch %d", self._line.name, epoch, extra=extra)
        self._carrier.tell()

    def _lost(self, ended: Reconnect | None) -> None:
        if self._established_at is None:
            return
        self._backoff.held(self._world.monotonic() - self._established_at)
        self._established_at = None
        self._world.metrics.connected.labels(self._line.venue.name).dec()
        why = _STOPPED if ended is None or self._world.stop.is_set() else ended.detail
        self._why_anew = why
        self._condition.lost(why)
        self._carrier.tell()
