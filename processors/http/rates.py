"""How often somebody may ask: a bucket for each name, which fills steadily. Pure."""

from collections.abc import Callable
from typing import Final

import msgspec

_SECONDS: Final = 60.0


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

    def take(self, name: str, per_minute: int) -> float:
        """One question of `per_minute`: 0.0 where it may be asked, else the seconds to wait."""
        now = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(per_minute, now))
        filled = bucket.left + (now - bucket.at_seconds) * per_minute / _SECONDS
        bucket.left, bucket.at_seconds = min(per_minute, filled), now
        if bucket.left < 1:
            return (1 - bucket.left) * _SECONDS / per_minute
        bucket.left -= 1
        return 0.0

    def keep(self, names: frozenset[str]) -> None:
        """Forget who is none of these."""
        self._buckets = {name: one for name, one in self._buckets.items() if name in names}
