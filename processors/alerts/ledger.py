"""A batch of snapshots judged, each for itself: which rows change, and what is to be told.

Most snapshots need no judging: they cross nothing (`guards`). What no frame tells comes as an order
(`observed`).
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

import msgspec

from processors.alerts.batch import AlertChanges, AlertState, Batch, ReadRow, Told
from processors.alerts.guards import GUARDS_MAX, guard_of
from processors.alerts.judge import OF_ACCOUNT, Standings, cleared, judge
from processors.alerts.observed import alert_of, is_news, standing_of
from processors.alerts.rules import Rule, names_of_time, rules_for, rules_of_time
from processors.compiled import Account, Guard
from processors.ledger.moves import Observed, Order, Withdrawal
from processors.ledger.rows import reading
from processors.ledger.views import NOWHERE, Venues
from schemas.codec import decode_by
from schemas.documents import BalanceSnapshot, LimitAlert
from schemas.identity import user_for
from schemas.times import time_ns_of
from schemas.topics import ALERTS

_SNAPSHOTS: Final = msgspec.json.Decoder(BalanceSnapshot)


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
        batch = Batch(read, read_user)
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

    def _judge(self, batch: Batch, snapshot: BalanceSnapshot) -> Standings | None:
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
        batch = Batch(read, read_user)
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

    def _withdraw(self, batch: Batch, order: Withdrawal, account: str) -> None:
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

    def _observe(self, batch: Batch, order: Observed, account: str) -> None:
        rule = self._of_time.get(order.rule)
        if rule is None or not rule.takes(order.user, order.venue):
            return  # a worker with other rules saw it
        if order.level != "cleared" and rule.mark(order.level) is None:
            return  # the same
        state = batch.state(order.user) or AlertState(order.user, {})
        stands = state.accounts.get(account, {})
        with reading(order.user.encode()):
            if not is_news(order, stands, told=state.count, kept=state.told):
                return
        snapshot = batch.snapshot(order.user, account)
        if snapshot is None or snapshot.deleted:
            return
        after = {name: dict(of) for name, of in stands.items() if name != rule.name}
        alert = alert_of(order, rule, snapshot.source)
        if order.level != "cleared":
            after[rule.name] = {OF_ACCOUNT: standing_of(order, rule)}
        batch.put(order.user, account, after, [alert], gone=None)
        place = f"observed/{time_ns_of(order.time)}/{order.told}"
        batch.told.append(Told(_event(alert, place), alert))


def _read(account: Account) -> BalanceSnapshot:
    # Whoever made an `Account` of it has seen that every amount has its form.
    return decode_by(account.document, _SNAPSHOTS)


def _event(alert: LimitAlert, place: str) -> str:
    """The identity: whoever judges the same record by the same rule says the same."""
    asset = "" if alert.asset is None else f"={alert.asset}"
    parts = (alert.user, alert.rule, alert.venue, alert.account, asset)
    return "/".join([ALERTS, *(quote(part, safe=":") for part in parts), place])
