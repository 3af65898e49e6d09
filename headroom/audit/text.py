"""JSON as the contract wants it read: strict, bounded, with the digits of its numbers kept."""

import json
import re
from typing import Any, Final, NoReturn

from headroom.audit.numbers import Number

DEPTH_MAX: Final = 64
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Twice(dict[str, Any]):
    """An object in which a key stands twice, without those keys: who knows what they say?"""


class Parsed:
    """What came out of a JSON text: its value where it could be read, and what was wrong."""

    def __init__(self, value: object, *problems: str) -> None:
        self.value = value
        self.problems = set(problems)

    @property
    def readable(self) -> bool:
        """Say whether there is a value at all."""
        return self.problems <= {"duplicate_key"}


def read_bytes(data: bytes) -> Parsed:
    """Read a frame's bytes."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Parsed(None, "not_utf8")
    return read_text(text)


def read_text(text: str) -> Parsed:
    """Read a JSON text; numbers come out as `Number`, never as a float."""
    if is_too_deep(text):
        return Parsed(None, "too_deep")
    repeated: list[str] = []
    hidden: list[Any] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeated.append("duplicate_key")
        hidden.extend(found)
        hidden.extend(value for _, value in pairs)
        names = [name for name, _ in pairs]
        return Twice({name: value for name, value in pairs if names.count(name) == 1})

    try:
        value = json.loads(
            text,
            object_pairs_hook=collect,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_refuse,
        )
    except ValueError:
        return Parsed(None, "not_json")
    if _SURROGATE_ESCAPE.search(text) and _has_surrogate([value, hidden]):
        return Parsed(None, "not_json")
    return Parsed(value, *repeated)


def stands_twice(value: object) -> bool:
    """Say whether a key stands twice in any object of a value."""
    if isinstance(value, Twice):
        return True
    if isinstance(value, dict | list):
        return any(map(stands_twice, value.values() if isinstance(value, dict) else value))
    return False


def is_too_deep(text: str) -> bool:
    """Say whether brackets outside of strings stand more than 64 deep."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        if bracket in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        else:
            depth = max(0, depth - 1)
    return False


def read_document(data: bytes) -> dict[str, Any]:
    """Read one of our own documents, in which no number is anything but whole.

    ValueError where it is no JSON object or holds a float.
    """
    value = json.loads(data.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - told as every other bad text
    return value


def _refuse(literal: str) -> NoReturn:
    raise ValueError(f"{literal[:40]} may not stand here")


def _has_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, list):
        return any(map(_has_surrogate, value))
    if isinstance(value, dict):
        return any(_has_surrogate(k) or _has_surrogate(v) for k, v in value.items())
    return False
