"""What a snapshot means for the rules: where each of them stands, and what is to be told.

An account alone is judged, by its own snapshots in their order, and by the times at which they were
received: so whoever reads the same frames again, in whatever batches, finds the same crossings.
Snapshots of two venues come in no order that would be the same again; nothing is judged over both.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from processors.alerts.rules import OF_LIMITS, Level, Mark, Rule
from schemas.amounts import against_limit
from schemas.documents import BalanceSnapshot, LimitAlert, Time
from schemas.times import time_ns_of

_NS_PER_S: Final = 1_000_000_000
_ZERO: Final = "0"
OF_ACCOUNT: Final = ""
"""The subject of what is about an account as such."""
_ASSET: Final = "="


class Standing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where one rule stands with one limit or asset of an account.

    `…_since` is from when on a threshold has been crossed, not yet for long enough. Of a rule of
    time `warning_since` is from when on the account has not been live.
    """

    warning: bool = False
    breach: bool = False
    warning_since: Time | None = None
    breach_since: Time | None = None

    @property
    def of_warning(self) -> "Stage":
        """How far the level is."""
        return self.warning, self.warning_since

    @property
    def of_breach(self) -> "Stage":
        """How far the level is."""
        return self.breach, self.breach_since

    @property
    def level(self) -> Level:
        """What others were told last, or what they know without a word."""
        return "breach" if self.breach else "warning" if self.warning else "cleared"


Stage = tuple[bool, str | None]
"""Of one level: whether it holds, and if not, since when its threshold has been crossed."""

NOWHERE: Final = Standing()

Standings = Mapping[str, Mapping[str, Standing]]
"""Of one account: by the rule's name, then by subject (`asset_of`). What is normal is left out."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """What a rule looks at, or None where nobody knows it; with the limit, where it is of one."""

    text: str | None
    base_currency: str | None = None
    current: str | None = None
    max: str | None = None
    utilisation: str | None = None


_GONE: Final = Value(None)


def asset_of(subject: str) -> str | None:
    """The asset that a standing is about; None for the account's own limit."""
    return subject.removeprefix(_ASSET) if subject else None


def subject_of(asset: str) -> str:
    """What a standing about an asset is kept under."""
    return _ASSET + asset


def judge(
    before: Standings,
    snapshot: BalanceSnapshot,
    rules: tuple[Rule, ...],
    *,
    in_assets: frozenset[str] = frozenset(),
    of_time: frozenset[str] = frozenset(),
) -> tuple[Standings, list[LimitAlert]]:
    """Where the rules stand after a snapshot, and what is to be told of.

    Where nothing changed it is the very `before`, and the same snapshot again changes nothing.
    `rules` are those that take the account's user and venue (`rules_for`), `of_time` the names of
    those that no frame crosses (`names_of_time`). Whatever stands there of another rule is cleared.
    """
    after, alerts = dict[str, dict[str, Standing]](), list[LimitAlert]()
    for rule in rules:
        values = _values(rule, snapshot, in_assets)
        stood = before.get(rule.name, {})
        for subject in sorted(values.keys() | stood.keys()):
            was = stood.get(subject, NOWHERE)
            value = values.get(subject) or _missing(rule, subject, snapshot)
            now = NOWHERE if value is None else _step(rule, was, value, snapshot.received_time)
            if now.level != was.level:
                alerts.append(_alert(rule, subject, now, value or _GONE, snapshot))
            # An asset that was listed once is worth 0 once it is not: that must not be forgotten.
            if now != NOWHERE or (rule.condition == "balance_below" and value is not None):
                after.setdefault(rule.name, {})[subject] = now
    for name in sorted(before.keys() - {rule.name for rule in rules}):
        if name in of_time and not snapshot.deleted:
            after[name] = dict(before[name])
            continue
        for subject, was in before[name].items():
            if was.level != "cleared":
                alerts.append(cleared(name, subject, snapshot, snapshot.received_time))
    return (before if after == before else after), alerts


def cleared(name: str, subject: str, of: BalanceSnapshot, time: str) -> LimitAlert:
    """That a rule says nothing of an account any more: it went, or the rule did."""
    return LimitAlert(
        user=of.user,
        venue=of.venue,
        account=of.account,
        asset=asset_of(subject),
        base_currency=None,
        level="cleared",
        current=None,
        max=None,
        utilisation=None,
        time=time,
        rule=name,
        source=of.source,
    )


