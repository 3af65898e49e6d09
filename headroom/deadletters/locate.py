"""Where in a frame's text the fault is that a dead letter's message names."""

import json
import re
from collections.abc import Sequence
from json import JSONDecodeError
from typing import Final

_CHARACTER: Final = re.compile(r" at character ([0-9]+)$")
_BYTE: Final = re.compile(r"^byte ([0-9]+)$")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def locate(frame: bytes, detail: str) -> tuple[int, int] | None:
    """Where the fault begins and ends, in characters of the frame as UTF-8 (bad bytes replaced).

    None where the message names no place, or one that is not in the text: a field that is missing.
    """
    text = frame.decode("utf-8", "replace")
    if character := _CHARACTER.search(detail):
        # Within an embedded text, characters are counted there.
        at = int(character[1])
        return None if ": " in detail or at > len(text) else (at, at + 1)
    if byte := _BYTE.search(detail):
        at = len(frame[: int(byte[1])].decode("utf-8", "replace"))
        return at, at + 1
    path, *_ = detail.split(" ", 1)
    steps: list[str | int] = [int(n) if n else name for name, n in _STEP.findall(path)]
    if not steps:
        return None
    # Hercle's places begin in the envelope, which is the first argument of its message.
    envelope: list[str | int] = ["arguments", 0]
    for whole in (steps, envelope + steps):
        try:
            found = _member(text, whole)
        except (JSONDecodeError, IndexError, RecursionError):
            continue
        if found is not None:
            return found
    return None


def _member(text: str, steps: Sequence[str | int]) -> tuple[int, int] | None:
    """The value that a path leads to."""
    at: int | None = _after_space(text, 0)
    for step in steps:
        if at is None:
            return None
        at = _field(text, at, step) if isinstance(step, str) else _item(text, at, step)
    return None if at is None else (at, _DECODER.raw_decode(text, at)[1])


def _field(text: str, at: int, name: str) -> int | None:
    """Where the value of an object's field begins; `at` is where the object does."""
    if text[at] != "{":
        return None
    at = _after_space(text, at + 1)
    while text[at] == '"':
        found, at = _DECODER.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] != ":":
            return None
        at = _after_space(text, at + 1)
        if found == name:
            return at
        at = _next(text, at)
    return None


def _item(text: str, at: int, number: int) -> int | None:
    """Where an item of a list begins; `at` is where the list does."""
    if text[at] != "[":
        return None
    at = _after_space(text, at + 1)
    for _ in range(number):
        at = _next(text, at)
    return None if text[at] == "]" else at


def _next(text: str, at: int) -> int:
    """Behind a value and the comma after it; at the bracket where there is none."""
    at = _after_space(text, _DECODER.raw_decode(text, at)[1])
    return _after_space(text, at + 1) if text[at] == "," else at


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
