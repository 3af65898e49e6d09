"""How often somebody may ask: a bucket for each name, which fills steadily. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

_SECONDS: Final = 60.0
# An issuer may have any number of subjects.
_BUCKETS: Final = 1_000


class _Bucket(msgspec.Struct):
    left: float
    at_seconds: float


class Rates:
    """Questions that are left to each; `clock` counts seconds.

    Who has been quiet for a minute may ask all of a minute's questions at once.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._looked_through_at = _BUCKETS

    def take(self, name: str, per_minute: int) -> float:
        """One question of `per_minute`: 0.0 where it may be asked, else the seconds to wait."""
        now = self._clock()
        if len(self._buckets) >= self._looked_through_at:
            self._tidy(now)
        bucket = self._buckets.setdefault(name, _Bucket(per_minute, now))
        filled = bucket.left + (now - bucket.at_seconds) * per_minute / _SECONDS
        bucket.left, bucket.at_seconds = min(per_minute, filled), now
        if bucket.left < 1:
            return (1 - bucket.left) * _SECONDS / per_minute
        bucket.left -= 1
        return 0.0

    def forget(self, names: Iterable[str]) -> None:
        """Forget these."""
        for name in names:
            self._buckets.pop(name, None)

    def _tidy(self, now: float) -> None:
        """Forget who has been quiet for a minute, and may ask all of a minute's questions again."""
        kept = {n: one for n, one in self._buckets.items() if now - one.at_seconds < _SECONDS}
        self._buckets = kept
        self._looked_through_at = max(_BUCKETS, 2 * len(kept))
