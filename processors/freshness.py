"""How fresh an account is: which connection told its newest snapshot, and how that is now.

Pure: what was told and the time go in. An epoch is one unbroken run of a connection, and every
snapshot has one; so nothing has to be remembered of an account but where its newest snapshot
stands.

    the connection of the snapshot's epoch       the account
    is connected, told of and confirmed lately   live, but for what follows
      has a doubt                                unconfirmed, by that
      speaks for others, and not for this one    unconfirmed: untold
      vouches only from a later receipt on       unconfirmed, by what made it so
      and the account is in doubt of its own     unconfirmed: unreadable
    has not told or confirmed for long           stale
    has told nothing since this worker began     unconfirmed: unknown
    is down, or there is none such               as the best connection that speaks for the account
      ... connected, in a later epoch            unconfirmed, by what began that epoch
      ... connected, in an earlier epoch         unconfirmed: superseded
      ... down                                   disconnected or refused
      ... there is none                          disconnected: no_connection

How long ago a status was told is counted by this worker's own monotonic clock, how long before that
the venue confirmed by the producer's clock alone: it subtracts its own times. So no clock that is
wrong, or is set meanwhile, makes anything live. What lay there before this worker listened was told
who knows when, and vouches for nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from processors import connection_doubts as doubts
from processors.compiled import Account
from processors.ledger.doubts import doubt_of
from processors.ledger.users import UserState
from schemas.documents import BalanceSnapshot
from schemas.feeds import Doubt, FeedStatus
from schemas.identity import user_for
from schemas.times import rfc3339, time_ns_of

State = Literal["refused", "disconnected", "stale", "unconfirmed", "live"]
STATES: Final[tuple[State, ...]] = get_args(State)
"""The worst first."""
RANK: Final = {state: rank for rank, state in enumerate(STATES)}
_NS_PER_S: Final = 1_000_000_000


class Told(msgspec.Struct, frozen=True):
    """A status, and since when at the earliest it is told, in monotonic seconds of this worker.

    Where it is no news it was there before this worker listened: `at` is when it was read.
    """

    status: FeedStatus
    at: float
    is_news: bool = True


class AccountFreshness(msgspec.Struct, frozen=True):
    """How fresh an account is; `cause`, `reason` and `since` are of what it lacks to be live."""

    venue: str
    account: str
    state: State
    cause: str | None
    reason: str | None
    since: str | None
    age_seconds: float


class Freshness(msgspec.Struct, frozen=True):
    """How fresh a user is: as the worst account; `source` is the newest snapshot's raw record."""

    source: Mapping[str, Any]
    source_time: str
    age_seconds: float
    stale: bool
    state: State
    cause: str | None
    reason: str | None
    since: str | None
    accounts: list[AccountFreshness]


class Held(msgspec.Struct, frozen=True, gc=False):
    """An account as its user's row has it: the last frame that vouches for it, its own doubt."""

    venue: str
    account: str
    epoch: int
    receipt: int
    received_time: str
    doubt: Doubt | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """A state, and why; live has no why.

    `lasting_ns` is for how long it has been so, by one clock where its connection is heard; None
    where nobody knows.
    """

    state: State
    doubt: Doubt | None = None
    lasting_ns: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether this worker knows enough to say it."""
        return self.doubt is None or self.doubt.cause != "unknown"


LIVE: Final = Verdict("live")


class _Connection:
    """A status, and what follows from it at a time, worked out once for all accounts."""

    __slots__ = (
        *("accounts", "confirmed_ns", "from_receipt", "is_news", "now", "older", "silent_ns"),
        *("status", "time_ns", "verdict"),
    )

    def __init__(self, told: Told, now: "Now") -> None:
        self.now = now
        self.status = status = told.status
        self.is_news = told.is_news
        self.silent_ns = round(max(0.0, now.at - told.at) * _NS_PER_S)
        self.time_ns = time_ns_of(status.time)
        self.confirmed_ns = _confirmed_ns(status)
        self.verdict = self._verdict()
        self.accounts = None if status.accounts is None else frozenset(status.accounts)
        before = status.confirmed_from
        self.from_receipt = -1 if before is None else before.receipt
        self.older = self._because(doubts.since_begun(status))

    def _verdict(self) -> Verdict:
        """What the status says of all its accounts."""
        now, status = self.now, self.status
        stale_ns = int(now.stale_after_seconds * _NS_PER_S)
        if status.state != "connected":
            state: State = "refused" if status.state == "refused" else "disconnected"
            return self._because(doubts.not_connected(status), state)
        if self.silent_ns > stale_ns:
            if self.is_news:
                since = rfc3339(now.time_ns - self.silent_ns)
                return Verdict("stale", doubts.not_told(since), self.silent_ns)
            return self._because(doubts.not_told(status.time), "stale")
        if not self.is_news:
            return _NOT_HEARD
        if self.silent_ns + self.before_ns(self.confirmed_ns) > stale_ns:
            last = rfc3339(self.confirmed_ns)
            return self._because(status.doubt or doubts.not_confirmed(last), "stale")
        return LIVE if status.doubt is None else self._because(status.doubt)

    def _because(self, doubt: Doubt, state: State = "unconfirmed") -> Verdict:
        return Verdict(state, doubt, self.lasting_ns(time_ns_of(doubt.since)))

    def lasting_ns(self, since_ns: int) -> int:
        """How long ago something was, by the producer's clock and then by ours.

        Of a status that was there before us, and is told no more, both clocks have to be believed.
        """
        known_ns = self.silent_ns + self.before_ns(since_ns)
        is_gone = not self.is_news and self.silent_ns > self.now.stale_after_seconds * _NS_PER_S
        return max(known_ns, self.now.time_ns - since_ns) if is_gone else known_ns

    def before_ns(self, time_ns: int) -> int:
        """How long before the status was told that was: both by its producer's clock."""
        return max(0, self.time_ns - time_ns)

    def judge(self, account: str, receipt: int) -> Verdict:
        """How an account is whose newest snapshot is of this connection's epoch."""
        if self.verdict is not LIVE:
            return self.verdict
        if self.accounts is not None and account not in self.accounts:
            return self._because(doubts.untold(self.status))
        return LIVE if receipt >= self.from_receipt else self.older

    def judge_other(self, epoch: int) -> Verdict:
        """The same where it is of another epoch."""
        if self.verdict is not LIVE:
            return self.verdict
        own = self.status.epoch
        if own is not None and own < epoch:
            return self._because(doubts.superseded(self.status))
        return self.older


