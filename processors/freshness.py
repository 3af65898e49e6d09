"""How fresh an account is: which connection told its newest snapshot, and how that is now.

Pure: statuses and a time go in. An epoch is one unbroken run of a connection, and every snapshot
has one; so nothing has to be remembered of an account but where its newest snapshot stands.

    the connection of the snapshot's epoch       the account
    is connected, told of and confirmed lately   live, but for what follows
      has a doubt                                unconfirmed, by that
      speaks for others, and not for this one    unconfirmed: untold
      vouches only from a later receipt on       unconfirmed, by what made it so
      and the account is in doubt of its own     unconfirmed: unreadable
    has not told or confirmed for long           stale
    is down, or there is none such               as the best connection that speaks for the account
      ... connected, in a later epoch            unconfirmed, by what began that epoch
      ... connected, in an earlier epoch         unconfirmed: superseded
      ... down                                   disconnected or refused
      ... there is none                          disconnected: no_connection
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from processors.ledger.doubts import doubt_of
from processors.ledger.users import UserState
from schemas.documents import BalanceSnapshot
from schemas.feeds import Cause, Doubt, FeedStatus
from schemas.identity import user_for
from schemas.times import rfc3339, time_ns_of

State = Literal["refused", "disconnected", "stale", "unconfirmed", "live"]
STATES: Final[tuple[State, ...]] = get_args(State)
"""The worst first."""
RANK: Final = {state: rank for rank, state in enumerate(STATES)}
TOGETHER_NS: Final = 10 * 1_000_000_000
"""Producers that tell of the same connection within this time all count; else the newest does."""

_NS_PER_S: Final = 1_000_000_000
_SECONDS_OF_TIME: Final = slice(11, 19)


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
    """A state, and why; live has no why."""

    state: State
    doubt: Doubt | None = None


LIVE: Final = Verdict("live")


class _Connection:
    """A status, and what follows from it at a time, worked out once for all accounts."""

    __slots__ = ("accounts", "from_receipt", "older", "status", "verdict")

    def __init__(self, status: FeedStatus, verdict: Verdict) -> None:
        self.status = status
        self.verdict = verdict
        self.accounts = None if status.accounts is None else frozenset(status.accounts)
        before = status.confirmed_from
        self.from_receipt = -1 if before is None else before.receipt
        self.older = _since_begun(status)

    def judge(self, account: str, receipt: int) -> Verdict:
        """How an account is whose newest snapshot is of this connection's epoch."""
        if self.verdict is not LIVE:
            return self.verdict
        if self.accounts is not None and account not in self.accounts:
            return _untold(self.status)
        return LIVE if receipt >= self.from_receipt else self.older

    def judge_other(self, epoch: int) -> Verdict:
        """The same where it is of another epoch."""
        if self.verdict is not LIVE:
            return self.verdict
        own = self.status.epoch
        if own is not None and own < epoch:
            return _superseded(self.status)
        return self.older


class Connections:
    """The connections as they were told of, at a time; `known`: whether all of them are."""

    def __init__(
        self,
        statuses: Iterable[FeedStatus],
        *,
        now_ns: int,
        stale_after_seconds: float,
        known: bool = True,
    ) -> None:
        self._now_ns = now_ns
        self.known = known
        self._of_epoch: dict[tuple[str, int], _Connection] = {}
        self._of_all: dict[str, list[_Connection]] = {}
        self._of_account: dict[tuple[str, str], list[_Connection]] = {}
        stale_before_ns = now_ns - int(stale_after_seconds * _NS_PER_S)
        for status in together(statuses):
            self._add(_Connection(status, _verdict(status, stale_before_ns)))

    def _add(self, one: _Connection) -> None:
        venue, epoch = one.status.venue, one.status.epoch
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

    def freshness(self, held: Held) -> AccountFreshness:
        """How fresh an account is."""
        verdict = self.verdict(held)
        doubt = verdict.doubt
        return AccountFreshness(
            venue=held.venue,
            account=held.account,
            state=verdict.state,
            cause=None if doubt is None else doubt.cause,
            reason=None if doubt is None else doubt.reason,
            since=None if doubt is None or doubt.since == _NEVER else doubt.since,
            age_seconds=self._age_seconds(held),
        )

    def verdict(self, held: Held) -> Verdict:
        """How an account is."""
        verdict = self.judge(held.venue, held.account, held.epoch, held.receipt)
        if verdict is LIVE and held.doubt is not None:
            return Verdict("unconfirmed", held.doubt)
        return verdict

    def _age_seconds(self, held: Held) -> float:
        """Since when the number is not known to be right: since its connection last said so."""
        last_ns = time_ns_of(held.received_time)
        one = self._of_epoch.get((held.venue, held.epoch))
        if one is not None and self.known and _vouches(one, held):
            confirmed_ns = _confirmed_ns(one.status)
            if held.doubt is not None:
                confirmed_ns = min(confirmed_ns, time_ns_of(held.doubt.since))
            last_ns = max(last_ns, confirmed_ns)
        return round(max(0, self._now_ns - last_ns) / _NS_PER_S, 3)


