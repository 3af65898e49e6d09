"""Why a frame could not be read: a value that becomes a dead letter, never an exception."""

from enum import StrEnum
from typing import Final

import msgspec

NORMALISED_BYTES_MAX: Final = 1024 * 1024
"""A frame of more bytes than this is `too_large`."""
NORMALISED_DEPTH_MAX: Final = 64
"""A frame, or a text of JSON in one, that is nested deeper than this is `too_deep`."""


class Reason(StrEnum):
    """The contract's reasons, in the order in which they are looked for: the first applies."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    TOO_DEEP = "too_deep"
    NOT_JSON = "not_json"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_MESSAGE = "unknown_message"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    AMOUNT = "amount"
    DUPLICATE_ASSET = "duplicate_asset"


PRECEDENCE = {reason: rank for rank, reason in enumerate(Reason)}


class Rejected(msgspec.Struct, frozen=True):
    """A frame that cannot become a snapshot: the contract's reason, and where in the frame.

    `detail` names places (`payload.updates[3].held`), not contents: it is logged and published.
    `account` is whose frame, or part of a frame, it is, where that can be read all the same.
    """

    reason: Reason
    detail: str
    account: str | None = None
