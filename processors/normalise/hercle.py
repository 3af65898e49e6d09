"""Hercle's balance snapshots, as they come over its SignalR hub.

Source: Hercle, `GetBalances` and the event `executionEvents`, subject
`account.balances.snapshot`; SignalR's hub protocol for the envelope. Amounts are JSON numbers:
their own digits are read. Totals are the venue's word, not the sum of its assets, and are carried.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from processors import compiled
from processors.normalise import plain
from processors.normalise.frame import RawFrame
from processors.normalise.reading import Reading
from processors.normalise.strict_json import Number, is_ambiguous, parse, readable
from schemas.amounts import sum_text
from schemas.documents import AccountExposure, AssetBalance, BalanceSnapshot, Exposure
from schemas.identity import is_account, user_for
from schemas.rejections import PRECEDENCE, Reason, Rejected
from schemas.venues import VENUES

_HERCLE: Final = VENUES["hercle"]
# A frame of 1 MiB with long names and many limits would become a document of 100 MiB, which no
# topic takes: it is too large for what follows from it.
LIMITS_BYTES_MAX: Final = 4 * 1024 * 1024
_INVOCATION: Final = Number("1")
_TARGET: Final = "executionevents"


_NULL: Final = "null"

Outcome = BalanceSnapshot | Rejected


class _Item(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    available: msgspec.Raw
    allocated: msgspec.Raw
    current: msgspec.Raw = msgspec.field(name="currentExposure")
    max: msgspec.Raw = msgspec.field(name="maxExposure")


class _Data(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    account: str = msgspec.field(name="userId")
    sequence: int
    assets: list[_Item]
    base_currency: str | None = msgspec.field(name="baseCurrency")
    current: msgspec.Raw = msgspec.field(name="totalCurrentExposure")
    max: msgspec.Raw = msgspec.field(name="totalMaxExposure")
    deleted: bool


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    subject: str
    client: str = msgspec.field(name="clientId")
    data: _Data


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A plain message: what the example in the documents has, and no more."""

    type: int
    target: str
    arguments: tuple[_Event]


_DECODER: Final = msgspec.json.Decoder(_Message)
# The keys of message, event and data, the target, the subject, the client, the account.
_STRINGS_AROUND_ASSETS: Final = 3 + 3 + 7 + 4
_STRINGS_OF_ASSET: Final = 5 + 1


OF_SEVERAL: Final = True

shortcut = compiled.plain_hercle


def normalise(frame: RawFrame) -> Outcome | tuple[Outcome, ...]:
    """The snapshot of one hub message of Hercle, or why there is none.

    Of a message that tells of several accounts it is one of both for each, in the message's order.
    """
    snapshot = _plain(frame)
    return _any(frame) if snapshot is None else _bounded(snapshot)


def _bounded(outcome: Outcome) -> Outcome:
    if isinstance(outcome, BalanceSnapshot) and _limits_bytes(outcome) > LIMITS_BYTES_MAX:
        why = "names that every limit would repeat"
        return Rejected(Reason.TOO_LARGE, why, outcome.account)
    return outcome


def _plain(frame: RawFrame) -> BalanceSnapshot | None:
    """The snapshot of a message that is sound and plain; None for any other."""
    message = plain.decode(frame.data, _DECODER)
    if message is None or message.type != 1 or message.target.lower() != _TARGET:
        return None
    (event,) = message.arguments
    data = event.data
    strings = _STRINGS_AROUND_ASSETS + _STRINGS_OF_ASSET * len(data.assets)
    strings += data.base_currency is not None
    if event.subject != _HERCLE.feed or not plain.holds_strings(frame.data, strings):
        return None
    assets = _plain_assets(data.assets)
    totals = plain.numbers((data.current, data.max))
    if assets is None or totals is None:
        return None
    if not is_account(data.account) or not plain.is_integer(data.sequence):
        return None
    exposure = _exposure_of_account(data.base_currency, *map(_unless_null, totals))
    return _snapshot(frame, data.account, data.sequence, data.deleted, assets, exposure)


