"""Rows that lie here and are not this worker's to tell, and how far behind they are.

A standby follows the changelog of a partition that another worker holds; a partition that is being
restored has come some way. Either can be looked at, for who would rather have an older row than
none. Where a copy stands is known here; where its changelog ends Kafka is asked, when somebody
wants to know.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from faust.types import TP

from processors.engine.asking import Asking

_KEPT_SECONDS: Final = 0.5
_WAIT_SECONDS: Final = 1.0


class Copy(NamedTuple):
    """A row as a copy has it, None where it has none.

    `is_standby`: another worker holds the partition; else it is being restored or moved here.
    `lag` is how many offsets the changelog had beyond it when Kafka was last asked, half a second
    ago at most, control markers and what may yet be aborted included; None: Kafka did not say.
    `applied_ms` (since 1970) is when something was last written to it.
    """

    row: bytes | None
    is_standby: bool
    lag: int | None
    applied_ms: int | None


class Ends:
    """Where changelogs end: asked once for all who want to know at nearly the same time."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        asking: Asking | None = None,
    ) -> None:
        self._asking = asking or Asking(properties, waits=lambda: False)
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._asked: frozenset[TP] = frozenset()
        self._found: Mapping[TP, int] = {}
        self._at = 0.0

    async def of(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        """The ends of these, and perhaps of others; without those of which Kafka does not say."""
        async with self._lock:
            is_kept = self._asked.issuperset(partitions)
            if not is_kept or self._monotonic() - self._at >= _KEPT_SECONDS:
                asked = frozenset(partitions)
                self._found = await asyncio.to_thread(
                    self._asking.ends_at_once, asked, seconds=_WAIT_SECONDS
                )
                # That it said nothing is kept, too: nobody waits for what another one waited for.
                self._asked, self._at = asked, self._monotonic()
            return self._found
