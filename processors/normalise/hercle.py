"""Hercle's balance snapshots, as they come over its SignalR hub.

Source: Hercle, `GetBalances` and the event `executionEvents`, subject
`account.balances.snapshot`; SignalR's hub protocol for the envelope. Amounts are JSON numbers:
their own digits are read. Totals are the venue's word, not the sum of its assets, and are carried.
"""

from typing import Any, Final

import msgspec

from processors.normalise.frame import RawFrame
from processors.normalise.reading import Reading
from processors.normalise.strict_json import Number, parse
from schemas.amounts import sum_text
from schemas.documents import AccountExposure, AssetBalance, BalanceSnapshot, Exposure
from schemas.identity import user_for
from schemas.rejections import Reason, Rejected
from schemas.venues import HERCLE

# A frame of 1 MiB with long names and many limits would become a document of 100 MiB, which no
# topic takes: it is too large for what follows from it.
LIMITS_BYTES_MAX: Final = 4 * 1024 * 1024
_INVOCATION: Final = Number("1")
_TARGET: Final = "executionevents"


def normalise(frame: RawFrame) -> BalanceSnapshot | Rejected:
    """The snapshot of one hub message of Hercle, or why there is none."""
    message = parse(frame.data)
    if isinstance(message, Rejected):
        return message
    event = _balances_event(message)
    if event is None:
        return Rejected(Reason.UNKNOWN_MESSAGE, "no balances of Hercle")
    reading = Reading()
    data = reading.nested(event, "data")
    snapshot = None if data is None else _snapshot(frame, data, reading)
    if snapshot is None or reading.rejected is not None:
        return reading.rejected or Rejected(Reason.WRONG_TYPE, "data")
    if _limits_bytes(snapshot) > LIMITS_BYTES_MAX:
        return Rejected(Reason.TOO_LARGE, "names that every limit would repeat")
    return snapshot


def _limits_bytes(snapshot: BalanceSnapshot) -> int:
    """How many bytes the names take in the user's limits, which name account and base each."""
    if snapshot.exposure is None or snapshot.exposure.base_currency is None:
        base_currency = ""
    else:
        base_currency = snapshot.exposure.base_currency
    names = msgspec.json.encode((snapshot.account, base_currency))
    limits = 1 + sum(balance.exposure is not None for balance in snapshot.assets.values())
    return limits * len(names)


def _balances_event(message: object) -> dict[str, Any] | None:
    """The first argument of the invocation that carries balances; None for any other message."""
    match message:
        case {"type": kind, "target": str() as target, "arguments": [dict() as event, *_]} if (
            # SignalR's own clients compare a target without regard to case.
            kind == _INVOCATION
            and target.lower() == _TARGET
            and event.get("subject") == HERCLE.feed
        ):
            return event
        case _:
            return None


def _snapshot(frame: RawFrame, data: dict[str, Any], reading: Reading) -> BalanceSnapshot | None:
    account = reading.account(data, "userId", "data.")
    sequence = reading.integer(data, "sequence", "data.")
    deleted = reading.flag(data, "deleted", "data.")
    assets = reading.assets(reading.items(data, "assets", "data."), "data.assets", "name", _balance)
    exposure = _account_exposure(data, reading)
    if reading.rejected is not None or account is None or sequence is None or deleted is None:
        return None
    return BalanceSnapshot(
        user=user_for(HERCLE.name, account),
        venue=HERCLE.name,
        account=account,
        epoch=frame.receipt.epoch,
        sequence=sequence,
        receipt=frame.receipt.receipt,
        venue_time=None,
        received_time=frame.receipt.received_time,
        deleted=deleted,
        assets=assets,
        exposure=exposure,
        source=frame.source,
    )


def _balance(item: dict[str, Any], reading: Reading, where: str) -> AssetBalance | None:
    available = reading.number_amount(item, "available", where)
    allocated = reading.number_amount(item, "allocated", where)
    current = reading.unknown_or_number_amount(item, "currentExposure", where)
    maximum = reading.unknown_or_number_amount(item, "maxExposure", where)
    if available is None or allocated is None:
        return None
    unknown = current is None and maximum is None
    return AssetBalance(
        total=sum_text((available, allocated)),
        available=available,
        held=allocated,
        wallets={},
        exposure=None if unknown else Exposure(current=current, max=maximum),
    )


def _account_exposure(data: dict[str, Any], reading: Reading) -> AccountExposure | None:
    current = reading.unknown_or_number_amount(data, "totalCurrentExposure", "data.")
    maximum = reading.unknown_or_number_amount(data, "totalMaxExposure", "data.")
    base_currency = None
    if data.get("baseCurrency") is not None:
        base_currency = reading.text(data, "baseCurrency", "data.")
    if base_currency is None and current is None and maximum is None:
        return None
    return AccountExposure(
        base_currency=base_currency and base_currency.upper(), current=current, max=maximum
    )
