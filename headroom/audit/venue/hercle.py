"""Hercle's frames, read for the audit."""

from collections import Counter
from typing import Any, Final

from headroom.audit.fields import Fields
from headroom.audit.numbers import Number, is_text, total
from headroom.audit.text import Parsed, Twice, stands_twice
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


def snapshots(parsed: Parsed) -> list[tuple[dict[str, Any], Fields]]:
    """Get what the snapshot of each account must say, with what is wrong: there is always one."""
    whole = Fields()
    envelopes = _envelopes(parsed.value)
    bodies = [body for envelope in envelopes for body in _bodies(envelope)]
    if parsed.problems and (len(bodies) < 2 or _stands_twice_outside(parsed.value, envelopes)):  # noqa: PLR2004 - several
        whole.problems |= parsed.problems
        return [({}, whole)]
    if not bodies:
        whole.problems.add("wrong_type" if envelopes else "unknown_message")
        return [({}, whole)]
    told = []
    for body, fields in bodies:
        if stands_twice(body):
            fields.problems.add("duplicate_key")
        told.append((_snapshot(fields.mapping(body), fields), fields))
    accounts = [snapshot["account"] for snapshot, _ in told]
    times = Counter(account for account in accounts if is_text(account))
    for account, (_, fields) in zip(accounts, told, strict=True):
        # Of an account that stands twice nobody knows which one counts.
        if is_text(account) and fields.is_account(account) and times[account] > 1:
            fields.problems.add("wrong_type")
    return told


def _bodies(envelope: dict[str, Any]) -> list[tuple[object, Fields]]:
    """Get what should be accounts in an envelope's `data`, each with what is wrong by now."""
    fields = Fields()
    data = fields.inner(envelope, "data")
    if not isinstance(data, list):
        return [(data, fields)]
    bodies: list[tuple[object, Fields]] = []
    for item in data:
        fields = Fields()
        if item is None:
            fields.problems.add("wrong_type")
        bodies.append((item, fields))
    return bodies


def _stands_twice_outside(message: object, envelopes: list[dict[str, Any]]) -> bool:
    """Say whether a key stands twice in a message, its envelopes' `data` left out."""
    if any(isinstance(one, Twice) for one in (message, *envelopes)):
        return True
    assert isinstance(message, dict)  # noqa: S101 - it has envelopes
    shells = [
        {name: value for name, value in item.items() if name != "data"}
        if item in envelopes
        else item
        for item in message["arguments"]
    ]
    rest = {name: value for name, value in message.items() if name != "arguments"}
    return stands_twice(shells) or stands_twice(rest)


def _snapshot(body: dict[str, Any] | None, fields: Fields) -> dict[str, Any]:
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


def _envelopes(value: object) -> list[dict[str, Any]]:
    """Get the arguments of an `executionEvents` invocation that tell of balances."""
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        return []
    if value["target"].lower() != "executionevents":
        return []
    if not _is_number(value.get("type")) or value["type"] != "1":
        return []
    arguments = value.get("arguments")
    if not isinstance(arguments, list):
        return []
    return [one for one in arguments if isinstance(one, dict) and one.get("subject") == _FEED]