class Now(msgspec.Struct, frozen=True):
    """The moment: monotonic seconds and ns since 1970; for how long this worker has listened."""

    at: float
    time_ns: int
    listened_seconds: float
    stale_after_seconds: float


class Connections:
    """The connections as they were told of, at a time; `known`: whether all of them are.

    `settled`: nothing of it will change by itself in a second, as it does where a worker has only
    just begun to listen.
    """

    def __init__(self, told: Iterable[Told], now: Now, *, known: bool = True) -> None:
        self._now = now
        self.known = self.settled = known
        self._of_epoch: dict[tuple[str, int], _Connection] = {}
        self._of_all: dict[str, list[_Connection]] = {}
        self._of_account: dict[tuple[str, str], list[_Connection]] = {}
        for one in sorted(told, key=lambda one: (one.at, one.status.time), reverse=True):
            self._add(_Connection(one, now))

    def _add(self, one: _Connection) -> None:
        venue, epoch = one.status.venue, one.status.epoch
        self.settled = self.settled and one.verdict is not _NOT_HEARD
        if epoch is not None:
            self._of_epoch.setdefault((venue, epoch), one)
        if one.accounts is None:
            self._of_all.setdefault(venue, []).append(one)
        else:
            for account in one.accounts:
                self._of_account.setdefault((venue, account), []).append(one)

    def judge(self, venue: str, account: str, epoch: int, receipt: int) -> Verdict:
        """How an account is, its own doubts aside."""
        if not self.known:
            return _UNKNOWN
        one = self._of_epoch.get((venue, epoch))
        if one is None:
            return self._best(venue, account, epoch, None)
        verdict = one.judge(account, receipt)
        if RANK[verdict.state] < RANK["unconfirmed"]:
            return self._best(venue, account, epoch, verdict)
        return verdict

    def _best(self, venue: str, account: str, epoch: int, own: Verdict | None) -> Verdict:
        """How it is by the best of the connections that speak for it; `own` is of its epoch."""
        best = own
        speaking = self._of_all.get(venue, ()), self._of_account.get((venue, account), ())
        for some in speaking:
            for one in some:
                # Of equals that of its own epoch, then the one that was told of last.
                verdict = one.judge_other(epoch)
                if best is None or RANK[verdict.state] > RANK[best.state]:
                    best = verdict
        return _NO_CONNECTION if best is None else best

    def freshness(self, held: Held, copied: Doubt | None = None) -> AccountFreshness:
        """How fresh an account is; `copied` is why a number is never live that is only a copy."""
        verdict = self.verdict(held)
        if copied is not None and verdict is LIVE:
            verdict = Verdict("unconfirmed", copied)
        doubt = verdict.doubt
        return AccountFreshness(
            venue=held.venue,
            account=held.account,
            state=verdict.state,
            cause=None if doubt is None else doubt.cause,
            reason=None if doubt is None else doubt.reason,
            since=None if doubt is None or doubt.since == _NEVER else doubt.since,
            age_seconds=self._age_seconds(
                held, is_live=verdict is LIVE, is_copy=copied is not None
            ),
        )

    def verdict(self, held: Held) -> Verdict:
        """How an account is."""
        verdict = self.judge(held.venue, held.account, held.epoch, held.receipt)
        if verdict is LIVE and held.doubt is not None:
            since_ns = time_ns_of(held.doubt.since)
            one = self._of_epoch.get((held.venue, held.epoch))
            lasting_ns = self._now.time_ns - since_ns if one is None else one.lasting_ns(since_ns)
            return Verdict("unconfirmed", held.doubt, lasting_ns)
        return verdict

    def _age_seconds(self, held: Held, *, is_live: bool, is_copy: bool) -> float:
        """Since when the number is not known to be right: since its connection last said so.

        By one clock where its connection was heard: the producer's, and from then on our own. Else
        the frame's time of receipt, by a producer's clock, is compared with ours. Where it lies
        ahead of ours the two disagree, and the number counts as old as this worker's knowledge.
        What a connection confirms is the newest number: of a copy nobody knows that it has that.
        """
        one = self._of_epoch.get((held.venue, held.epoch)) if self.known else None
        last_ns = time_ns_of(held.received_time)
        if one is not None and not is_copy and _vouches(one, held):
            last_ns = _last_right_ns(one, held, last_ns, is_live=is_live)
        by_two_ns = self._now.time_ns - last_ns
        if one is None:
            listened_ns = round(self._now.listened_seconds * _NS_PER_S)
            age_ns = by_two_ns if by_two_ns >= 0 else listened_ns
        else:
            age_ns = one.silent_ns + one.before_ns(last_ns)
            # A frame may be behind the last status, but not by more than has passed since.
            was_set = last_ns > one.time_ns + one.silent_ns
            if not is_live and (was_set or not one.is_news):
                age_ns = max(age_ns, by_two_ns)
        return round(age_ns / _NS_PER_S, 3)


