"""Frames as the venues would send them: sound ones, to be broken one way at a time."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

from processors.normalise import NORMALISERS, RawFrame
from schemas.codec import encode
from schemas.documents import BalanceSnapshot, Source
from schemas.headers import Receipt
from schemas.rejections import Rejected
from tests.schemas.validation import assert_valid

EPOCH = 1710367000000000000
RECEIVED = "2024-03-13T22:00:25.310000000Z"
RECEIPT = Receipt(epoch=EPOCH, receipt=3, received_time=RECEIVED)
SOURCES = {
    "sfox": Source("raw.sfox.balances.v1", 1, 22),
    "hercle": Source("raw.hercle.balances.v1", 1, 7),
}
VENUES = ("sfox", "hercle")
JSON_MIB = 1024 * 1024

Fields = dict[str, Any]
Change = Callable[[Fields], None]

_LITERAL = re.compile(r'"@@(.*?)@@"')


def literal(text: str) -> str:
    """Stands for itself in `text_of`'s JSON, without quotes: `1e400`, `NaN`, 5,000 digits."""
    return f"@@{text}@@"


def text_of(frame: object) -> str:
    """The JSON text of a frame."""
    return _LITERAL.sub(
        lambda match: str(json.loads(f'"{match[1]}"')), json.dumps(frame, ensure_ascii=False)
    )


_UPDATE = {
    "currency": "btc",
    "balance": "9.99850081",
    "available": "9.90",
    "held": "0.09850081",
    "trading_wallet": "9.99850081",
    "collateral_wallet": "0",
    "borrow_wallet": "0",
    "lending_wallet": "0",
}
_ITEM = {
    "name": "BTC",
    "available": literal("0.5"),
    "allocated": literal("0.25"),
    "currentExposure": literal("10"),
    "maxExposure": literal("1500"),
}
_SOUND: dict[str, Fields] = {
    "sfox": {
        "sequence": 22,
        "recipient": "private.enterprise.users.balances",
        "timestamp": 1710367225302228171,
        "payload": {
            "user_id": "test3",
            "updates": [_UPDATE, {**_UPDATE, "currency": "eth"}],
        },
    },
    "hercle": {
        "type": 1,
        "target": "executionEvents",
        "arguments": [
            {
                "subject": "account.balances.snapshot",
                "clientId": "my-client-123",
                "data": {
                    "userId": "user-123",
                    "sequence": 123,
                    "assets": [_ITEM, {**_ITEM, "name": "ETH"}],
                    "baseCurrency": "EUR",
                    "totalCurrentExposure": literal("1430"),
                    "totalMaxExposure": literal("1500"),
                    "deleted": False,
                },
            }
        ],
    },
}


def sound(venue: str, *changes: Change) -> Fields:
    """A sound frame, changed; `changes` get the whole frame."""
    frame = copy.deepcopy(_SOUND[venue])
    for change in changes:
        change(frame)
    return frame


def body(venue: str, frame: Fields) -> Fields:
    """Where the account is told: sFOX's `payload`, Hercle's `data`."""
    inner: Fields = frame["payload"] if venue == "sfox" else frame["arguments"][0]["data"]
    return inner


def sequence_holder(venue: str, frame: Fields) -> Fields:
    """The object that holds `sequence`."""
    return frame if venue == "sfox" else body(venue, frame)


def assets(venue: str, frame: Fields) -> list[Any]:
    """The list of assets."""
    found: list[Any] = body(venue, frame)["updates" if venue == "sfox" else "assets"]
    return found


def embed(venue: str, frame: Fields, text: str | None = None) -> Fields:
    """The same frame with its body as a JSON text in a string (or with `text` in its place)."""
    inner = text_of(body(venue, frame)) if text is None else text
    if venue == "sfox":
        frame["payload"] = inner
    else:
        frame["arguments"][0]["data"] = inner
    return frame


ASSET = {"sfox": "currency", "hercle": "name"}
ACCOUNT = {"sfox": "user_id", "hercle": "userId"}
ASSETS = {"sfox": "updates", "hercle": "assets"}
AMOUNTS = {
    "sfox": ("balance", "available", "held", "trading_wallet", "borrow_wallet"),
    "hercle": ("available", "allocated", "currentExposure", "maxExposure"),
}


def normalise(venue: str, frame: Fields | str | bytes) -> BalanceSnapshot | Rejected:
    """What becomes of a frame; a snapshot is checked against its JSON Schema on the way."""
    if isinstance(frame, dict):
        frame = text_of(frame)
    if isinstance(frame, str):
        frame = frame.encode()
    outcome = NORMALISERS[venue](RawFrame(frame, RECEIPT, SOURCES[venue]))
    if isinstance(outcome, BalanceSnapshot):
        assert_valid("balances.v1", encode(outcome))
    return outcome


def accepted(venue: str, frame: Fields | str | bytes) -> BalanceSnapshot:
    """The snapshot of a frame that must go through."""
    outcome = normalise(venue, frame)
    assert isinstance(outcome, BalanceSnapshot), outcome
    return outcome


def reason(venue: str, frame: Fields | str | bytes) -> str:
    """Why a frame was refused, or that it was not."""
    outcome = normalise(venue, frame)
    return outcome.reason.value if isinstance(outcome, Rejected) else "accepted"
