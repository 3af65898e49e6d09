"""Who is connected, and for how long: what keeps a worker reachable among slow strangers.

Nobody has to show a token to open a connection and send half a request. So a request has to be
there within a time, an answer has to be taken within a time, and only so many are connected. Where
one too many comes, the one goes that has waited longest without ever having asked anything, else
the one that has been idle longest. Where all are being answered, the new one is told that there are
too many, unless it asks for what probes ask.

Pure: times are passed in, and connections are whatever can be told to `drop`.
"""

import resource
from enum import Enum
from typing import Final, Protocol

import msgspec

_DESCRIPTORS_SHARE: Final = 2
_ACCEPTED_SHARE: Final = 8


class Bounds(msgspec.Struct, frozen=True):
    """How many may be connected, and for how long each may take, in seconds.

    `request_seconds` until a request's header is there, `answer_seconds` until its answer is taken
    (streams, which mind their readers themselves, aside), `idle_seconds` between two requests.
    `spare` more than `connections_max` are let in to ask what probes ask. `accepted_at_once` may be
    there for a moment, too: asyncio accepts all who wait before it tells of the first.
    """

    connections_max: int = 2_000
    spare: int = 16
    accepted_at_once: int = 128
    request_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 75.0

    def within(self, descriptors: int) -> "Bounds":
        """The same for a process that may have so many files and sockets: a half of them."""
        fitting = max(1, descriptors // _DESCRIPTORS_SHARE - self.spare)
        return msgspec.structs.replace(
            self,
            connections_max=min(self.connections_max, fitting),
            accepted_at_once=min(self.accepted_at_once, max(1, descriptors // _ACCEPTED_SHARE)),
        )


BOUNDS: Final = Bounds()


def descriptors() -> int:
    """How many files and sockets this process may have, after it has asked for all it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


class Doing(Enum):
    """What a connection is at."""

    ASKING = "asking"
    ANSWERED = "answered"
    IDLE = "idle"
    STREAMED = "streamed"


class Connection(Protocol):
    """One who is connected."""

    def doing(self) -> tuple[Doing, object]:
        """What it is at, and a mark that is another one for each request."""

    def drop(self) -> None:
        """Close it at once."""


class _Known:
    """What is known of one: since when it is at what it is at, and whether it ever asked."""

    __slots__ = ("at", "has_asked", "is_spare", "since")

    def __init__(self, at: tuple[Doing, object], since: float, *, is_spare: bool) -> None:
        self.at = at
        self.since = since
        self.has_asked = False
        self.is_spare = is_spare


class Crowd:
    """All who are connected. `came` and `left` tell of each, `look` is called once a second."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._known: dict[Connection, _Known] = {}
        self._seconds = {
            Doing.ASKING: bounds.request_seconds,
            Doing.ANSWERED: bounds.answer_seconds,
            Doing.IDLE: bounds.idle_seconds,
        }

    def __len__(self) -> int:
        return len(self._known)

    def came(self, one: Connection, now: float) -> Connection | None:
        """Take in a new one; the one that had to go for it, which may be itself."""
        gone = None
        if len(self._known) >= self.bounds.connections_max:
            gone = self._least(now)
            if gone is None and len(self._known) >= self.bounds.connections_max + self.bounds.spare:
                one.drop()
                return one
            if gone is not None:
                self.left(gone)
                gone.drop()
        is_spare = len(self._known) >= self.bounds.connections_max
        self._known[one] = _Known(one.doing(), now, is_spare=is_spare)
        return gone

    def left(self, one: Connection) -> None:
        """It is connected no more."""
        self._known.pop(one, None)

    def is_spare(self, one: Connection) -> bool:
        """Whether it is one too many, let in to ask what probes ask."""
        known = self._known.get(one)
        return (
            known is not None and known.is_spare and len(self._known) > self.bounds.connections_max
        )

    def look(self, now: float) -> list[tuple[Connection, Doing]]:
        """Drop who takes too long; those, and what they were at."""
        late = []
        for one, known in self._known.items():
            self._see(one, known, now)
            doing = known.at[0]
            if now - known.since > self._seconds.get(doing, float("inf")):
                late.append((one, doing))
        for one, _ in late:
            self.left(one)
            one.drop()
        return late

    @staticmethod
    def _see(one: Connection, known: _Known, now: float) -> None:
        at = one.doing()
        if at != known.at:
            known.at, known.since = at, now
        known.has_asked = known.has_asked or at[0] is not Doing.ASKING

    def _least(self, now: float) -> Connection | None:
        """Who is missed least of those that are not being answered."""
        least, rank = None, (True, 0.0)
        for one, known in self._known.items():
            self._see(one, known, now)
            if known.at[0] not in (Doing.ASKING, Doing.IDLE):
                continue
            if least is None or (known.has_asked, known.since) < rank:
                least, rank = one, (known.has_asked, known.since)
        return least