def _plain_assets(items: list[_Item]) -> dict[str, AssetBalance] | None:
    held = plain.numbers([raw for item in items for raw in (item.available, item.allocated)])
    exposed = plain.numbers([raw for item in items for raw in (item.current, item.max)])
    if held is None or exposed is None or _NULL in held:
        return None
    assets = {
        item.name.upper(): _balance_of(*amounts, *map(_unless_null, limits))
        for item, amounts, limits in zip(items, _pairs(held), _pairs(exposed), strict=True)
    }
    return assets if len(assets) == len(items) else None


def _pairs(texts: list[str]) -> Iterator[tuple[str, str]]:
    return zip(texts[::2], texts[1::2], strict=True)


def _unless_null(literal: str) -> str | None:
    return None if literal == _NULL else literal


def _any(frame: RawFrame) -> Outcome | tuple[Outcome, ...]:
    message, twice = parse(frame.data), None
    if isinstance(message, Rejected):
        if message.reason is not Reason.DUPLICATE_KEY:
            return message
        message, twice = readable(frame.data.decode()), message
    events = _balances_events(message)
    if not events:
        return twice or Rejected(Reason.UNKNOWN_MESSAGE, "no balances of Hercle")
    parts = [part for event in events for part in _parts(*event, twice=twice is not None)]
    outcomes = _told_once(parts, [_bounded(_outcome(frame, part)) for part in parts])
    if twice is not None and is_ambiguous(message, {id(event.get("data")) for _, event in events}):
        # Who sent it knows what it is, and nobody else does; of a single account it can be told.
        return _whose(twice, outcomes[0]) if len(outcomes) == 1 else twice
    if not outcomes:
        return Rejected(Reason.WRONG_TYPE, "data names no account")
    return outcomes[0] if len(outcomes) == 1 else outcomes


class _Part(NamedTuple):
    """What should be one account's balances, where it stands, and its reading so far."""

    where: str
    data: Any
    reading: Reading


def _parts(where: str, event: dict[str, Any], *, twice: bool) -> list[_Part]:
    """The accounts that an event tells of: the one in its `data`, or those of a list there.

    `twice`: a key stands twice somewhere in the message.
    """
    reading = Reading()
    data = reading.unwrapped(event, "data", where)
    if isinstance(data, list):
        parts = [_Part(f"{where}data[{n}]", item, Reading()) for n, item in enumerate(data)]
        # What is wrong in a list that came as a text is so in one of its items.
        twice = twice or reading.rejected is not None
    else:
        parts = [_Part(f"{where}data", data, reading)]
    for part in parts if twice else []:
        if is_ambiguous(part.data):
            part.reading.fault(Reason.DUPLICATE_KEY, f"{part.where} has a key that stands twice")
    return parts


def _outcome(frame: RawFrame, part: _Part) -> Outcome:
    """What becomes of one account."""
    where, data, reading = part
    if not isinstance(data, dict):
        reading.fault(Reason.WRONG_TYPE, where)
        return reading.rejected or Rejected(Reason.WRONG_TYPE, where)
    snapshot = _read(frame, data, reading, f"{where}.")
    return snapshot or reading.rejected or Rejected(Reason.WRONG_TYPE, where)


