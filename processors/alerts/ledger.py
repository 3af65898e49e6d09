"""A batch of snapshots judged, each for itself: which rows change, and what is to be told.

Which snapshots count is what the users' rows say; they are looked at only where something would
change, which is seldom. A user in whom nothing was ever out of the ordinary has no row.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from processors.alerts.guards import GUARDS_MAX, guard_of
from processors.alerts.judge import OF_ACCOUNT, Standing, Standings, cleared, judge
from processors.alerts.kept import NONE, tells_amounts, with_told
from processors.alerts.kept import Account as AccountOf
from processors.alerts.observed import alert_of, is_news, standing_of
from processors.alerts.rules import Rule, names_of_time, rules_for, rules_of_time
from processors.compiled import Account, Guard
from processors.ledger.moves import Observed, Order, Withdrawal
from processors.ledger.rows import RowNotRead, reading
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE, Venues
from schemas.codec import decode, decode_by, encode
from schemas.documents import BalanceSnapshot, LimitAlert
from schemas.identity import user_for
from schemas.times import time_ns_of
from schemas.topics import ALERTS

ReadRow = Callable[[bytes], bytes | None]
Place = tuple[int, int, int]


class AlertState(msgspec.Struct, frozen=True, gc=False):
    """A user's row: where the rules stand, by `venue:account`, rule and subject.

    `count` is how many alerts the user was told, `told` what is kept of them (`kept_of`): read only
    where it changes.
    """

    user: str
    accounts: dict[str, dict[str, dict[str, Standing]]]
    count: int = 0
    told: msgspec.Raw = NONE


class Told(msgspec.Struct, frozen=True, gc=False):
    """An alert, and the identity of its event."""

    event: str
    alert: LimitAlert


class AlertChanges(msgspec.Struct, gc=False):
    """The rows that change, by their keys (None: it goes), and what is to be told, in order."""

    rows: dict[bytes, bytes | None] = {}
    told: list[Told] = []


class _At(msgspec.Struct, frozen=True, gc=False):
    epoch: int
    receipt: int
    sequence: int = -1


class _Users(msgspec.Struct, frozen=True, gc=False):
    """What of a user's row says which snapshots count."""

    accounts: dict[str, _At]
    moved: dict[str, msgspec.Raw] = {}
    confirmed: dict[str, _At] = {}

    def place(self, key: str) -> Place | None:
        """The newest snapshot of an account, and the last receipt that told it."""
        stored, again = self.accounts.get(key), self.confirmed.get(key)
        if stored is None:
            return None
        receipt = stored.receipt
        if again is not None and again.epoch == stored.epoch:
            receipt = max(receipt, again.receipt)
        return stored.epoch, stored.sequence, receipt


_STATES: Final = msgspec.json.Decoder(AlertState)
_USERS: Final = msgspec.json.Decoder(_Users)
_SNAPSHOTS: Final = msgspec.json.Decoder(BalanceSnapshot)
_NOBODY: Final = _Users({})


