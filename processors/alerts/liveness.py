"""For how long accounts have not been live, and which rules that crosses; no clock of its own.

A worker looks at the rows that it holds, again and again. What it finds it tells nobody itself: it
makes orders for the users' agent (`observed.py`), which folds them once, whoever else saw the same.

An account has not been live since the first of all causes that followed each other without a break;
so what was seen is remembered here, and where an alert stands, also in its row: a worker that comes
later goes on from there. Where nobody knows how a connection is (`unknown`) nothing changes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from processors.alerts.batch import AlertState
from processors.alerts.judge import OF_ACCOUNT, Standing
from processors.alerts.observed import RANK, level_at, level_of, seconds_of
from processors.alerts.rules import Level, Rule, rules_of_time
from processors.compiled import read_row
from processors.freshness import LIVE, Connections, Held, Verdict, held_in, held_of
from processors.ledger.moves import Observed
from processors.ledger.users import UserState
from schemas.codec import NotADocument, decode, decode_by
from schemas.identity import user_for
from schemas.times import rfc3339, time_ns_of

ORDERS_MAX: Final = 1_000
"""Of one look at a partition: who else crosses a threshold is told of by the next one."""
_STATES: Final = msgspec.json.Decoder(AlertState)

ReadRow = Callable[[bytes], bytes | None]
Begun = Mapping[tuple[str, str], int]
"""Since when accounts have not been live, by user and account; in ns of a monotonic clock."""


class Moment(NamedTuple):
    """When a look is taken: by a monotonic clock, and since 1970."""

    at_ns: int
    time_ns: int


class Look:
    """One look at a partition: first the rows of alerts, then those of users, then `orders`.

    `begun` is what the last look left behind, `read` reads rows of alerts. `begun_now` is for the
    next one.
    """

    def __init__(
        self,
        rules: tuple[Rule, ...],
        begun: Begun,
        connections: Connections,
        moment: Moment,
        read: ReadRow,
    ) -> None:
        self._rules = rules_of_time(rules)
        self._names = [msgspec.json.encode(one.name) for one in self._rules]
        self._connections = connections
        self._begun = begun
        self._moment = moment
        self._read = read
        self._states: dict[str, AlertState] = {}
        self.begun_now: dict[tuple[str, str], int] = {}
        self.orders: list[Observed] = []

    def see_alerts(self, row: bytes) -> None:
        """Remember what was told of a user, if a rule of time has told anything."""
        if any(name in row for name in self._names):
            state = _state_of(row)
            if state is not None and any(self._stands(of) for of in state.accounts.values()):
                self._states[state.user] = state

    def see_user(self, row: bytes) -> None:
        """Judge a user's accounts; a row that is none of ours is passed by."""
        for user, held in _accounts_of(row):
            if self._is_of_interest(user, held.venue):
                verdict = self._connections.verdict(held)
                account = user_for(held.venue, held.account)
                if verdict is not LIVE or user in self._states:
                    self._judge(user, account, held, verdict)

    def _judge(self, user: str, account: str, held: Held, verdict: Verdict) -> None:
        lasting_ns = None
        if verdict is not LIVE:
            lasting_ns = self._lasting_ns(user, account, verdict)
            if not verdict.is_known:
                return
        for rule in self._rules:
            if not rule.takes(user, held.venue):
                continue
            level = "cleared" if lasting_ns is None else level_at(rule, lasting_ns)
            state = self._states.get(user)
            if state is None and level == "cleared":
                continue
            if state is None:
                state = self._look_up(user)
            stands = level_of(state.accounts.get(account, {}), rule.name)
            # As long as it is not live nothing is taken back: the rule may be another one by now.
            is_news = level != stands if lasting_ns is None else RANK[level] > RANK[stands]
            if is_news and len(self.orders) < ORDERS_MAX:
                order = self._order(user, held, rule.name, level, state.count, lasting_ns)
                self.orders.append(order)

    def _lasting_ns(self, user: str, account: str, verdict: Verdict) -> int:
        """For how long an account has not been live, as far as anybody knows; it is remembered."""
        place, now_ns = (user, account), self._moment.at_ns
        begun = self._begun.get(place)
        if verdict.is_known:
            here = now_ns - (verdict.lasting_ns or 0)
            begun = here if begun is None else min(begun, here)
        if begun is None:
            return 0
        self.begun_now[place] = begun
        told = self._told_since_ns(user, account)
        lasting_ns = now_ns - begun
        return lasting_ns if told is None else max(lasting_ns, self._moment.time_ns - told)

    def _told_since_ns(self, user: str, account: str) -> int | None:
        """Since when it was not live by what was told of it."""
        state = self._states.get(user)
        stands = {} if state is None else state.accounts.get(account, {})
        times = [
            one.warning_since
            for rule in self._rules
            for one in stands.get(rule.name, {}).values()
            if one.warning_since is not None
        ]
        return min(map(time_ns_of, times), default=None)

    def _look_up(self, user: str) -> AlertState:
        row = self._read(user.encode())
        state = None if row is None else _state_of(row)
        if state is None:
            state = AlertState(user, {})
        self._states[user] = state
        return state

    def _order(
        self, user: str, held: Held, rule: str, level: Level, told: int, lasting_ns: int | None
    ) -> Observed:
        now_ns = self._moment.time_ns
        return Observed(
            venue=held.venue,
            account=held.account,
            user=user,
            rule=rule,
            level=level,
            time=rfc3339(now_ns),
            told=told,
            seconds=None if lasting_ns is None else seconds_of(lasting_ns),
            since=None if lasting_ns is None else rfc3339(max(0, now_ns - lasting_ns)),
        )

    def _is_of_interest(self, user: str, venue: str) -> bool:
        return any(rule.takes(user, venue) for rule in self._rules)

    def _stands(self, stands: Mapping[str, Mapping[str, Standing]]) -> bool:
        return any(OF_ACCOUNT in stands.get(rule.name, {}) for rule in self._rules)


def _accounts_of(row: bytes) -> Iterable[tuple[str, Held]]:
    plain = read_row(row)
    if plain is not None:
        yield plain.newest.user, held_in(plain.newest)
        return
    try:
        state = decode(row, UserState)
    except NotADocument:
        return
    for held in held_of(state):
        yield state.user, held


def _state_of(row: bytes) -> AlertState | None:
    try:
        return decode_by(row, _STATES)
    except NotADocument:
        return None