def _told_once(parts: list[_Part], outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """The outcomes, without any of an account that stands twice: nobody knows which one counts."""
    times = Counter(outcome.account for outcome in outcomes)
    times.pop(None, None)
    return tuple(
        [
            _second(part, outcome) if times[outcome.account] > 1 else outcome
            for part, outcome in zip(parts, outcomes, strict=True)
        ]
    )


def _second(part: _Part, outcome: Outcome) -> Outcome:
    why = Rejected(Reason.WRONG_TYPE, f"{part.where}.userId stands twice", outcome.account)
    if isinstance(outcome, Rejected) and PRECEDENCE[outcome.reason] <= PRECEDENCE[why.reason]:
        return outcome
    return why


def _whose(why: Rejected, outcome: Outcome) -> Rejected:
    """The same with the account that the only part of a message is of."""
    return msgspec.structs.replace(why, account=outcome.account)


def _limits_bytes(snapshot: BalanceSnapshot) -> int:
    """How many bytes the names take in the user's limits, which name account and base each."""
    if snapshot.exposure is None or snapshot.exposure.base_currency is None:
        base_currency = ""
    else:
        base_currency = snapshot.exposure.base_currency
    names = msgspec.json.encode((snapshot.account, base_currency))
    limits = 1 + sum(balance.exposure is not None for balance in snapshot.assets.values())
    return limits * len(names)


def _balances_events(message: object) -> list[tuple[str, dict[str, Any]]]:
    """The arguments of an invocation that carry balances, and where; none of any other message."""
    match message:
        case {"type": kind, "target": str() as target, "arguments": list() as arguments} if (
            # SignalR's own clients compare a target without regard to case.
            kind == _INVOCATION and target.lower() == _TARGET
        ):
            return [
                # Of the first one, which nearly all have alone, places begin in the argument.
                (f"arguments[{n}]." if n else "", event)
                for n, event in enumerate(arguments)
                if isinstance(event, dict) and event.get("subject") == _HERCLE.feed
            ]
        case _:
            return []


def _read(
    frame: RawFrame, data: dict[str, Any], reading: Reading, where: str
) -> BalanceSnapshot | None:
    account = reading.account(data, "userId", where)
    sequence = reading.integer(data, "sequence", where)
    deleted = reading.flag(data, "deleted", where)
    items = reading.items(data, "assets", where)
    assets = reading.assets(items, f"{where}assets", "name", _balance)
    exposure = _account_exposure(data, reading, where)
    if reading.rejected is not None or account is None or sequence is None or deleted is None:
        return None
    return _snapshot(frame, account, sequence, deleted, assets, exposure)


def _balance(item: dict[str, Any], reading: Reading, where: str) -> AssetBalance | None:
    available = reading.number_amount(item, "available", where)
    allocated = reading.number_amount(item, "allocated", where)
    current = reading.unknown_or_number_amount(item, "currentExposure", where)
    maximum = reading.unknown_or_number_amount(item, "maxExposure", where)
    if available is None or allocated is None:
        return None
    return _balance_of(available, allocated, current, maximum)


def _account_exposure(data: dict[str, Any], reading: Reading, where: str) -> AccountExposure | None:
    current = reading.unknown_or_number_amount(data, "totalCurrentExposure", where)
    maximum = reading.unknown_or_number_amount(data, "totalMaxExposure", where)
    base_currency = None
    if data.get("baseCurrency") is not None:
        base_currency = reading.text(data, "baseCurrency", where)
    return _exposure_of_account(base_currency, current, maximum)


# -- what both ways lead to


def _balance_of(
    available: str, allocated: str, current: str | None, maximum: str | None
) -> AssetBalance:
    unknown = current is None and maximum is None
    return AssetBalance(
        total=sum_text((available, allocated)),
        available=available,
        held=allocated,
        wallets={},
        exposure=None if unknown else Exposure(current=current, max=maximum),
    )


def _exposure_of_account(
    base_currency: str | None, current: str | None, maximum: str | None
) -> AccountExposure | None:
    if base_currency is None and current is None and maximum is None:
        return None
    return AccountExposure(
        base_currency=base_currency and base_currency.upper(), current=current, max=maximum
    )


def _snapshot(
    frame: RawFrame,
    account: str,
    sequence: int,
    deleted: bool,  # noqa: FBT001 - as the venue says it
    assets: dict[str, AssetBalance],
    exposure: AccountExposure | None,
) -> BalanceSnapshot:
    return BalanceSnapshot(
        user=user_for(_HERCLE.name, account),
        venue=_HERCLE.name,
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