def held_of(state: UserState) -> list[Held]:
    """A user's accounts that are not deleted."""
    return [_held(state, one) for one in state.live]


def held_in(account: Account) -> Held:
    """A plain account as it is held: nothing but its newest snapshot vouches for it."""
    venue, name, epoch, receipt = account.place
    return Held(venue, name, epoch, receipt, account.received_time)


def _held(state: UserState, snapshot: BalanceSnapshot) -> Held:
    key = user_for(snapshot.venue, snapshot.account)
    unread, again = state.unread.get(key), state.confirmed.get(key)
    last = snapshot if again is None else again
    return Held(
        snapshot.venue,
        snapshot.account,
        snapshot.epoch,
        last.receipt,
        last.received_time,
        None if unread is None else doubt_of(unread),
    )


def user_freshness(
    state: UserState | Account, at: Connections, copied: Doubt | None = None
) -> Freshness:
    """How fresh a user is who has an account that is not deleted; `copied`: see `Connections`.

    An `Account` is all of a user who has one plain account.
    """
    if isinstance(state, Account):
        held = held_in(state)
        topic, partition, offset = state.source
        source = {"topic": topic, "partition": partition, "offset": offset}
        return _as_worst([at.freshness(held, copied)], source, state.received_time)
    newest = max(state.live, key=lambda snapshot: snapshot.received_time)
    accounts = [at.freshness(one, copied) for one in held_of(state)]
    return _as_worst(accounts, msgspec.to_builtins(newest.source), newest.received_time)


def _as_worst(accounts: list[AccountFreshness], source: dict[str, Any], time: str) -> Freshness:
    worst, age_seconds = accounts[0], accounts[0].age_seconds
    if len(accounts) > 1:
        worst = min(accounts, key=lambda one: RANK[one.state])
        age_seconds = max(one.age_seconds for one in accounts)
    return Freshness(
        source=source,
        source_time=time,
        age_seconds=age_seconds,
        stale=worst.state != "live",
        state=worst.state,
        cause=worst.cause,
        reason=worst.reason,
        since=worst.since,
        accounts=accounts,
    )


def of_copy(lag_records: int | None) -> Doubt:
    """Why a number is not live that comes from a copy, so many records behind (None: unknown)."""
    behind = "nobody knows how many" if lag_records is None else f"{lag_records:,}"
    return Doubt("copy", f"from a copy of the row, {behind} records behind it", _NEVER)


def _last_right_ns(one: _Connection, held: Held, received_ns: int, *, is_live: bool) -> int:
    """When an account was last right for which a connection vouches, by the producer's clock."""
    confirmed_ns = one.confirmed_ns
    if held.doubt is not None:
        confirmed_ns = min(confirmed_ns, time_ns_of(held.doubt.since))
    # A frame behind the status: how long behind it nobody knows, if the clock was set meanwhile.
    is_behind = is_live and received_ns > one.time_ns
    return confirmed_ns if is_behind else max(received_ns, confirmed_ns)


def _confirmed_ns(status: FeedStatus) -> int:
    """When the venue last vouched for balances; of one that never did, when it was there."""
    last = status.last_confirmed or status.last_heard or status.since or status.time
    return time_ns_of(last)


def _vouches(one: _Connection, held: Held) -> bool:
    """Whether a connection, when it last confirmed, did so of an account of its epoch."""
    told = one.accounts is None or held.account in one.accounts
    return told and held.receipt >= one.from_receipt


# Nobody knows since when.
_NEVER: Final = rfc3339(0)
_NOT_HEARD: Final = Verdict("unconfirmed", Doubt("unknown", doubts.NOT_HEARD_YET, _NEVER))
_UNKNOWN: Final = Verdict("unconfirmed", Doubt("unknown", doubts.NOT_READ_YET, _NEVER))
_NO_CONNECTION: Final = Verdict(
    "disconnected", Doubt("no_connection", "no connection speaks for this account", _NEVER)
)
