"""Reading just enough of a message to tell what it is and whose: bounded, and never an exception.

Values stay raw JSON until one of them is asked for, so that no amount is ever converted here.
"""

import json
import re
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from schemas.identity import is_account

T = TypeVar("T")

# A string is passed over as a whole, so that a bracket inside it does not count.
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)
_OPENING: Final = (b"[", b"{")
_CLOSING: Final = (b"]", b"}")

Part = Raw | UnsetType
"""A member of an object as it stands in the text, or UNSET where it is missing."""


def read(text: bytes | Part, kind: type[T]) -> T | None:
    """The value of a JSON text where it is one of `kind`, else None."""
    if text is UNSET:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_nested(part: Part, kind: type[T]) -> T | None:
    """The same of a member that may be an object or, in a string, the JSON text of one."""
    text = read(part, str)
    if text is None:
        return read(part, kind)
    try:
        return read(text.encode(), kind)
    except UnicodeEncodeError:
        return None


def read_account(part: Part) -> bytes | None:
    """An account's id as a record key, or None where it cannot be one."""
    text = read(part, str)
    try:
        return text.encode() if text is not None and is_account(text) else None
    except UnicodeEncodeError:
        return None


def is_unambiguous(message: bytes) -> bool:
    """Whether a JSON text says everything once: of members given twice, readers disagree.

    Asked only before a message is *not* kept: one that could be read as balances is kept.
    """
    try:
        json.loads(message, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return False
    return True


def is_nested_deeper(text: bytes, levels: int) -> bool:
    """Whether a JSON text is nested deeper than so many levels."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.findall(text):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth > levels:
            return True
    return False


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError


__all__ = [
    "UNSET",
    "Part",
    "is_nested_deeper",
    "is_unambiguous",
    "read",
    "read_account",
    "read_nested",
]