class AlertLedger:
    """Judges snapshots by rules; `in_assets`: see `View`."""

    def __init__(self, rules: tuple[Rule, ...], *, in_assets: Venues = NOWHERE) -> None:
        self._rules = rules
        self._names_users = any(rule.users is not None for rule in rules)
        self._of_venue: dict[str, tuple[tuple[Rule, ...], frozenset[str]]] = {}
        self._of_time = {rule.name: rule for rule in rules_of_time(rules)}
        self._in_assets = in_assets
        # By partition and user, in step with the rows as the folds have left them.
        self._guards: dict[int, dict[str, Guard]] = {}

    def forget(self, partition: int) -> None:
        """The rows of a partition may be others than the folds have left: they are read again."""
        self._guards.pop(partition, None)

    def fold(
        self,
        partition: int,
        snapshots: Iterable[BalanceSnapshot | Account],
        read: ReadRow,
        read_user: ReadRow,
    ) -> AlertChanges:
        """Judge snapshots in their order; `read_user` reads users' rows as before the batch.

        Raises `RowNotRead` for a row of this table that is none.
        """
        guards = self._guards.setdefault(partition, {})
        batch = _Batch(read, read_user)
        for told in snapshots:
            guard = guards.get(told.user)
            if guard is not None and not isinstance(told, BalanceSnapshot) and guard.holds(told):
                batch.passed(told)
                continue
            # An alert of a rule that is gone is cleared all the same.
            if self._names_users and not self._takes(told.user) and batch.state(told.user) is None:
                continue
            guards.pop(told.user, None)
            if isinstance(told, BalanceSnapshot):
                self._judge(batch, told)
                continue
            stands = self._judge(batch, _read(told))
            if stands is not None and sum(map(len, self._guards.values())) < GUARDS_MAX:
                rules, _ = self._rules_for(told.user, told.place[0])
                guard = guard_of(told, rules, stands)
                if guard is not None:
                    guards[told.user] = guard
        return batch.changes()

    def _rules_for(self, user: str, venue: str) -> tuple[tuple[Rule, ...], frozenset[str]]:
        """The rules that an account is judged by, and what those of time are called."""
        known = None if self._names_users else self._of_venue.get(venue)
        if known is None:
            rules = self._rules
            known = rules_for(rules, user, venue), names_of_time(rules, user, venue)
            self._of_venue[venue] = known
        return known

    def _takes(self, user: str) -> bool:
        return any(one.users is None or user in one.users for one in self._rules)

    def _judge(self, batch: "_Batch", snapshot: BalanceSnapshot) -> Standings | None:
        """Where the rules stand with the account now; None: nobody asked this snapshot."""
        account = user_for(snapshot.venue, snapshot.account)
        state = batch.state(snapshot.user)
        before = {} if state is None else state.accounts.get(account, {})
        rules, of_time = self._rules_for(snapshot.user, snapshot.venue)
        after, alerts = judge(before, snapshot, rules, in_assets=self._in_assets, of_time=of_time)
        gone = (snapshot.venue, snapshot.account) if snapshot.deleted else None
        is_change = after is not before or batch.tells_amounts(snapshot.user, gone)
        if is_change and not batch.counts(snapshot, account):
            return None
        batch.saw(snapshot, account)
        if not is_change:
            return before
        stands = {name: dict(of) for name, of in after.items()}
        batch.put(snapshot.user, account, stands, alerts, gone=gone)
        source = snapshot.source
        place = f"{source.topic}/{source.partition}/{source.offset}"
        for alert in alerts:
            batch.told.append(Told(_event(alert, place), alert))
        return stands

    def move(
        self, partition: int, orders: Iterable[Order], read: ReadRow, read_user: ReadRow
    ) -> AlertChanges:
        """Follow orders: what workers observed is told, what was told of accounts that go cleared.

        Their new users are told with the next frame of the account.
        """
        batch = _Batch(read, read_user)
        gone = set[tuple[str, str]]()
        guards = self._guards.get(partition, {})
        for order in orders:
            account = user_for(order.venue, order.account)
            guards.pop(order.user, None)
            if isinstance(order, Withdrawal):
                gone.add((order.user, account))
                self._withdraw(batch, order, account)
            elif isinstance(order, Observed) and (order.user, account) not in gone:
                self._observe(batch, order, account)
        return batch.changes()

    def _withdraw(self, batch: "_Batch", order: Withdrawal, account: str) -> None:
        state = batch.state(order.user)
        gone = order.venue, order.account
        stands = {} if state is None else state.accounts.get(account, {})
        if not stands and not batch.tells_amounts(order.user, gone):
            return
        snapshot = batch.snapshot(order.user, account)
        alerts = list[LimitAlert]()
        for rule, subjects in stands.items():
            for subject, standing in subjects.items():
                if standing.level != "cleared" and snapshot is not None:
                    alert = cleared(rule, subject, snapshot, snapshot.received_time)
                    batch.told.append(Told(_event(alert, f"moved/{order.number}"), alert))
                    alerts.append(alert)
        batch.put(order.user, account, {}, alerts, gone=gone)

    def _observe(self, batch: "_Batch", order: Observed, account: str) -> None:
        rule = self._of_time.get(order.rule)
        takes = rule is not None and rule.takes(order.user, order.venue)
        if rule is None or not takes or not rule.has(order.level):
            return  # A worker with other rules saw it.
        state = batch.state(order.user) or AlertState(order.user, {})
        stands = state.accounts.get(account, {})
        with reading(order.user.encode()):
            if not is_news(order, stands, told=state.count, kept=state.told):
                return
        snapshot = batch.snapshot(order.user, account)
        if snapshot is None or snapshot.deleted:
            return
        after = {name: dict(of) for name, of in stands.items() if name != rule.name}
        alert = alert_of(order, rule, snapshot)
        if order.level != "cleared":
            after[rule.name] = {OF_ACCOUNT: standing_of(order, rule)}
        batch.put(order.user, account, after, [alert], gone=None)
        place = f"observed/{time_ns_of(order.time)}/{order.told}"
        batch.told.append(Told(_event(alert, place), alert))


