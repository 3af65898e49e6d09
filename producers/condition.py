"""How a line is, as its producer tells the workers: its state, what it vouches for, since when.

Only the clocks come from outside. What happens to the line is told by method; `status` says what
all of it amounts to at this moment.

Whoever reads a status subtracts its times from each other. So they are true to each other, also
where the clock was set meanwhile: how long ago something was is counted by one that nobody sets.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, get_args

from schemas.feeds import Cause, ConfirmedFrom, Doubt, FeedStatus
from schemas.times import rfc3339

State = Literal["connected", "disconnected", "refused"]
STATES: Final[tuple[State, ...]] = get_args(State)
_NS_PER_S: Final = 1_000_000_000
# What a clock is put right by in small steps; more, and it was set.
_SET_NS: Final = _NS_PER_S


class _Moment(NamedTuple):
    """A moment by both clocks: ns since 1970 and monotonic seconds."""

    time_ns: int
    at: float


class Ages(NamedTuple):
    """How many seconds ago something was; None where it has not been yet."""

    heard: float | None
    last_frame: float | None
    last_confirmation: float | None


class Condition:
    """The condition of one line.

    `vouches_when_heard`: the venue tells every change unasked, so that being heard confirms what
    it told before. Elsewhere only an answered question does. `accounts` are those the line spoke
    for when it was last heard of, None for all of the venue.
    """

    def __init__(
        self,
        venue: str,
        connection: str,
        instance: str,
        *,
        vouches_when_heard: bool,
        accounts: Sequence[str] | None,
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        lease: int = 0,
    ) -> None:
        self.venue = venue
        self.connection = connection
        self._instance = instance
        self._lease = lease
        self._vouches_when_heard = vouches_when_heard
        self._accounts = accounts
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._state: State = "disconnected"
        self._since = self._now()
        self._doubt: Doubt | None = self._doubted("connection_lost", "not connected yet")
        self._confirmed_from: ConfirmedFrom | None = None
        self._confirmed: _Moment | None = None
        self._heard: _Moment | None = None
        self._frame: _Moment | None = None
        self.epoch = 0
        self.receipt = 0
        self.frames = 0
        self.gaps = 0

    @property
    def state(self) -> State:
        """Whether the connection stands, is gone, or is refused."""
        return self._state

    @property
    def is_connected(self) -> bool:
        """Whether the venue has accepted us, and the connection stands."""
        return self._state == "connected"

    @property
    def vouching(self) -> tuple[object, ...]:
        """What workers have to hear of at once where it changes."""
        cause = None if self._doubt is None else self._doubt.cause
        return self._state, cause, self._confirmed_from, self._accounts, self.epoch

    def heard(self) -> None:
        """Something came from the venue, if only a pong."""
        self._heard = self._moment()

    @property
    def heard_ns(self) -> int:
        """When something came last, 0 before that; as the clock was then."""
        return 0 if self._heard is None else self._heard.time_ns

    def begin_epoch(self, epoch: int, cause: Cause, reason: str) -> None:
        """A new run: nothing that was told before it is vouched for."""
        self.epoch, self.receipt = epoch, 0
        self._confirmed_from = ConfirmedFrom(1, self._doubted(cause, reason))

    def received(self, received_ns: int, count: int = 1) -> None:
        """Frames of the present run, which came together; `receipt` is the last one's."""
        self.frames += count
        self.receipt += count
        self._frame = _Moment(received_ns, self._monotonic())

    def established(self) -> None:
        """The venue has accepted us."""
        self._become("connected", None)

    def lost(self, reason: str) -> None:
        """The connection is gone, or did not come about."""
        since = self._since if self._state == "disconnected" else self._now()
        self._become("disconnected", Doubt("connection_lost", reason, since))

    def refused(self, reason: str) -> None:
        """The venue refuses the key."""
        since = self._since if self._state == "refused" else self._now()
        self._become("refused", Doubt("key_refused", reason, since))

    def in_doubt(self, cause: Cause, reason: str, *, spares_last: bool) -> None:
        """What was told up to here may be outdated, but for the last frame with `spares_last`."""
        self.gaps += cause == "gap"
        receipt = self.receipt + (not spares_last)
        known = self._confirmed_from
        # The first doubt of a row is what a person wants to know, as long as nothing ended it.
        if known is None or known.receipt < receipt:
            self._confirmed_from = ConfirmedFrom(receipt, self._doubted(cause, reason))

    def doubted(self, cause: Cause, reason: str) -> None:
        """The venue vouches for nothing at present."""
        known = self._doubt
        since = self._now() if known is None else known.since
        self._doubt = Doubt(cause, reason, since)

    def confirmed(self, accounts: Sequence[str]) -> None:
        """The venue has told the present balances of these accounts."""
        self._confirmed = self._moment()
        self._accounts = accounts
        if self.is_connected:
            self._doubt = None

    def status(self, *, reconnects: int) -> FeedStatus:
        """How the line is at this moment."""
        accounts, now = self._accounts, self._moment()
        return FeedStatus(
            venue=self.venue,
            connection=self.connection,
            state=self._state,
            epoch=self.epoch or None,
            last_heard=_time(self._heard, now),
            last_frame=_time(self._frame, now),
            frames=self.frames,
            gaps=self.gaps,
            reconnects=reconnects,
            time=rfc3339(now.time_ns),
            since=self._since,
            doubt=self._doubt,
            confirmed_from=self._confirmed_from,
            accounts=None if accounts is None else list(accounts),
            last_confirmed=_time(self._last_confirmed(), now),
            instance=self._instance,
            lease=self._lease,
        )

    @property
    def silent_seconds(self) -> float:
        """How long ago something was heard; 0 where nothing was yet."""
        return self.ages().heard or 0.0

    def ages(self) -> Ages:
        """How long ago what was, by the clock that nobody sets."""
        now = self._monotonic()

        def age(moment: _Moment | None) -> float | None:
            return None if moment is None else max(0.0, now - moment.at)

        return Ages(age(self._heard), age(self._frame), age(self._last_confirmed()))

    def _last_confirmed(self) -> _Moment | None:
        if self._vouches_when_heard and self.is_connected:
            self._confirmed = self._heard
        return self._confirmed

    def _become(self, state: State, doubt: Doubt | None) -> None:
        if self.is_connected:
            self._last_confirmed()
        if state != self._state:
            self._state, self._since = state, self._now()
        self._doubt = doubt

    def _doubted(self, cause: Cause, reason: str) -> Doubt:
        return Doubt(cause, reason, self._now())

    def _now(self) -> str:
        return rfc3339(self._clock_ns())

    def _moment(self) -> _Moment:
        return _Moment(self._clock_ns(), self._monotonic())


def _time(moment: _Moment | None, now: _Moment) -> str | None:
    """When that was, by the clock as it is now."""
    if moment is None:
        return None
    passed_ns = round((now.at - moment.at) * _NS_PER_S)
    was_set = abs(now.time_ns - moment.time_ns - passed_ns) > _SET_NS
    return rfc3339(now.time_ns - passed_ns if was_set else moment.time_ns)
