"""Between which amounts nothing changes: so that most snapshots need no judging.

After an account was judged its rules stand somewhere, and stand there still for any snapshot that
names the same assets with amounts that cross nothing. Only plain accounts are guarded: they have no
limits. Where a threshold is crossed, but not yet for long enough, time alone changes something:
there is no guard then. A guard holds for the row that it was made with, and goes when that does.

Pure.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from processors.alerts.judge import NOWHERE, Standing, Standings, subject_of
from processors.alerts.rules import OF_LIMITS, Rule
from processors.compiled import Account, Guard

GUARDS_MAX: Final = 16_384
"""Of one worker: some 2 KiB each, with the snapshot that it was made of."""

_HELD: Final = "held_above"
_Bound = tuple[int, bool, int, bool, bytes]


def guard_of(told: Account, rules: tuple[Rule, ...], stands: Standings) -> Guard | None:
    """The guard of an account that was judged, and stands there now; None: there can be none."""
    judged = [stands[rule.name] for rule in rules if rule.name in stands]
    if any(one.warning_since or one.breach_since for of in judged for one in of.values()):
        return None
    bounds = []
    for number, name in enumerate(told.names):
        for rule in rules:
            if rule.condition not in OF_LIMITS and rule.takes_asset(name):
                standing = stands.get(rule.name, {}).get(subject_of(name), NOWHERE)
                bounds += list(_bounds(number, rule, standing))
    return Guard(told, bounds)


def _bounds(number: int, rule: Rule, standing: Standing) -> Iterator[_Bound]:
    """What an amount does not cross for as long as the rule stands where it does."""
    side, is_held = (1 if rule.is_above else -1), rule.condition == _HELD
    for mark, is_on in ((rule.warning, standing.warning), (rule.breach, standing.breach)):
        if mark is not None:
            # What is crossed is left at the mark itself, too.
            at, towards = (mark.clear, -side) if is_on else (mark.at, side)
            yield number, is_held, towards, is_on, _text(at)


def _text(mark: Decimal) -> bytes:
    """As a plain account's amounts are written: none is below 0, so nor need a mark be.

    Above a mark below 0 they all lie: what was judged stands beyond it, whatever comes.
    """
    return format(mark if mark > 0 else Decimal(0), "f").encode()
