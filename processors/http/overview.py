"""How many users there are, and whose limits are used most: over all rows, without a hurry.

No index is kept for this: it would cost the agents something for every snapshot. The rows are read
from one end to the other when somebody asks, a few at a time so that the agents go on between, and
what came out is told again for ten times as long as that took.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from processors.engine import Table
from processors.http.problems import not_yet
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE, Venues, user_exposure
from schemas.codec import decode
from schemas.documents import Limit, Time
from schemas.times import rfc3339

LIMITS_MAX: Final = 100
_ROWS_AT_ONCE: Final = 100
_REST: Final = 10
_REST_SECONDS_MIN: Final = 1.0


class UsedLimit(msgspec.Struct, frozen=True):
    """A limit, and whose it is."""

    user: str
    limit: Limit

    @property
    def utilisation(self) -> Decimal:
        """How much of it is used; those whose use is not known come last."""
        return Decimal(-1 if self.limit.utilisation is None else self.limit.utilisation)


class Found(msgspec.Struct, frozen=True):
    """What lies in the rows of one worker, or of all; `as_of` is the oldest row's reading."""

    users: int
    limits: list[UsedLimit]
    as_of: Time

    def document(self, count: int) -> dict[str, Any]:
        """As HTTP has it: each limit with its user beside its fields."""
        limits = [
            {"user": used.user, **msgspec.to_builtins(used.limit)} for used in self.limits[:count]
        ]
        return {"users": self.users, "limits": limits, "as_of": self.as_of}


class Overview:
    """This worker's part of it, read anew from time to time."""

    def __init__(
        self, users: Table, *, clock_ns: Callable[[], int], in_assets: Venues = NOWHERE
    ) -> None:
        self._users = users
        self._in_assets = in_assets
        self._clock_ns = clock_ns
        self._reading = asyncio.Lock()
        self._found: Found | None = None
        self._again_at = 0.0

    async def here(self) -> Found:
        """What lies in this worker's rows; raises 503 where they are moved meanwhile."""
        async with self._reading:
            if self._found is None or time.monotonic() > self._again_at:
                begun = time.monotonic()
                self._found = await self._read()
                took = time.monotonic() - begun
                self._again_at = time.monotonic() + max(_REST_SECONDS_MIN, _REST * took)
            return self._found

    async def _read(self) -> Found:
        as_of, users = rfc3339(self._clock_ns()), 0
        most: list[UsedLimit] = []
        for partition in self._users.open_partitions:
            after = b""
            while states := self._some(partition, after):
                after = states[-1][0]
                live = [state for _, state in states if state.live]
                users += len(live)
                most = most_used([*most, *limits_of(live, self._in_assets)])
                await asyncio.sleep(0)
        return Found(users, most, as_of)

    def _some(self, partition: int, after: bytes) -> list[tuple[bytes, UserState]]:
        """The next rows after a key."""
        found: list[tuple[bytes, UserState]] = []
        try:
            for key, row in self._users.committed_items(partition, start=after):
                if key != after:
                    found.append((key, decode(row, UserState)))
                if len(found) == _ROWS_AT_ONCE:
                    break
        except KeyError:
            raise not_yet("tables are being moved between workers") from None
        return found


def limits_of(states: Iterable[UserState], in_assets: Venues) -> Iterable[UsedLimit]:
    """The limits of users, of which most have none."""
    for state in states:
        exposure = user_exposure(state, in_assets)
        if exposure is not None:
            yield from (UsedLimit(exposure.user, limit) for limit in exposure.limits)


def most_used(limits: Iterable[UsedLimit]) -> list[UsedLimit]:
    """Those that are used most, in this order."""
    return heapq.nlargest(LIMITS_MAX, limits, key=lambda used: used.utilisation)


def merged(here: Found, others: Iterable[Any]) -> Found:
    """One answer of several workers' answers."""
    limits, users, as_of = list(here.limits), here.users, here.as_of
    for other in others:
        limits += [UsedLimit(one["user"], msgspec.convert(one, Limit)) for one in other["limits"]]
        users += other["users"]
        as_of = min(as_of, other["as_of"])
    return Found(users, most_used(limits), as_of)
