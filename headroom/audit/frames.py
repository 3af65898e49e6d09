"""What must become of a frame: the contract's reading of both venues, written a second time."""

import json
from typing import Any, Final

import msgspec

from headroom.audit.fields import Fields, worst
from headroom.audit.numbers import Number, is_text, total
from headroom.audit.text import Parsed, read_bytes
from headroom.audit.times import venue_time
from schemas.venues import HERCLE, SFOX

BYTES_MAX: Final = 1024 * 1024
SOCKET_BYTES_MAX: Final = 16 * BYTES_MAX
ACCOUNT_BYTES_MAX: Final = 1024
_OTHER_HUB_TYPES: Final = frozenset("23456789")


class Reading(msgspec.Struct, frozen=True):
    """Either the `reason` why a frame has no snapshot, or what its snapshot must say."""

    reason: str | None = None
    account: str = ""
    snapshot: dict[str, Any] = {}


# What names may take in a user's limits, each of which tells them again.
REPEATED_BYTES_MAX = 4 * 1024 * 1024


def read_frame(venue: str, frame: bytes) -> Reading:
    """Say what must become of a frame of a venue."""
    if len(frame) > BYTES_MAX:
        return Reading("too_large")
    parsed = read_bytes(frame)
    if parsed.problems:
        # Of a key that stands twice nobody knows which is meant: what is below it is not read.
        return Reading(worst(parsed.problems))
    fields = Fields()
    snapshot = _sfox(parsed, fields) if venue == SFOX.name else _hercle(parsed, fields)
    reason = worst(fields.problems)
    if reason is not None:
        return Reading(reason)
    if _repeated_bytes(snapshot) > REPEATED_BYTES_MAX:
        return Reading("too_large")
    return Reading(None, snapshot["account"], snapshot)


def _repeated_bytes(snapshot: dict[str, Any]) -> int:
    """Count the bytes of account and base currency, which every limit of a user tells again."""
    exposures = [snapshot["exposure"] or {}]
    exposures += [asset["exposure"] or {} for asset in snapshot["assets"].values()]
    base = exposures[0].get("base_currency") or ""
    names = json.dumps([snapshot["account"], base], ensure_ascii=False, separators=(",", ":"))
    told = [e for e in exposures[1:] if e.get("current") is not None or e.get("max") is not None]
    return (1 + len(told)) * len(names.encode())


def belongs_in_raw(venue: str, frame: bytes) -> bool:
    """Say whether a producer keeps a frame: all but what can be told to be something else."""
    if len(frame) > SOCKET_BYTES_MAX:
        return False
    parsed = read_bytes(frame)
    value = parsed.value
    if parsed.problems or not isinstance(value, dict):
        return True
    return _may_be_sfox(value) if venue == SFOX.name else _may_be_hercle(value)


def _may_be_sfox(value: dict[str, Any]) -> bool:
    recipient = value.get("recipient")
    if recipient == SFOX.feed:
        return True
    return "type" not in value and not is_text(recipient)


def _may_be_hercle(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    if not _is_number(kind) or kind != "1":
        return not _is_number(kind) or kind not in _OTHER_HUB_TYPES
    target, arguments = value.get("target"), value.get("arguments")
    if not is_text(target):
        return True
    if target.lower() != "executionevents":
        return False
    if not isinstance(arguments, list):
        return True
    subjects = [item.get("subject") if isinstance(item, dict) else None for item in arguments]
    told = subjects and all(map(is_text, subjects))
    return not told or HERCLE.feed in subjects


def _sfox(parsed: Parsed, fields: Fields) -> dict[str, Any]:
    frame = parsed.value
    if not isinstance(frame, dict) or not _is_sfox_balances(frame):
        fields.problems.add("unknown_message")
        return {}
    sequence = fields.whole(frame, "sequence")
    body = fields.body(frame, "payload")
    account = _account(fields, body, "user_id")
    assets: dict[str, Any] = {}
    for update in fields.items(body, "updates"):
        name = fields.text(update, "currency")
        amounts = {
            field: fields.amount_text(update, field) for field in ("balance", "available", "held")
        }
        wallets = {
            field.removesuffix("_wallet"): fields.amount_text(update, field)
            for field in update
            if field.endswith("_wallet")
        }
        _hold(fields, assets, name, amounts["balance"], amounts["available"], amounts["held"])
        if name is not None:
            assets[name.upper()] |= {"wallets": wallets, "exposure": None}
    return {
        "account": account,
        "sequence": sequence,
        "venue_time": venue_time(frame.get("timestamp")),
        "deleted": False,
        "assets": assets,
        "exposure": None,
    }


def _hercle(parsed: Parsed, fields: Fields) -> dict[str, Any]:
    envelope = _envelope(parsed.value)
    if envelope is None or envelope.get("subject") != HERCLE.feed:
        fields.problems.add("unknown_message")
        return {}
    body = fields.body(envelope, "data")
    account = _account(fields, body, "userId")
    sequence = fields.whole(body, "sequence")
    deleted = fields.boolean(body, "deleted")
    assets: dict[str, Any] = {}
    for item in fields.items(body, "assets"):
        name = fields.text(item, "name")
        available = fields.amount_number(item, "available")
        allocated = fields.amount_number(item, "allocated")
        exposure = {
            "current": fields.amount_number(item, "currentExposure", needed=False),
            "max": fields.amount_number(item, "maxExposure", needed=False),
        }
        known = [amount for amount in (available, allocated) if amount is not None]
        _hold(fields, assets, name, total(known), available, allocated)
        if name is not None:
            assets[name.upper()] |= {"wallets": {}, "exposure": exposure}
    base = fields.text(body, "baseCurrency", needed=False)
    return {
        "account": account,
        "sequence": sequence,
        "venue_time": None,
        "deleted": deleted,
        "assets": assets,
        "exposure": {
            "base_currency": None if base is None else base.upper(),
            "current": fields.amount_number(body, "totalCurrentExposure", needed=False),
            "max": fields.amount_number(body, "totalMaxExposure", needed=False),
        },
    }


def _is_sfox_balances(frame: dict[str, Any]) -> bool:
    """The contract's list of what a frame must have does not name `recipient`."""
    if "recipient" in frame:
        return bool(frame["recipient"] == SFOX.feed)
    return "payload" in frame and "type" not in frame


def _is_number(value: object) -> bool:
    return isinstance(value, Number)


def _envelope(value: object) -> dict[str, Any] | None:
    """Get the one argument of an `executionEvents` invocation, or None where it is no such."""
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        return None
    if value["target"].lower() != "executionevents":
        return None
    if not _is_number(value.get("type")) or value["type"] != "1":
        return None
    arguments = value.get("arguments")
    if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], dict):
        return None
    return arguments[0]


def _account(fields: Fields, body: dict[str, Any] | None, name: str) -> str | None:
    account = fields.text(body, name)
    if account is not None and not 1 <= len(account.encode()) <= ACCOUNT_BYTES_MAX:
        fields.problems.add("wrong_type")
    return account


def _hold(
    fields: Fields,
    assets: dict[str, Any],
    name: str | None,
    whole: str | None,
    available: str | None,
    held: str | None,
) -> None:
    if name is None:
        return
    if name.upper() in assets:
        fields.problems.add("duplicate_asset")
    assets[name.upper()] = {"total": whole, "available": available, "held": held}
