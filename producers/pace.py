"""How often a venue is tried: never in a hurry, never above the venue's own limits. Pure.

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
BLOCK_SECONDS: Final = 120.0
"""How long sFOX blocks whoever asked too often; its answer then looks like that to a wrong key."""
REFUSED_SECONDS_MAX: Final = 300.0
DOUBT_SECONDS_MIN: Final = 10.0
DOUBT_SECONDS_MAX: Final = 300.0
_JITTER: Final = 0.1


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

    def pause_seconds(self, *, patient: bool = False, at_least_seconds: float = 0.0) -> float:
        """The next pause; `patient` where the venue asked not to hurry: from the longest range.

        Never below `at_least_seconds`, and not just at its end: all who were told the same would
        come back together.
        """
        if patient:
            self._ceiling_seconds = self._longest_seconds
        ceiling = self._ceiling_seconds
        self._ceiling_seconds = min(ceiling * 2, self._longest_seconds)
        jitter = at_least_seconds * _JITTER
        return at_least_seconds + self._rng.uniform(0, max(ceiling - at_least_seconds, jitter))

    def held(self, seconds: float) -> None:
        """A connection was established for this long before it was lost."""
        if seconds >= HELD_SECONDS:
            self._ceiling_seconds = self._first_seconds


class RateBound:
    """At most `limit` uses within any `window_seconds`; `now` is monotonic time in seconds."""

    def __init__(self, limit: int, *, window_seconds: float = MINUTE_SECONDS) -> None:
        self.window_seconds = window_seconds
        self._uses: deque[float] = deque(maxlen=limit)
        self._limit = limit

    def wait_seconds(self, now: float) -> float:
        """How long to wait before the next use; 0 where it may be at once."""
        if len(self._uses) < self._limit:
            return 0.0
        return max(0.0, self._uses[0] + self.window_seconds - now)

    def uses(self, now: float) -> list[float]:
        """The uses that still count."""
        return [at for at in self._uses if now - at < self.window_seconds]

    def note(self, now: float) -> None:
        """A use; the caller has waited for it."""
        self._uses.append(now)


class Patience:
    """How long to wait after the venue has refused a key, which may pass: never in a hurry.

    `first_seconds` are the pauses before it has ever been accepted in this process: they go beyond
    any block that the venue documents. After the last of them there is no point in going on. Once
    it was accepted a refusal is taken for one that passes, and tried again without end.
    """

    def __init__(self, rng: Random, first_seconds: tuple[float, ...]) -> None:
        self._rng = rng
        self._first_seconds = first_seconds
        self._refused = 0
        self._was_accepted = False

    def accepted(self) -> None:
        """The venue has let us in."""
        self._refused, self._was_accepted = 0, True

    def pause_seconds(self) -> float | None:
        """The pause after one more refusal; None where nothing is gained by trying again."""
        self._refused += 1
        if self._refused <= len(self._first_seconds):
            pause_seconds = self._first_seconds[self._refused - 1]
        elif self._was_accepted:
            pause_seconds = REFUSED_SECONDS_MAX / (1 + _JITTER)
        else:
            return None
        # Several keys that were refused together do not come back together.
        return pause_seconds * (1 + self._rng.uniform(0, _JITTER))


class DoubtPace:
    """When a connection that is in doubt is given up for a new one: soon, then less and less often.

    A venue that leaves gaps all the time would otherwise be left all the time. `now` is monotonic
    time in seconds.
    """

    def __init__(self) -> None:
        self._last_at = float("-inf")
        self._wait_seconds = DOUBT_SECONDS_MIN

    def due(self, now: float) -> float:
        """When to reconnect because of a doubt that came up just now: `now`, or later."""
        return max(now, self._last_at + self._wait_seconds)

    def note(self, now: float) -> None:
        """A new connection because of a doubt."""
        was_quiet = now - self._last_at > 2 * self._wait_seconds + DOUBT_SECONDS_MIN
        longer = min(2 * self._wait_seconds, DOUBT_SECONDS_MAX)
        self._wait_seconds = DOUBT_SECONDS_MIN if was_quiet else longer
        self._last_at = now
