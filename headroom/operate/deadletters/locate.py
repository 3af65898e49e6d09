"""Where in a frame's text the fault is that a dead letter's message names."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from json import JSONDecodeError
from typing import Final

from headroom.base.spans import Span, fields, items, value

_CHARACTER: Final = re.compile(r" at character ([0-9]+)$")
_BYTE: Final = re.compile(r"^byte ([0-9]+)$")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


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


def _member(text: str, steps: Sequence[str | int]) -> Span | None:
    """The value that a path leads to; of a key that stands twice the first."""
    span: Span | None = value(text)
    for step in steps:
        if span is None:
            return None
        found: Iterator[Span]
        if isinstance(step, str):
            found = (one for name, one in fields(text, span[0]) if name == step)
        else:
            found = islice(items(text, span[0]), step, None)
        span = next(found, None)
    return span
