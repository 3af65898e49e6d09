"""What a worker observed of an account by a rule of time, as alerts have it: folded; pure.

No frame says that an account is no longer live, so it cannot be judged by frames. Workers look, and
send an order for each change of level that they see; the users' agent folds it beside the frames.
Of several that saw the same, and of what comes late, one counts: an order names how much its user
had been told when it was made, and is void once the rule has told something of the account since.
"""

from typing import Final

import msgspec

from processors.alerts.judge import NOWHERE, OF_ACCOUNT, Standing, Standings
from processors.alerts.kept import KEPT_MAX, kept_of
from processors.alerts.rules import Rule
from processors.ledger.moves import Observed
from schemas.documents import BalanceSnapshot, LimitAlert

LEVELS: Final = ("cleared", "warning", "breach")
"""The mildest first."""


def is_news(order: Observed, stands: Standings, *, told: int, kept: msgspec.Raw) -> bool:
    """Whether an order counts; `told` and `kept` are of its user's row (`AlertState`).

    Raises `NotADocument` where the row is none of ours.
    """
    if level_of(stands, order.rule) == order.level:
        return False
    if told == order.told:
        return True
    known = kept_of(kept)
    about = order.venue, order.account, order.rule, None
    last = next((one.number for one in known if one.about == about), None)
    if last is None:
        # Never told, unless it is kept no longer: then nobody knows when it was.
        return len(known) < KEPT_MAX
    return last <= order.told


def level_of(stands: Standings, rule: str) -> str:
    """Where a rule of time stands with an account."""
    return stands.get(rule, {}).get(OF_ACCOUNT, NOWHERE).level


def standing_of(order: Observed, rule: Rule) -> Standing:
    """Where the rule stands with the account from now on."""
    return Standing(
        warning=rule.warning is not None,
        breach=order.level == "breach",
        warning_since=order.since,
    )


def alert_of(order: Observed, rule: Rule, snapshot: BalanceSnapshot) -> LimitAlert:
    """What is told of it; the newest snapshot of the account is its source."""
    mark = {"breach": rule.breach, "warning": rule.warning, "cleared": None}[order.level]
    return LimitAlert(
        user=order.user,
        venue=order.venue,
        account=order.account,
        asset=None,
        base_currency=None,
        level=order.level,
        current=None,
        max=None,
        utilisation=None,
        time=order.time,
        rule=rule.name,
        condition=rule.condition,
        value=order.seconds,
        threshold=None if mark is None else format(mark.at, "f"),
        source=snapshot.source,
    )