def _values(rule: Rule, snapshot: BalanceSnapshot, in_assets: frozenset[str]) -> dict[str, Value]:
    """What the rule looks at in a snapshot, by subject."""
    if snapshot.deleted:
        return {}
    if rule.condition in OF_LIMITS:
        return _limits(rule, snapshot, in_assets)
    found = {
        _ASSET + asset: Value(balance.held if rule.condition == "held_above" else balance.total)
        for asset, balance in snapshot.assets.items()
        if rule.takes_asset(asset)
    }
    # More is held of these than is told: whether too little, or too much, nobody knows.
    found |= {_ASSET + asset: _GONE for asset in snapshot.unknown if rule.takes_asset(asset)}
    return found


def _limits(rule: Rule, snapshot: BalanceSnapshot, in_assets: frozenset[str]) -> dict[str, Value]:
    total = snapshot.exposure
    base = None if total is None else total.base_currency
    if rule.is_of_account:
        if total is None:
            return {}
        return _limit(rule, OF_ACCOUNT, base, total.current, total.max)
    base = None if snapshot.venue in in_assets else base
    found = dict[str, Value]()
    for asset, balance in snapshot.assets.items():
        if balance.exposure is not None and rule.takes_asset(asset):
            limit = balance.exposure
            found |= _limit(rule, _ASSET + asset, base, limit.current, limit.max)
    return found


def _limit(
    rule: Rule, subject: str, base: str | None, current: str | None, maximum: str | None
) -> dict[str, Value]:
    if rule.base_currencies is not None and base not in rule.base_currencies:
        return {}
    left, used = against_limit(current, maximum)
    text = used if rule.condition == "utilisation_above" else left
    return {subject: Value(text, base, current, maximum, used)}


def _missing(rule: Rule, subject: str, snapshot: BalanceSnapshot) -> Value | None:
    """What a snapshot says of something that it does not name; None: there is no such thing."""
    if snapshot.deleted:
        return None
    asset = asset_of(subject)
    if rule.condition not in OF_LIMITS:
        return Value(_ZERO) if asset is not None and rule.takes_asset(asset) else None
    if asset is None:
        return _GONE if rule.is_of_account and snapshot.exposure is None else None
    if not rule.takes_asset(asset):
        return None
    balance = snapshot.assets.get(asset)
    is_silent = asset in snapshot.unknown or (balance is not None and balance.exposure is None)
    return _GONE if is_silent else None


def _step(rule: Rule, was: Standing, value: Value, time: str) -> Standing:
    if value.text is None:
        # Nobody knows: what was told stays told.
        return was
    number = Decimal(value.text)
    warning, warning_since = _stage(rule, rule.warning, was.of_warning, number, time)
    breach, breach_since = _stage(rule, rule.breach, was.of_breach, number, time)
    return Standing(warning, breach, warning_since, breach_since)


def _stage(rule: Rule, mark: Mark | None, was: Stage, number: Decimal, time: str) -> Stage:
    """Whether a level holds, and from when on it would, if it does not yet."""
    if mark is None:
        return False, None
    on, since = was
    sign = 1 if rule.is_above else -1
    if on:
        return (number - mark.clear) * sign > 0, None
    if (number - mark.at) * sign <= 0:
        return False, None
    begun = time if since is None else since
    held_ns = time_ns_of(time) - time_ns_of(begun)
    return (True, None) if held_ns >= rule.for_seconds * _NS_PER_S else (False, begun)


def _alert(
    rule: Rule, subject: str, now: Standing, value: Value, snapshot: BalanceSnapshot
) -> LimitAlert:
    return LimitAlert(
        user=snapshot.user,
        venue=snapshot.venue,
        account=snapshot.account,
        asset=asset_of(subject),
        base_currency=value.base_currency,
        level=now.level,
        current=value.current,
        max=value.max,
        utilisation=value.utilisation,
        time=snapshot.received_time,
        rule=rule.name,
        condition=rule.condition,
        value=value.text,
        threshold=rule.threshold(now.level),
        source=snapshot.source,
    )
