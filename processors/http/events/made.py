"""What was made for readers and is still good for others: so that those at the newest go together.

What a row said a moment ago may be told: whoever gets it has not been told anything later of that
row, and will be, by what the log has entered since. It is forgotten after half a second. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from processors.http.events.log import Change, Place
from processors.http.events.source import Told
from processors.http.events.wanted import Wanted

KEPT_SECONDS: Final = 0.25
"""For so long at least what was made is kept, and for twice as long at most."""

Name = tuple[Wanted, tuple[tuple[int, Place], ...]]
"""What is wanted, and how far who wants it was told."""
Telling = tuple[int, Change]
"""A change of a partition."""


class Stretch(NamedTuple):
    """Some events, and how far who gets them is told then."""

    text: bytes
    places: dict[int, Place]


class Made:
    """Stretches by who may have them, and what is told of each change; new and getting old."""

    def __init__(self) -> None:
        self.stretches: dict[Name, Stretch] = {}
        self.tellings: dict[Telling, Sequence[Told]] = {}
        self._old_stretches: dict[Name, Stretch] = {}
        self._old_tellings: dict[Telling, Sequence[Told]] = {}
        self._since = 0.0

    def stretch(self, name: Name) -> Stretch | None:
        """What was made for somebody else who stood there."""
        return self.stretches.get(name) or self._old_stretches.get(name)

    def told(self, telling: Telling) -> Sequence[Told] | None:
        """What was told of a change."""
        found = self.tellings.get(telling)
        return self._old_tellings.get(telling) if found is None else found

    def grow_old(self, now: float) -> None:
        """Forget what is too old; `now` counts seconds."""
        if now - self._since >= KEPT_SECONDS:
            self._old_stretches, self.stretches = self.stretches, {}
            self._old_tellings, self.tellings = self.tellings, {}
            self._since = now

    def forget(self) -> None:
        """Forget all: somebody was told of rows as they are now, or a log began anew."""
        for made in (self.stretches, self._old_stretches, self.tellings, self._old_tellings):
            made.clear()
