"""How many frames a flood has to send now: so many a second, as long as it is on."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from headroom.local.sandbox.faults import FLOOD_PER_SECOND
from headroom.local.sandbox.orders import Ordered
from headroom.local.sandbox.pace import NS_PER_SECOND, Sleep

_EVERY_SECONDS: Final = 0.01
_BATCH_MAX: Final = 500
"""Then everybody else has a turn."""


class Flood:
    """Counts of frames, one after the other, up to the fault's end.

    What the client does not take in time is not made up for.
    """

    unread_bytes_max: Final = 16 * 1024 * 1024

    def __init__(self, ordered: Ordered, monotonic_ns: Callable[[], int], sleep: Sleep) -> None:
        self._ordered = ordered
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep

    async def batches(self) -> AsyncIterator[int]:
        """How many to send now, at least one each time."""
        rate = self._ordered.order.rate or FLOOD_PER_SECOND
        begun_ns, due = self._monotonic_ns(), 0
        while not self._ordered.over.is_set():
            wanted = (self._monotonic_ns() - begun_ns) * rate // NS_PER_SECOND
            count = min(wanted - due, _BATCH_MAX)
            if count > 0:
                due += count
                yield count
            await self._sleep(_EVERY_SECONDS if count < _BATCH_MAX else 0)
