"""sFOX's frames, read for the audit."""

from typing import Any, Final

from headroom.audit.fields import Fields
from headroom.audit.numbers import is_text
from headroom.audit.text import Parsed
from headroom.audit.times import venue_time
from schemas.venues import VENUES

_FEED: Final = VENUES["sfox"].feed


def may_be_balances(value: dict[str, Any]) -> bool:
    """Say whether a message cannot be told to be something else than balances."""
    recipient = value.get("recipient")
    if recipient == _FEED:
        return True
    return "type" not in value and not is_text(recipient)


def snapshot(parsed: Parsed, fields: Fields) -> dict[str, Any]:
    """Get what the snapshot of a frame must say; `fields` notes what is wrong."""
    frame = parsed.value
    if not isinstance(frame, dict) or not _is_balances(frame):
        fields.problems.add("unknown_message")
        return {}
    sequence = fields.whole(frame, "sequence")
    body = fields.body(frame, "payload")
    account = fields.account(body, "user_id")
    assets: dict[str, Any] = {}
    unknown: set[str] = set()
    for update in fields.items(body, "updates"):
        if _tells_of_another_kind(update):
            unknown.add(update["currency"].upper())
            continue
        name = fields.text(update, "currency")
        amounts = {
            field: fields.amount_text(update, field) for field in ("balance", "available", "held")
        }
        wallets = {
            field.removesuffix("_wallet"): fields.amount_text(update, field)
            for field in update
            if field.endswith("_wallet")
        }
        fields.hold(assets, name, amounts["balance"], amounts["available"], amounts["held"])
        if name is not None:
            assets[name.upper()] |= {"wallets": wallets, "exposure": None}
    return {
        "account": account,
        "sequence": sequence,
        "venue_time": venue_time(frame.get("timestamp")),
        "deleted": False,
        "assets": assets,
        "exposure": None,
        **({"unknown": sorted(unknown)} if unknown else {}),
    }


def _tells_of_another_kind(update: dict[str, Any]) -> bool:
    """By the contract: a `currency`, neither `available` nor `held`, and a web3 entry's field."""
    if not is_text(update.get("currency")) or {"available", "held"} & update.keys():
        return False
    return bool({"address", "network", "type"} & update.keys())


def _is_balances(frame: dict[str, Any]) -> bool:
    """The contract's list of what a frame must have does not name `recipient`."""
    if "recipient" in frame:
        return bool(frame["recipient"] == _FEED)
    return "payload" in frame and "type" not in frame
