"""sFOX's balance frames.

Source: sFOX, WebSocket API, `private.enterprise.users.balances`. Amounts are texts. The table of
fields lacks `staking_wallet`, which the example has: every `*_wallet` is taken.
"""

from typing import Any, Final

from processors.normalise.frame import RawFrame
from processors.normalise.reading import Reading
from processors.normalise.strict_json import Number, parse
from schemas.documents import AssetBalance, BalanceSnapshot
from schemas.identity import user_for
from schemas.rejections import Reason, Rejected
from schemas.times import venue_time
from schemas.venues import SFOX

_WALLET: Final = "_wallet"
# Nanoseconds have 19 digits until the year 2286.
_TIMESTAMP_DIGITS_MAX: Final = 19


def normalise(frame: RawFrame) -> BalanceSnapshot | Rejected:
    """The snapshot of one sFOX frame, or why there is none."""
    envelope = parse(frame.data)
    if isinstance(envelope, Rejected):
        return envelope
    if not _is_balances(envelope):
        return Rejected(Reason.UNKNOWN_MESSAGE, "no balances of sFOX")
    reading = Reading()
    sequence = reading.integer(envelope, "sequence", "")
    payload = reading.nested(envelope, "payload")
    account, assets = None, {}
    if payload is not None:
        account = reading.account(payload, "user_id", "payload.")
        updates = reading.items(payload, "updates", "payload.")
        assets = reading.assets(updates, "payload.updates", "currency", _balance)
    if reading.rejected is not None or account is None or sequence is None:
        return reading.rejected or Rejected(Reason.WRONG_TYPE, "payload")
    return BalanceSnapshot(
        user=user_for(SFOX.name, account),
        venue=SFOX.name,
        account=account,
        epoch=frame.receipt.epoch,
        sequence=sequence,
        receipt=frame.receipt.receipt,
        venue_time=_venue_time(envelope.get("timestamp")),
        received_time=frame.receipt.received_time,
        deleted=False,
        assets=assets,
        exposure=None,
        source=frame.source,
    )


def _is_balances(envelope: object) -> bool:
    """A frame for our feed; one without any recipient passes if it has a payload to read."""
    if not isinstance(envelope, dict):
        return False
    if "recipient" in envelope:
        return bool(envelope["recipient"] == SFOX.feed)
    return "payload" in envelope and "type" not in envelope


def _balance(update: dict[str, Any], reading: Reading, where: str) -> AssetBalance | None:
    total = reading.text_amount(update, "balance", where)
    available = reading.text_amount(update, "available", where)
    held = reading.text_amount(update, "held", where)
    wallets = {
        name.removesuffix(_WALLET): reading.text_amount(update, name, where)
        for name in update
        if name.endswith(_WALLET)
    }
    known = {name: amount for name, amount in wallets.items() if amount is not None}
    if total is None or available is None or held is None:
        return None
    return AssetBalance(total=total, available=available, held=held, wallets=known, exposure=None)


def _venue_time(timestamp: object) -> str | None:
    """The venue's own time: not needed, so one that cannot be read is unknown."""
    if not isinstance(timestamp, Number) or not timestamp.literal.isdigit():
        return None
    if len(timestamp.literal) > _TIMESTAMP_DIGITS_MAX:
        return None
    return venue_time(int(timestamp.literal))
