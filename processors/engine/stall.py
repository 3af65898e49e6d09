"""Seeing that nothing moves: a partition that stands still, a worker that does not serve. Pure.

Heartbeats say that a process runs, not that it works: an agent that hangs keeps its partitions
for ever. Whoever asks (a liveness probe, every few seconds) brings the clock.
"""

from collections.abc import Mapping

from faust.types import TP


class Stall:
    """Since when each lagging partition has stood at the same offset."""

    def __init__(self, after_seconds: float) -> None:
        self._after_seconds = after_seconds
        self._standing: dict[TP, tuple[int | None, float]] = {}

    def look(
        self, now_seconds: float, lags: Mapping[TP, int], reached: Mapping[TP, int | None]
    ) -> list[TP]:
        """The partitions that have stood still for too long, at this look."""
        for tp in list(self._standing):
            if not lags.get(tp):
                del self._standing[tp]
        for tp, lag in lags.items():
            if lag and self._standing.get(tp, (-1, 0.0))[0] != reached.get(tp):
                self._standing[tp] = (reached.get(tp), now_seconds)
        return sorted(
            tp
            for tp, (_, since) in self._standing.items()
            if now_seconds - since >= self._after_seconds
        )


class NotServing:
    """For how long a worker has not served, nor come closer to it; the clock begins with this."""

    def __init__(self, now_seconds: float) -> None:
        self._since = now_seconds
        self._progress = 0

    def look(self, now_seconds: float, *, serving: bool, progress: int) -> float:
        """The seconds at this look; `progress` is a number that grows while tables are restored."""
        if serving or progress != self._progress:
            self._since, self._progress = now_seconds, progress
        return now_seconds - self._since
