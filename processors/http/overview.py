"""How many users and accounts there are, and whose limits are used most: over all rows, slowly.

No index is kept for this: it would cost the agents something for every snapshot. The rows are read
from one end to the other when somebody asks, a few at a time so that the agents go on between, and
what came out is told again for ten times as long as that took.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from processors.compiled import Row, read_row
from processors.engine.table import Table
from processors.freshness import LIVE, RANK, AccountFreshness, Connections, State, held_in, held_of
from processors.http.problems import Problem, not_yet
from processors.http.rows import readable
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE, Venues, user_exposure
from schemas.documents import Limit, Time
from schemas.times import rfc3339

LIMITS_MAX: Final = 100
_ROWS_AT_ONCE: Final = 100
# So many plain rows cost what one does that has to be decoded, or less.
_PLAIN_ROWS: Final = 5
_REST: Final = 10
# Somebody watches: a number that is no longer known to be right has to be on the screen soon.
_REST_SECONDS_MIN: Final = 0.2
_SCRAPE_SECONDS: Final = 10.0
UNCONFIRMED_MAX: Final = 8

Counts = dict[str, dict[State, int]]
"""How many accounts are how fresh, by venue."""


class UsedLimit(msgspec.Struct, frozen=True):
    """A limit, and whose it is."""

    user: str
    limit: Limit

    @property
    def utilisation(self) -> Decimal:
        """How much of it is used; those whose use is not known come last."""
        return Decimal(-1 if self.limit.utilisation is None else self.limit.utilisation)


class NotLive(msgspec.Struct, frozen=True):
    """An account that is not live, whose it is, and why."""

    user: str
    venue: str
    account: str
    state: State
    cause: str | None
    reason: str | None
    since: Time | None


class Found(msgspec.Struct, frozen=True):
    """What lies in the rows of one worker, or of all; `as_of` is the oldest row's reading.

    `unconfirmed` are some accounts that are not live, the worst first.
    """

    users: int
    limits: list[UsedLimit]
    as_of: Time
    accounts: Counts = {}
    unconfirmed: list[NotLive] = []

    def document(self, count: int) -> dict[str, Any]:
        """As HTTP has it: each limit with its user beside its fields."""
        limits = [
            {"user": used.user, **msgspec.to_builtins(used.limit)} for used in self.limits[:count]
        ]
        return {
            "users": self.users,
            "accounts": self.accounts,
            "unconfirmed": msgspec.to_builtins(self.unconfirmed),
            "limits": limits,
            "as_of": self.as_of,
        }


class Overview:
    """This worker's part of it, read anew from time to time.

    `now` says how the connections are; they are asked once for each reading.
    """

    def __init__(
        self,
        users: Table,
        *,
        clock_ns: Callable[[], int],
        now: Callable[[], Connections],
        in_assets: Venues = NOWHERE,
    ) -> None:
        self._users = users
        self._in_assets = in_assets
        self._clock_ns = clock_ns
        self._now = now
        self._reading = asyncio.Lock()
        self._found: Found | None = None
        # The partitions that were read: another worker counts those that went to it.
        self._of: frozenset[int] = frozenset()
        self._read_at = self._took = 0.0
        self._was_settled = False
        self._behind: asyncio.Task[None] | None = None

    async def here(self) -> Found:
        """What lies in this worker's rows; raises 503 where they are moved meanwhile."""
        async with self._reading:
            found = self._found
            if found is None or not self._is_of_now or self._is_older_than(_REST_SECONDS_MIN):
                found = await self._read_anew()
            return found

    async def _read_anew(self) -> Found:
        while True:
            begun = time.monotonic()
            self._found = found = await self._read()
            self._read_at = time.monotonic()
            self._took = self._read_at - begun
            if self._is_of_now:
                return found

    def counted(self) -> Counts | None:
        """How fresh the accounts were when they were last counted; None before the first time.

        It waits for nothing: where that was long ago they are counted anew behind it.
        """
        if not self._is_of_now or self._is_older_than(_SCRAPE_SECONDS):
            self.count()
        return self._found.accounts if self._found is not None and self._is_of_now else None

    def count(self) -> None:
        """Have the accounts counted, unless that is under way."""
        if self._behind is None or self._behind.done():
            self._behind = asyncio.create_task(self._count())

    async def close(self) -> None:
        """Count no more."""
        if self._behind is not None:
            self._behind.cancel()
            await asyncio.gather(self._behind, return_exceptions=True)

    async def _count(self) -> None:
        try:
            await self.here()
        except Problem:
            return  # rows are being moved: whoever asks next has them counted

    @property
    def _is_of_now(self) -> bool:
        return self._found is not None and self._of == frozenset(self._users.open_partitions)

    def _is_older_than(self, seconds: float) -> bool:
        # What was read before anything was known of the connections is not worth keeping.
        seconds = seconds if self._was_settled else _REST_SECONDS_MIN
        return time.monotonic() > self._read_at + max(seconds, _REST * self._took)

    async def _read(self) -> Found:
        as_of, connections = rfc3339(self._clock_ns()), self._now()
        self._was_settled, count = connections.settled, _Count(connections, self._in_assets)
        self._of = frozenset(self._users.open_partitions)
        for partition in sorted(self._of):
            after: bytes | None = b""
            while after is not None:
                after = self._some(partition, after, count)
                await asyncio.sleep(0)
        return Found(count.users, count.limits(), as_of, count.accounts(), count.worst())

    def _some(self, partition: int, after: bytes, count: "_Count") -> bytes | None:
        """Count the next rows after a key; the last one's key, None where there are no more."""
        left = _ROWS_AT_ONCE * _PLAIN_ROWS
        try:
            for key, row in self._users.committed_items(partition, start=after):
                if key == after:
                    continue
                left -= 1 if count.add(row) else _PLAIN_ROWS
                if left <= 0:
                    return key
        except KeyError:
            raise not_yet("tables are being moved between workers") from None
        return None


