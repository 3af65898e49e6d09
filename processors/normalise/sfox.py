"""sFOX's balance frames.

Source: sFOX, WebSocket API, `private.enterprise.users.balances`. Amounts are texts. The table of
fields lacks `staking_wallet`, which the example has: every `*_wallet` is taken.
"""

from typing import Any, Final

import msgspec

from processors import compiled
from processors.normalise import plain
from processors.normalise.frame import RawFrame
from processors.normalise.reading import Reading
from processors.normalise.strict_json import Number, parse, readable
from schemas.documents import AssetBalance, BalanceSnapshot
from schemas.identity import is_account, user_for
from schemas.rejections import Reason, Rejected
from schemas.times import venue_time
from schemas.venues import VENUES

_SFOX: Final = VENUES["sfox"]
_WALLET: Final = "_wallet"
# What entries of the web3 kind have, which sFOX's other feeds of balances carry.
_OF_ANOTHER_KIND: Final = ("address", "network", "type")
# Nanoseconds have 19 digits until the year 2286.
_TIMESTAMP_DIGITS_MAX: Final = 19
_TIMESTAMP_END: Final = 10**_TIMESTAMP_DIGITS_MAX


class _Update(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    currency: str
    balance: str
    available: str
    held: str
    trading_wallet: str | None = None
    collateral_wallet: str | None = None
    borrow_wallet: str | None = None
    lending_wallet: str | None = None
    staking_wallet: str | None = None


class _Payload(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    user_id: str
    updates: list[_Update]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A plain frame: what the example in the documents has, and no more."""

    sequence: int
    recipient: str
    timestamp: int
    payload: _Payload


_DECODER: Final = msgspec.json.Decoder(_Envelope)
# The keys of envelope and payload, the recipient, the account.
_STRINGS_AROUND_UPDATES: Final = 4 + 2 + 2
# Currency, balance, available, held: keys and values.
_STRINGS_OF_UPDATE: Final = 2 * 4
# The order in which a snapshot names wallets; one that nobody knew yet comes behind.
_WALLETS: Final = ("trading", "collateral", "borrow", "lending", "staking")


shortcut = compiled.plain_sfox


def normalise(frame: RawFrame) -> BalanceSnapshot | Rejected:
    """The snapshot of one sFOX frame, or why there is none."""
    return _plain(frame) or _any(frame)


def _plain(frame: RawFrame) -> BalanceSnapshot | None:
    """The snapshot of a frame that is sound and plain; None for any other."""
    envelope = plain.decode(frame.data, _DECODER)
    if envelope is None or envelope.recipient != _SFOX.feed:
        return None
    sequence, timestamp, account = envelope.sequence, envelope.timestamp, envelope.payload.user_id
    if not plain.is_integer(sequence) or not 0 < timestamp < _TIMESTAMP_END:
        return None
    updates = envelope.payload.updates
    assets = {update.currency.upper(): _plain_balance(update) for update in updates}
    wallets = sum([len(balance.wallets) for balance in assets.values()])
    strings = _STRINGS_AROUND_UPDATES + _STRINGS_OF_UPDATE * len(updates) + 2 * wallets
    if (
        len(assets) != len(updates)
        or not is_account(account)
        or not plain.holds_strings(frame.data, strings)
        or not plain.are_amounts(_amounts(assets))
    ):
        return None
    return _snapshot(frame, account, sequence, venue_time(timestamp), assets)


def _plain_balance(update: _Update) -> AssetBalance:
    wallets: dict[str, str] = {}
    if update.trading_wallet is not None:
        wallets["trading"] = update.trading_wallet
    if update.collateral_wallet is not None:
        wallets["collateral"] = update.collateral_wallet
    if update.borrow_wallet is not None:
        wallets["borrow"] = update.borrow_wallet
    if update.lending_wallet is not None:
        wallets["lending"] = update.lending_wallet
    if update.staking_wallet is not None:
        wallets["staking"] = update.staking_wallet
    return AssetBalance(update.balance, update.available, update.held, wallets, None)


def _amounts(assets: dict[str, AssetBalance]) -> set[str]:
    """All that differ: most wallets are empty."""
    amounts: set[str] = set()
    for balance in assets.values():
        amounts.update((balance.total, balance.available, balance.held), balance.wallets.values())
    return amounts


def _any(frame: RawFrame) -> BalanceSnapshot | Rejected:
    envelope, reading, twice = parse(frame.data), Reading(), None
    if isinstance(envelope, Rejected):
        if envelope.reason is not Reason.DUPLICATE_KEY:
            return envelope
        # What the other keys say tells at least whose frame it is.
        envelope, twice = readable(frame.data.decode()), envelope
    if not _is_balances(envelope):
        return twice or Rejected(Reason.UNKNOWN_MESSAGE, "no balances of sFOX")
    sequence = reading.integer(envelope, "sequence", "")
    payload = reading.nested(envelope, "payload")
    account, assets, unknown = None, {}, tuple[str, ...]()
    if payload is not None:
        account = reading.account(payload, "user_id", "payload.")
        updates = reading.items(payload, "updates", "payload.")
        assets = reading.assets(updates, "payload.updates", "currency", _balance)
        unknown = _unknown(updates)
    if twice is not None:
        # Of a key that stands twice nobody knows which is meant, whatever else is wrong.
        return Rejected(twice.reason, twice.detail, account)
    if reading.rejected is not None or account is None or sequence is None:
        return reading.rejected or Rejected(Reason.WRONG_TYPE, "payload")
    at_venue = _venue_time(envelope.get("timestamp"))
    return _snapshot(frame, account, sequence, at_venue, assets, unknown)


def _snapshot(
    frame: RawFrame,
    account: str,
    sequence: int,
    at_venue: str | None,
    assets: dict[str, AssetBalance],
    unknown: tuple[str, ...] = (),
) -> BalanceSnapshot:
    return BalanceSnapshot(
        user=user_for(_SFOX.name, account),
        venue=_SFOX.name,
        account=account,
        epoch=frame.receipt.epoch,
        sequence=sequence,
        receipt=frame.receipt.receipt,
        venue_time=at_venue,
        received_time=frame.receipt.received_time,
        deleted=False,
        assets=assets,
        exposure=None,
        source=frame.source,
        unknown=unknown,
    )


def _is_balances(envelope: object) -> bool:
    """A frame for our feed; one without any recipient passes if it has a payload to read."""
    if not isinstance(envelope, dict):
        return False
    if "recipient" in envelope:
        return bool(envelope["recipient"] == _SFOX.feed)
    return "payload" in envelope and "type" not in envelope


def _is_of_another_kind(update: dict[str, Any]) -> bool:
    """An entry such as sFOX's web3 wallets have: of an asset, and not of what is available."""
    return (
        isinstance(update.get("currency"), str)
        and "available" not in update
        and "held" not in update
        and any(name in update for name in _OF_ANOTHER_KIND)
    )


def _unknown(updates: list[Any]) -> tuple[str, ...]:
    """The assets that entries of another kind tell of."""
    others = [one for one in updates if isinstance(one, dict) and _is_of_another_kind(one)]
    return tuple(sorted({one["currency"].upper() for one in others}))


def _balance(update: dict[str, Any], reading: Reading, where: str) -> AssetBalance | None:
    if _is_of_another_kind(update):
        return None
    total = reading.text_amount(update, "balance", where)
    available = reading.text_amount(update, "available", where)
    held = reading.text_amount(update, "held", where)
    wallets = {
        name.removesuffix(_WALLET): reading.text_amount(update, name, where)
        for name in update
        if name.endswith(_WALLET)
    }
    ordered = [*_WALLETS, *(name for name in wallets if name not in _WALLETS)]
    known = {name: amount for name in ordered if (amount := wallets.get(name)) is not None}
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
