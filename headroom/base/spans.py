"""Where values stand in a JSON text: between which characters, however deep they are wrapped.

All of it is for a text that a reader took for sound: what is none raises ValueError or IndexError.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec

_SPACE: Final = re.compile(r"[ \t\r\n]*")
# Numbers stay texts: Python makes no integer of more than some thousand digits.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_LETTER: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)

Span = tuple[int, int]
"""Where a value begins, and behind its end."""


class TwiceError(ValueError):
    """A key stands twice in an object: nobody knows which one counts."""


class Wrapped(msgspec.Struct, frozen=True):
    """A text that stands in another one; `places` is where each of its letters does, and its end.

    Of the outermost text they are its own numbers.
    """

    letters: str
    places: Sequence[int]

    def outer(self, span: Span) -> Span:
        """Where a span of it stands in the outermost text."""
        return self.places[span[0]], self.places[span[1]]

    def text(self, span: Span) -> str:
        """The letters of a span."""
        return self.letters[span[0] : span[1]]

    def inner(self, span: Span) -> "Wrapped":
        """The text that a string at this span holds, its quotes and escapes undone."""
        begin, end = span[0] + 1, span[1] - 1
        letters: list[str] = []
        places: list[Sequence[int]] = []
        at = begin
        for escape in _LETTER.finditer(self.letters, begin, end):
            letters.append(self.letters[at : escape.start()])
            places.append(self.places[at : escape.start()])
            at = escape.end()
            letters.append(json.loads(f'"{escape[0]}"'))
            places.append((self.places[escape.start()],))
        letters.append(self.letters[at:end])
        # The end of the text is where the closing quote stands.
        places.append(self.places[at : end + 1])
        return _paired(Wrapped("".join(letters), list(chain.from_iterable(places))))


def whole(text: str) -> Wrapped:
    """A text that stands in no other one."""
    return Wrapped(text, range(len(text) + 1))


def _paired(text: Wrapped) -> Wrapped:
    """The same with each two halves of a surrogate pair made one letter, as JSON has it."""
    if not any(ord(letter) in _HIGH for letter in text.letters):
        return text
    letters, places, at = [], [], 0
    while at < len(text.letters):
        two = text.letters[at : at + 2]
        is_pair = len(two) > 1 and ord(two[0]) in _HIGH and ord(two[1]) in _LOW
        letters.append(
            two.encode("utf-16", "surrogatepass").decode("utf-16") if is_pair else two[0]
        )
        places.append(text.places[at])
        at += 1 + is_pair
    return Wrapped("".join(letters), [*places, text.places[-1]])


def value(text: str, at: int = 0) -> Span:
    """The value that begins here, or behind the space here."""
    begin = after_space(text, at)
    return begin, _DECODER.raw_decode(text, begin)[1]


def field(text: str, begin: int, name: str) -> Span | None:
    """The value of a field of the object that begins here; None: it has none, or is no object.

    Raises `TwiceError`.
    """
    found = [span for key, span in fields(text, begin) if key == name]
    if len(found) > 1:
        raise TwiceError(name)
    return found[0] if found else None


def fields(text: str, begin: int) -> Iterator[tuple[str, Span]]:
    """The fields of the object that begins here, in order; none of what is no object."""
    if text[begin] != "{":
        return
    at = after_space(text, begin + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = after_space(text, at)
        if text[at] != ":":
            return
        span = value(text, at + 1)
        yield name, span
        at = _next(text, span[1])


def items(text: str, begin: int) -> Iterator[Span]:
    """The items of the list that begins here, in order; none of what is no list."""
    if text[begin] != "[":
        return
    at = after_space(text, begin + 1)
    while text[at] != "]":
        span = value(text, at)
        yield span
        at = _next(text, span[1])


def after_space(text: str, at: int) -> int:
    """Behind the white space here."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _next(text: str, at: int) -> int:
    """Behind the comma that follows a value; at the bracket where there is none."""
    at = after_space(text, at)
    return after_space(text, at + 1) if text[at] == "," else at
