"""sFOX's balance frames.

Source: sFOX, WebSocket API, `private.enterprise.users.balances`. Amounts are texts. The table of
fields lacks `staking_wallet`, which the example has: every `*_wallet` is taken.
"""

from typing import Any, Final

from processors.normalise.frame import RawFrame
from processors.normalise.reading import Reading
from processors.normalise.strict_json import Number, parse, parse_embedded
from schemas.documents import AssetBalance, BalanceSnapshot
from schemas.identity import is_account, user_for
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
    payload = _payload(envelope, reading)
    account, assets = None, {}
    if payload is not None:
        account = _account(payload, reading)
        assets = _assets(payload, reading)
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


def _payload(envelope: dict[str, Any], reading: Reading) -> dict[str, Any] | None:
    if not reading.present(envelope, "payload", ""):
        return None
    payload = envelope["payload"]
    if isinstance(payload, str):
        payload = parse_embedded(payload, "payload")
        if isinstance(payload, Rejected):
            reading.fault(payload.reason, payload.detail)
            return None
    if isinstance(payload, dict):
        return payload
    reading.fault(Reason.WRONG_TYPE, "payload")
    return None


def _account(payload: dict[str, Any], reading: Reading) -> str | None:
    account = reading.text(payload, "user_id", "payload.")
    if account is not None and not is_account(account):
        reading.fault(Reason.WRONG_TYPE, "payload.user_id is not 1 to 1024 bytes long")
    return account


def _assets(payload: dict[str, Any], reading: Reading) -> dict[str, AssetBalance]:
    assets: dict[str, AssetBalance] = {}
    for index, update in enumerate(reading.items(payload, "updates", "payload.")):
        where = f"payload.updates[{index}]"
        if not isinstance(update, dict):
            reading.fault(Reason.WRONG_TYPE, where)
            continue
        currency = reading.text(update, "currency", f"{where}.")
        balance = _balance(update, reading, f"{where}.")
        if currency is None or balance is None:
            continue
        asset = currency.upper()
        if asset in assets:
            reading.fault(Reason.DUPLICATE_ASSET, f"{where}.currency")
        assets[asset] = balance
    return assets


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
