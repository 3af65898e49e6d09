"""Ticks at an average rate that holds: every tick has its own deadline, so delays do not add up."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from fractions import Fraction
from typing import Final

Sleep = Callable[[float], Awaitable[None]]

NS_PER_SECOND: Final = 1_000_000_000
# A process that was paused for longer does not send at once all that it missed.
_BEHIND_NS_MAX: Final = 5 * NS_PER_SECOND


class Pacer:
    """`await tick()` returns at 1 / rate, 2 / rate, 3 / rate … seconds after `restart()`.

    `monotonic_ns` and `sleep` (seconds) are passed in. Behind its time it sleeps for 0 s, so that
    others get their turn, until it has caught up; more than five seconds behind it begins anew.
    """

    def __init__(
        self, rate_per_second: Decimal, *, monotonic_ns: Callable[[], int], sleep: Sleep
    ) -> None:
        self._period_ns = NS_PER_SECOND / Fraction(rate_per_second)
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._begun_ns = 0
        self._ticks = 0
        self.restart()

    def restart(self) -> None:
        """Begin the schedule now."""
        self._begun_ns = self._monotonic_ns()
        self._ticks = 0

    async def tick(self) -> None:
        """Wait for the next deadline."""
        self._ticks += 1
        elapsed_ns = self._ticks * self._period_ns.numerator // self._period_ns.denominator
        wait_ns = self._begun_ns + elapsed_ns - self._monotonic_ns()
        if wait_ns < -_BEHIND_NS_MAX:
            self.restart()
        await self._sleep(max(0, wait_ns) / NS_PER_SECOND)
