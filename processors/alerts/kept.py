"""The last word on each rule and subject, kept in a user's row: what stands now, and what ended.

`alerts.v1` is kept for a month, and who comes later wants to know what stands. An alert that ended
is kept, too, until the next one of the same rule and subject: a row is all that is known of a
change once it is written. Of an account that went it says that its alerts ended, and no amounts.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.codec import decode_by
from schemas.documents import LimitAlert

KEPT_MAX: Final = 200
"""Of one user at most, the newest: a frame may name assets by the thousand."""

NONE: Final = msgspec.Raw(b"[]")


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The last alert of a rule and subject; `number` counts all that the user was told, from 1."""

    number: int
    alert: LimitAlert

    @property
    def about(self) -> tuple[str, str, str, str | None]:
        """What it is about: two alerts about the same replace each other."""
        return about(self.alert)


Account = tuple[str, str]
"""A venue, and an account's id there."""

_KEPT: Final = msgspec.json.Decoder(list[Kept])


def about(alert: LimitAlert) -> tuple[str, str, str, str | None]:
    """The account, rule and asset that an alert is about."""
    return alert.venue, alert.account, alert.rule, alert.asset


def kept_of(row: msgspec.Raw) -> list[Kept]:
    """The alerts that a row keeps, in the order in which they were told; raises `NotADocument`."""
    return decode_by(row, _KEPT)


def with_told(
    before: msgspec.Raw,
    count: int,
    alerts: Sequence[LimitAlert],
    *,
    gone: Account | None = None,
) -> msgspec.Raw:
    """What a row keeps after `count` alerts and these; `gone` is an account that went.

    Raises `NotADocument` where the row is none of ours.
    """
    if not alerts and gone is None:
        return before
    replaced = {about(one) for one in alerts}
    stays = [
        Kept(one.number, _without_amounts(one.alert)) if _is_of(one.alert, gone) else one
        for one in kept_of(before)
        if one.about not in replaced
    ]
    told = [Kept(number, alert) for number, alert in enumerate(alerts, count + 1)]
    return msgspec.Raw(msgspec.json.encode([*stays, *told][-KEPT_MAX:]))


def tells_amounts(row: msgspec.Raw, of: Account) -> bool:
    """Whether a row still says what an account had; raises `NotADocument`."""
    return any(
        _is_of(one.alert, of) and one.alert != _without_amounts(one.alert) for one in kept_of(row)
    )


def _is_of(alert: LimitAlert, account: Account | None) -> bool:
    return (alert.venue, alert.account) == account


def _without_amounts(alert: LimitAlert) -> LimitAlert:
    return msgspec.structs.replace(alert, current=None, max=None, utilisation=None, value=None)
