"""Whether a producer works, and whether it does what it is there for. No sockets, no clock.

Not alive is what only a restart can mend: nobody looks after the lines any more, or one of them
stands still. A venue or a Kafka that is away is none of that; then the producer is not ready.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec

STUCK_SECONDS: Final = 60.0
"""For so long something may be overdue before a restart is asked for."""
KAFKA_SECONDS: Final = 10.0
"""For so long frames may wait without Kafka taking one of them."""
# These are beyond any of a line's own deadlines.
OPENING_SECONDS: Final = 120.0
_SILENT_SECONDS: Final = 120.0
_FOREVER: Final = float("inf")
State = Literal["connected", "waiting", "down", "given_up"]
_STARTING: Final = "starting: Kafka has not been read yet"


class Doing(msgspec.Struct, frozen=True):
    """What a line is about, and by when that is over (monotonic seconds) unless it is stuck.

    `is_due_wait`: it waits because the venue asked for that, or its limits do.
    """

    what: str
    until: float
    is_due_wait: bool = False


class LineHealth(msgspec.Struct, frozen=True):
    """How a line is. `waiting`: not connected, and rightly so. `given_up`: its key was refused.

    `is_overdue`: what it is about should be over.
    """

    name: str
    state: State
    what: str
    is_overdue: bool = False


class Conditioned(Protocol):
    """What is told of a line: see `producers.condition.Condition`."""

    @property
    def is_connected(self) -> bool:
        """Whether the venue has accepted us, and the connection stands."""

    @property
    def silent_seconds(self) -> float:
        """How long ago something was heard."""


class Course:
    """What a line is about, from one step to the next: `do` says it, `health` judges it."""

    def __init__(self, name: str, condition: Conditioned, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._condition = condition
        self._monotonic = monotonic
        self._doing = Doing("about to begin", monotonic() + OPENING_SECONDS)
        self.is_given_up = False

    def do(self, what: str, seconds: float = _FOREVER, *, is_due_wait: bool = False) -> None:
        """From now on it is about this, which takes so long at most."""
        self._doing = Doing(what, self._monotonic() + seconds, is_due_wait)

    def health(self) -> LineHealth:
        """How the line is at this moment."""
        if self.is_given_up:
            return LineHealth(self._name, "given_up", "the venue refuses the key")
        doing = self._doing
        if not self._condition.is_connected:
            state: State = "waiting" if doing.is_due_wait else "down"
            overdue = self._monotonic() > doing.until
            return LineHealth(self._name, state, doing.what, is_overdue=overdue)
        overdue = self._condition.silent_seconds > _SILENT_SECONDS
        return LineHealth(self._name, "connected", "listening", is_overdue=overdue)


class Sending(Protocol):
    """The frames on their way to Kafka: see `producers.publisher.Publisher`."""

    acknowledged: int

    @property
    def waiting(self) -> int:
        """How many frames Kafka does not have yet."""


class Reports(Protocol):
    """What is told of the lines: see `producers.statuses.Reporter`."""

    @property
    def is_heard(self) -> bool:
        """Whether Kafka takes it."""

    @property
    def is_broken(self) -> bool:
        """Whether nobody tells it any more."""


class Health:
    """The health of one producer: `follow` says what to look at, `tick` looks, a second apart.

    The questions `not_alive` and `not_ready` give a reason in words, or None. `begun` is called
    where the lines begin.
    """

    def __init__(
        self, monotonic: Callable[[], float], begun: Callable[[], object] = lambda: None
    ) -> None:
        self._monotonic = monotonic
        self.begun = begun
        self._lines: Sequence[Callable[[], LineHealth]] = ()
        self._overdue: list[int] = []
        self._frames: Sending | None = None
        self._reports: Reports | None = None
        self._ticked_at = 0.0
        self._acknowledged = 0
        self._moved_at = 0.0
        self._stands_by = False

    def stand_by(self) -> None:
        """From now on it is about nothing but waiting for another producer's end."""
        self._lines, self._overdue, self._frames, self._reports = (), [], None, None
        self._stands_by = True

    def follow(
        self,
        lines: Sequence[Callable[[], LineHealth]],
        frames: Sending,
        reports: Reports,
    ) -> None:
        """From now on it is about these lines, their frames, and what is told of them."""
        self._lines, self._frames, self._reports = lines, frames, reports
        self._stands_by = False
        self._overdue = [0] * len(lines)
        self._ticked_at = self._moved_at = self._monotonic()
        self.begun()

    def tick(self) -> None:
        """Look at all of it; called once a second by whoever looks after the lines.

        What is overdue is counted by these calls: a pause of the whole process is one of them.
        """
        if self._frames is None:
            return
        self._ticked_at = self._monotonic()
        for number, line in enumerate(self._lines):
            self._overdue[number] = self._overdue[number] + 1 if line().is_overdue else 0
        if not self._frames.waiting or self._frames.acknowledged != self._acknowledged:
            self._acknowledged = self._frames.acknowledged
            self._moved_at = self._ticked_at

    def not_alive(self) -> str | None:
        """Why only a restart can help."""
        if self._frames is None:
            return None
        since = self._monotonic() - self._ticked_at
        if since > STUCK_SECONDS:
            return f"nobody has looked after the lines for {since:.0f} s"
        if self._reports is not None and self._reports.is_broken:
            return "nobody tells any more how the lines are"
        for overdue, line in zip(self._overdue, self._lines, strict=True):
            if overdue > STUCK_SECONDS:
                found = line()
                return f"{found.name} stands still: {found.what}"
        return None

    def not_ready(self) -> str | None:
        """Why frames do not get from all lines into Kafka, as far as that is not to be expected."""
        if self._frames is None:
            return None if self._stands_by else _STARTING
        for line in self._lines:
            found = line()
            if found.state in ("down", "given_up"):
                return f"{found.name}: {found.what}"
        since = self._monotonic() - self._moved_at
        if self._frames.waiting and since > KAFKA_SECONDS:
            return f"Kafka has taken none of {self._frames.waiting} frames for {since:.0f} s"
        if self._reports is not None and not self._reports.is_heard:
            return "Kafka does not take the state of the connections"
        return None
