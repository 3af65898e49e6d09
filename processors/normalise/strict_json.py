"""JSON as the contract takes it: every digit kept, and nothing that two readers could read apart.

The standard library's scanner is driven by hooks, because the fast parsers either round numbers
(orjson) or let a key stand twice (all of them). What it would take in silence is refused here:
`NaN` and `Infinity`, a key that stands twice in an object, a surrogate without its other half,
nesting that would exhaust the stack.
"""

import json
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from schemas.rejections import (
    NORMALISED_BYTES_MAX,
    NORMALISED_DEPTH_MAX,
    Reason,
    Rejected,
)

DEPTH_MAX: Final = NORMALISED_DEPTH_MAX

# A string is passed over as a whole, so that a bracket inside it does not count; one that is cut
# off runs to the end, so that no byte is looked at twice.
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)
_OPENING: Final = (b"[", b"{")
_CLOSING: Final = (b"]", b"}")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class Number(NamedTuple):
    """A JSON number as it stands in the text."""

    literal: str


class Ambiguous(dict[str, Any]):
    """An object in which keys stand twice; it lacks those, as nobody knows what they say."""


def _no_constant(_name: str) -> None:
    message = "NaN and Infinity are not JSON"
    raise ValueError(message)


class _Objects:
    """Makes objects of one text's pairs, and remembers those in which a key stands twice.

    They are told only once the whole text proved to be JSON, with all their values: what is
    wrong inside a value that another one hides comes first.
    """

    def __init__(self) -> None:
        self.ambiguous: list[list[tuple[str, Any]]] = []

    def make(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.ambiguous.append(pairs)
        return found


def parse(data: bytes) -> Any | Rejected:  # noqa: ANN401 - JSON is any of six things
    """The value of a JSON text, numbers as `Number`, or the first reason that applies to it."""
    if len(data) > NORMALISED_BYTES_MAX:
        return Rejected(Reason.TOO_LARGE, f"{len(data)} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(Reason.NOT_UTF8, f"byte {error.start}")
    if _is_too_deep(data):
        return Rejected(Reason.TOO_DEEP, f"nested more than {DEPTH_MAX} deep")
    return _parse_text(text)


def parse_embedded(text: str, where: str) -> Any | Rejected:  # noqa: ANN401 - as above
    """The value of a JSON text that stood in a JSON string at `where`."""
    if _is_too_deep(text.encode()):
        return Rejected(Reason.TOO_DEEP, f"{where} nested more than {DEPTH_MAX} deep")
    value = _parse_text(text)
    if isinstance(value, Rejected):
        return Rejected(value.reason, f"{where}: {value.detail}")
    return value


def readable(text: str) -> Any:  # noqa: ANN401 - as above
    """What can be read of a text that `parse` refuses for keys that stand twice, and for no more.

    Each object that holds such keys is `Ambiguous`.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_without_ambiguous, parse_int=Number, parse_float=Number
    )
    return decoder.decode(text)


def is_ambiguous(value: object, aside: Collection[int] = ()) -> bool:
    """Whether a key stands twice anywhere in a value, but for what has an id that is `aside`."""
    if id(value) in aside:
        return False
    match value:
        case Ambiguous():
            return True
        case dict():
            return any(is_ambiguous(item, aside) for item in value.values())
        case list():
            return any(is_ambiguous(item, aside) for item in value)
        case _:
            return False


def _without_ambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    counted = Counter(key for key, _ in pairs)
    return Ambiguous((key, value) for key, value in pairs if counted[key] == 1)


def _parse_text(text: str) -> Any | Rejected:  # noqa: ANN401 - as above
    objects = _Objects()
    decoder = json.JSONDecoder(
        object_pairs_hook=objects.make,
        parse_int=Number,
        parse_float=Number,
        parse_constant=_no_constant,
    )
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        return Rejected(Reason.NOT_JSON, f"{error.msg} at character {error.pos}")
    except ValueError as error:
        return Rejected(Reason.NOT_JSON, str(error))
    if _SURROGATE_ESCAPE.search(text) and not _is_encodable([value, objects.ambiguous]):
        return Rejected(Reason.NOT_JSON, "a surrogate without its other half")
    if objects.ambiguous:
        return Rejected(Reason.DUPLICATE_KEY, "a key stands twice in one object")
    return value


def _is_too_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        token = match.group()
        if token in _OPENING:
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif token in _CLOSING:
            depth -= 1
    return False


def _is_encodable(value: object) -> bool:
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return False
            return True
        case dict():
            return all(_is_encodable(key) and _is_encodable(item) for key, item in value.items())
        case list() | tuple():
            return all(map(_is_encodable, value))
        case _:
            return True
