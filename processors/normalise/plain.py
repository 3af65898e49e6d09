"""The short way through a frame as venues write it, taken only where the long way says the same.

The strict reader of `strict_json` is the judge of every frame; it is also slow. Nearly all frames
are plain: the documented fields, all there, each once, no escapes. For those msgspec's typed
decoding is enough, because of a count: in a text without backslashes every quote is one end of a
string. If there are no more strings than the decoded values account for, there is no field that
was not looked at, and no key that stands twice. Whatever is not plain goes the long way, and so
does all that is wrong: a rejection never comes from here.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from schemas.rejections import NORMALISED_BYTES_MAX

T = TypeVar("T")

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1

# Each with a quote in front, which can stand neither in a plain text nor in a number.
_AMOUNTS: Final = re.compile(r'(?:"-?+[0-9]{1,38}+(?:\.[0-9]{1,38}+)?+)*+')
_NUMBERS: Final = re.compile(r'(?:"(?:null|-?+(?:0|[1-9][0-9]{0,37}+)(?:\.[0-9]{1,38}+)?+))*+')


def decode(data: bytes, decoder: "msgspec.json.Decoder[T]") -> T | None:
    """What a decoder makes of a frame; None where it has to go the long way."""
    if len(data) > NORMALISED_BYTES_MAX or b"\\" in data:
        return None
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def holds_strings(data: bytes, count: int) -> bool:
    """Whether just so many strings, keys among them, stand in a text without backslashes."""
    return data.count(b'"') == 2 * count


def is_integer(number: int) -> bool:
    """Whether a number has 64 bits."""
    return INTEGER_MIN <= number <= INTEGER_MAX


def are_amounts(texts: Iterable[str]) -> bool:
    """Whether each of these plain texts is an amount."""
    return _AMOUNTS.fullmatch('"'.join(("", *texts))) is not None


def numbers(literals: Sequence[msgspec.Raw]) -> list[str] | None:
    """The digits of JSON numbers that are amounts as they stand, or `null`; None if one is not."""
    text = b'"'.join((b"", *literals)).decode("utf-8", "replace")
    return None if _NUMBERS.fullmatch(text) is None else text.split('"')[1:]
