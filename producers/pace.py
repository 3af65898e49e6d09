"""How often a venue is tried: full jitter, and never above the venue's own limits. Pure.

Source: sFOX allows 40 WebSocket requests a minute and blocks for 2 minutes beyond that; full
jitter is AWS's "Exponential Backoff And Jitter".
"""

from collections import deque
from random import Random
from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0
HELD_SECONDS: Final = 5.0
"""A connection that held this long was a good one: the next loss begins with a short pause."""
MINUTE_SECONDS: Final = 60.0
ATTEMPTS_PER_MINUTE: Final = 15
"""Connection attempts a minute; at two requests each this stays below `REQUESTS_PER_MINUTE`."""
REQUESTS_PER_MINUTE: Final = 40


class Backoff:
    """Pauses between attempts: random between nothing and a ceiling that doubles to a bound."""

    def __init__(
        self,
        rng: Random,
        *,
        first_seconds: float = FIRST_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._rng = rng
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._ceiling_seconds = first_seconds

    def pause_seconds(self, *, patient: bool = False) -> float:
        """The next pause; `patient` where the venue asked not to hurry: from the longest range."""
        if patient:
            self._ceiling_seconds = self._longest_seconds
        ceiling = self._ceiling_seconds
        self._ceiling_seconds = min(ceiling * 2, self._longest_seconds)
        return self._rng.uniform(0, ceiling)

    def held(self, seconds: float) -> None:
        """A connection was established for this long before it was lost."""
        if seconds >= HELD_SECONDS:
            self._ceiling_seconds = self._first_seconds


class RateBound:
    """At most `limit` uses within any `window_seconds`; `now` is monotonic time in seconds."""

    def __init__(self, limit: int, *, window_seconds: float = MINUTE_SECONDS) -> None:
        self._window_seconds = window_seconds
        self._uses: deque[float] = deque(maxlen=limit)
        self._limit = limit

    def wait_seconds(self, now: float) -> float:
        """How long to wait before the next use; 0 where it may be at once."""
        if len(self._uses) < self._limit:
            return 0.0
        return max(0.0, self._uses[0] + self._window_seconds - now)

    def note(self, now: float) -> None:
        """A use; the caller has waited for it."""
        self._uses.append(now)