def held_of(state: UserState) -> list[Held]:
    """A user's accounts that are not deleted."""
    return [_held(state, one) for one in state.live]


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


def user_freshness(state: UserState, at: Connections) -> Freshness:
    """How fresh a user is who has an account that is not deleted."""
    newest = max(state.live, key=lambda snapshot: snapshot.received_time)
    accounts = [at.freshness(one) for one in held_of(state)]
    worst = min(accounts, key=lambda one: RANK[one.state])
    return Freshness(
        source=msgspec.to_builtins(newest.source),
        source_time=newest.received_time,
        age_seconds=max(one.age_seconds for one in accounts),
        stale=worst.state != "live",
        state=worst.state,
        cause=worst.cause,
        reason=worst.reason,
        since=worst.since,
        accounts=accounts,
    )


def together(statuses: Iterable[FeedStatus]) -> list[FeedStatus]:
    """Of each connection the statuses that count, the newest first.

    Where two producers keep one connection up at once both do; of one that follows another, the
    later does.
    """
    newest_ns: dict[tuple[str, str], int] = {}
    told = [(time_ns_of(one.time), one) for one in statuses]
    told.sort(key=lambda pair: pair[0], reverse=True)
    for told_ns, status in told:
        newest_ns.setdefault((status.venue, status.connection), told_ns)
    return [
        status
        for told_ns, status in told
        if newest_ns[status.venue, status.connection] - told_ns <= TOGETHER_NS
    ]


# -- what a status says of all its accounts


def _verdict(status: FeedStatus, stale_before_ns: int) -> Verdict:
    since = status.since or status.time
    if status.state != "connected":
        cause: Cause = "key_refused" if status.state == "refused" else "connection_lost"
        lost = "the venue refuses the key" if status.state == "refused" else "not connected"
        doubt = status.doubt or Doubt(cause, f"{lost} since {_clock(since)}", since)
        return Verdict(status.state, doubt)
    told_ns, confirmed_ns = time_ns_of(status.time), _confirmed_ns(status)
    if told_ns < stale_before_ns:
        reason = f"nothing is told of the connection since {_clock(status.time)}"
        return Verdict("stale", Doubt("not_heard", reason, status.time))
    if confirmed_ns < stale_before_ns:
        last = rfc3339(confirmed_ns)
        reason = f"the venue has confirmed nothing since {_clock(last)}"
        return Verdict("stale", status.doubt or Doubt("not_heard", reason, last))
    return LIVE if status.doubt is None else Verdict("unconfirmed", status.doubt)


def _confirmed_ns(status: FeedStatus) -> int:
    """When the venue last vouched for balances; of one that never did, when it was there."""
    last = status.last_confirmed or status.last_heard or status.since or status.time
    return time_ns_of(last)


def _since_begun(status: FeedStatus) -> Verdict:
    """What holds of accounts that were told of before the connection began to vouch."""
    since = status.since or status.time
    doubt = Doubt("reconnected", f"connected at {_clock(since)}", since)
    if status.confirmed_from is not None:
        doubt = status.confirmed_from.doubt
    reason = f"{doubt.reason}; no frame of this account since"
    return Verdict("unconfirmed", msgspec.structs.replace(doubt, reason=reason))


def _untold(status: FeedStatus) -> Verdict:
    since = status.since or status.time
    reason = "its connection does not tell of this account any more"
    return Verdict("unconfirmed", Doubt("untold", reason, since))


def _superseded(status: FeedStatus) -> Verdict:
    since = status.since or status.time
    reason = "a later connection, which is gone, told of this account"
    return Verdict("unconfirmed", Doubt("superseded", reason, since))


def _vouches(one: _Connection, held: Held) -> bool:
    """Whether a connection, when it last confirmed, did so of an account of its epoch."""
    told = one.accounts is None or held.account in one.accounts
    return told and held.receipt >= one.from_receipt


def _clock(time: str) -> str:
    return time[_SECONDS_OF_TIME]


# Nobody knows since when.
_NEVER: Final = rfc3339(0)
_UNKNOWN: Final = Verdict(
    "unconfirmed",
    Doubt("unknown", "this worker has yet to read how the connections are", _NEVER),
)
_NO_CONNECTION: Final = Verdict(
    "disconnected", Doubt("no_connection", "no connection speaks for this account", _NEVER)
)