class _Batch:
    """The rows that a batch is judged by, and what has become of them."""

    def __init__(self, read: ReadRow, read_user: ReadRow) -> None:
        self._read = read
        self._read_user = read_user
        self._states: dict[str, AlertState | None] = {}
        self._users: dict[str, _Users] = {}
        self._seen: dict[tuple[str, str], Place] = {}
        self._passed: dict[str, list[Account]] = {}
        self._changed: set[str] = set()
        self.told: list[Told] = []

    def state(self, user: str) -> AlertState | None:
        """Where the rules stand with a user; None where all is in order."""
        if user not in self._states:
            key = user.encode()
            row = self._read(key)
            self._states[user] = None if row is None else _state(key, row)
        return self._states[user]

    def put(
        self,
        user: str,
        account: str,
        stands: dict[str, dict[str, Standing]],
        alerts: Sequence[LimitAlert],
        *,
        gone: AccountOf | None,
    ) -> None:
        """Where the rules stand with an account now, and what is told; `gone`: it went."""
        state = self.state(user) or AlertState(user, {})
        accounts = {name: of for name, of in state.accounts.items() if name != account}
        if stands:
            accounts[account] = stands
        with reading(user.encode()):
            told = with_told(state.told, state.count, alerts, gone=gone)
        count = state.count + len(alerts)
        # Whoever was told once is numbered on from there: nobody takes a new alert for an old one.
        is_row = accounts or count
        self._states[user] = AlertState(user, accounts, count, told) if is_row else None
        self._changed.add(user)

    def tells_amounts(self, user: str, account: AccountOf | None) -> bool:
        """Whether a user's row still says what an account had that went; None: none did."""
        state = None if account is None else self.state(user)
        if state is None or account is None:
            return False
        with reading(user.encode()):
            return tells_amounts(state.told, account)

    def counts(self, snapshot: BalanceSnapshot, account: str) -> bool:
        """Whether a snapshot is not older than what is known, and the user has the account."""
        users = self._user(snapshot.user)
        if account in users.moved:
            return False
        for told in self._passed.pop(snapshot.user, ()):
            venue, name, _, _ = told.place
            self._see((snapshot.user, user_for(venue, name)), told.order)
        known = (users.place(account), self._seen.get((snapshot.user, account)))
        place = _place(snapshot)
        return all(one is None or place >= one for one in known)

    def saw(self, snapshot: BalanceSnapshot, account: str) -> None:
        """Remember how far an account is within the batch."""
        self._see((snapshot.user, account), _place(snapshot))

    def passed(self, told: Account) -> None:
        """Remember the same of a snapshot that changes nothing."""
        self._passed.setdefault(told.user, []).append(told)

    def _see(self, key: tuple[str, str], place: Place) -> None:
        self._seen[key] = max(self._seen.get(key, place), place)

    def snapshot(self, user: str, account: str) -> BalanceSnapshot | None:
        """The newest snapshot of an account before the batch."""
        key = user.encode()
        row = self._read_user(key)
        return None if row is None else decode(row, UserState).accounts.get(account)

    def _user(self, user: str) -> _Users:
        if user not in self._users:
            row = self._read_user(user.encode())
            self._users[user] = _NOBODY if row is None else decode_by(row, _USERS)
        return self._users[user]

    def changes(self) -> AlertChanges:
        """What has become of the rows."""
        rows = {}
        for user in self._changed:
            state = self._states[user]
            rows[user.encode()] = None if state is None else encode(state)
        return AlertChanges(rows, self.told)


def _state(key: bytes, row: bytes) -> AlertState:
    with reading(key):
        return decode_by(row, _STATES)


def check_row(key: bytes, row: bytes) -> None:
    """That a row of the table is one of ours; raises `RowNotRead`."""
    user = _state(key, row).user
    if user.encode() != key:
        raise RowNotRead(key, "it is another user's")


def _read(account: Account) -> BalanceSnapshot:
    # Whoever made an `Account` of it has seen that every amount has its form.
    return decode_by(account.document, _SNAPSHOTS)


def _place(snapshot: BalanceSnapshot) -> Place:
    return snapshot.epoch, snapshot.sequence, snapshot.receipt


def _event(alert: LimitAlert, place: str) -> str:
    """The identity: whoever judges the same record by the same rule says the same."""
    asset = "" if alert.asset is None else f"={alert.asset}"
    parts = (alert.user, alert.rule, alert.venue, alert.account, asset)
    return "/".join([ALERTS, *(quote(part, safe=":") for part in parts), place])
