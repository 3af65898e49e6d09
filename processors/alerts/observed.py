"""What a worker observed of an account by a rule of time, as alerts have it: folded; pure.

No frame says that an account is no longer live, so it cannot be judged by frames. Workers look, and
send an order for each change of level that they see; the users' agent folds it beside the frames.
Of several that saw the same, and of what comes late, one counts: an order names how much its user
had been told when it was made, and is void once the rule has told something of the account since.
"""

from decimal import Decimal
from typing import Final

import msgspec

from processors.alerts.judge import NOWHERE, OF_ACCOUNT, Standing, Standings
from processors.alerts.kept import KEPT_MAX, kept_of
from processors.alerts.rules import Level, Rule
from processors.ledger.moves import Observed
from schemas.documents import LimitAlert, Source

RANK: Final[dict[Level, int]] = {"cleared": 0, "warning": 1, "breach": 2}
_WORST_FIRST: Final[tuple[Level, ...]] = ("breach", "warning")
_NS_PER_S: Final = 1_000_000_000


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


def level_of(stands: Standings, rule: str) -> Level:
    """Where a rule of time stands with an account."""
    return stands.get(rule, {}).get(OF_ACCOUNT, NOWHERE).level


def standing_of(order: Observed, rule: Rule) -> Standing:
    """Where the rule stands with the account from now on."""
    return Standing(
        warning=rule.warning is not None,
        breach=order.level == "breach",
        warning_since=order.since,
    )


def level_at(rule: Rule, lasting_ns: int) -> Level:
    """What a rule says of an account that has not been live for so long."""
    for level in _WORST_FIRST:
        mark = rule.mark(level)
        if mark is not None and lasting_ns > mark.at * _NS_PER_S:
            return level
    return "cleared"


def seconds_of(lasting_ns: int) -> str:
    """Whole milliseconds, in seconds, as an amount is written."""
    return format(Decimal(lasting_ns // 1_000_000).scaleb(-3), "f")


def alert_of(order: Observed, rule: Rule, source: Source | None) -> LimitAlert:
    """What is told of it; `source` is that of the account's newest snapshot."""
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
        threshold=rule.threshold(order.level),
        source=source,
    )
