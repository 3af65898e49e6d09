"""Hercle's frames, read for the audit."""

from typing import Any, Final

from headroom.audit.fields import Fields
from headroom.audit.numbers import Number, is_text, total
from headroom.audit.text import Parsed
from schemas.venues import VENUES

_FEED: Final = VENUES["hercle"].feed
_OTHER_HUB_TYPES: Final = frozenset("23456789")


def may_be_balances(value: dict[str, Any]) -> bool:
    """Say whether a message cannot be told to be something else than balances."""
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
    return not told or _FEED in subjects


def snapshot(parsed: Parsed, fields: Fields) -> dict[str, Any]:
    """Get what the snapshot of a frame must say; `fields` notes what is wrong."""
    envelope = _envelope(parsed.value)
    if envelope is None or envelope.get("subject") != _FEED:
        fields.problems.add("unknown_message")
        return {}
    body = fields.body(envelope, "data")
    account = fields.account(body, "userId")
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
        fields.hold(assets, name, total(known), available, allocated)
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