class _Count:
    """What rows add up to; nothing is kept of one but where it is among the most or the worst."""

    def __init__(self, at: Connections, in_assets: Venues) -> None:
        self._at = at
        self._in_assets = in_assets
        self.users = 0
        self._limits: list[UsedLimit] = []
        self._accounts: Counts = {}
        self._kept = 0
        self._worst: list[tuple[int, int, NotLive]] = []

    def add(self, row: bytes) -> bool:
        """Count a row: a plain one as it stands, any other decoded; whether it is plain."""
        plain = read_row(row)
        if plain is None:
            for state in readable(iter([(b"", row)])):
                self._add_decoded(state)
        else:
            self._add_plain(plain)
        return plain is not None

    def _add_plain(self, row: Row) -> None:
        newest = row.newest
        venue, account, epoch, receipt = newest.place
        verdict = self._at.judge(venue, account, epoch, receipt)
        self.users += 1
        self._tally(venue, verdict.state)
        if verdict is not LIVE and self._is_among_the_worst(verdict.state):
            self._keep(newest.user, self._at.freshness(held_in(newest)))

    def _add_decoded(self, state: UserState) -> None:
        if not state.live:
            return
        self.users += 1
        self._limits += limits_of([state], self._in_assets)
        if len(self._limits) > _REST * LIMITS_MAX:
            self._limits = most_used(self._limits)
        for held in held_of(state):
            verdict = self._at.verdict(held)
            self._tally(held.venue, verdict.state)
            if verdict is not LIVE and self._is_among_the_worst(verdict.state):
                self._keep(state.user, self._at.freshness(held))

    def _tally(self, venue: str, state: State) -> None:
        of_venue = self._accounts.get(venue)
        if of_venue is None:
            of_venue = self._accounts[venue] = {}
        of_venue[state] = of_venue.get(state, 0) + 1

    def _is_among_the_worst(self, state: State) -> bool:
        return len(self._worst) < UNCONFIRMED_MAX or RANK[state] < -self._worst[0][0]

    def _keep(self, user: str, one: AccountFreshness) -> None:
        why = NotLive(user, one.venue, one.account, one.state, one.cause, one.reason, one.since)
        # The best of the worst comes first, of equals the one that was found last: it goes first.
        self._kept += 1
        entry = (-RANK[one.state], -self._kept, why)
        if len(self._worst) < UNCONFIRMED_MAX:
            heapq.heappush(self._worst, entry)
        else:
            heapq.heappushpop(self._worst, entry)

    def limits(self) -> list[UsedLimit]:
        """Those that are used most."""
        return most_used(self._limits)

    def accounts(self) -> Counts:
        """How many accounts are how fresh, venues and states in their order."""
        return {venue: _sum_of(states, {}) for venue, states in sorted(self._accounts.items())}

    def worst(self) -> list[NotLive]:
        """Accounts that are not live, the worst first."""
        return worst_of(one for _, _, one in self._worst)


def limits_of(states: Iterable[UserState], in_assets: Venues) -> Iterable[UsedLimit]:
    """The limits of users, of which most have none."""
    for state in states:
        exposure = user_exposure(state, in_assets)
        if exposure is not None:
            yield from (UsedLimit(exposure.user, limit) for limit in exposure.limits)


def most_used(limits: Iterable[UsedLimit]) -> list[UsedLimit]:
    """Those that are used most, in this order."""
    return heapq.nlargest(LIMITS_MAX, limits, key=lambda used: used.utilisation)


def worst_of(accounts: Iterable[NotLive]) -> list[NotLive]:
    """Those that are worst, in this order, by their names where they are equally bad."""
    return heapq.nsmallest(
        UNCONFIRMED_MAX, accounts, key=lambda one: (RANK[one.state], one.venue, one.account)
    )


def merged(here: Found, others: Iterable[Any]) -> Found:
    """One answer of several workers' answers."""
    limits, users, as_of = list(here.limits), here.users, here.as_of
    accounts, worst = {**here.accounts}, list(here.unconfirmed)
    for other in others:
        limits += [UsedLimit(one["user"], msgspec.convert(one, Limit)) for one in other["limits"]]
        users += other["users"]
        as_of = min(as_of, other["as_of"])
        # A worker of an earlier version tells nothing of these.
        worst += msgspec.convert(other.get("unconfirmed", []), list[NotLive])
        for venue, states in other.get("accounts", {}).items():
            accounts[venue] = _sum_of(accounts.get(venue, {}), states)
    return Found(users, most_used(limits), as_of, accounts, worst_of(worst))


def _sum_of(one: Mapping[State, int], other: Mapping[State, int]) -> dict[State, int]:
    return {
        state: one.get(state, 0) + other.get(state, 0)
        for state in RANK
        if state in one or state in other
    }
