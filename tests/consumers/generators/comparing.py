"""What came back of documents that went through generated types, leaf by leaf."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# Texts that may look like an amount, and are names.
_NAMES: Final = frozenset({"user", "account", "connection", "instance"})
Leaf = tuple[str, Any]


class Tally(msgspec.Struct):
    """How many were read of how many documents, and how many leaves of each kind came back.

    `nulls` are those that came back as null, `others` all other texts and truths; `became` is what
    nulls came back as that did come back. `refusals` are why documents were not read, each once.
    """

    documents: int = 0
    read: int = 0
    integers: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    amounts: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    nulls: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    others: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    became: list[str] = msgspec.field(default_factory=list)
    refusals: list[str] = msgspec.field(default_factory=list)


def compare(documents: Sequence[bytes], answers: Sequence[str]) -> Tally:
    """Each document with its answer: JSON of what was read, or `!` and why it was not."""
    if len(documents) != len(answers):
        message = f"{len(answers)} answers to {len(documents)} documents: {answers[:3]}"
        raise ValueError(message)
    found = Tally()
    for document, answer in zip(documents, answers, strict=True):
        found.documents += 1
        if answer.startswith("!"):
            if answer[1:] not in found.refusals:
                found.refusals.append(answer[1:])
            continue
        found.read += 1
        told = dict(_leaves(json.loads(answer, parse_float=Decimal)))
        for path, value in _leaves(json.loads(document)):
            counts = getattr(found, _kind(path, value))
            counts[1] += 1
            came = told.get(path, ...)
            counts[0] += type(came) is type(value) and came == value
            if value is None and came not in (None, ...):
                name = path.rpartition("\t")[2]
                found.became.append(f"{name} {came}")
    return found


def _kind(path: str, value: object) -> str:
    if value is None:
        return "nulls"
    if isinstance(value, int) and not isinstance(value, bool):
        return "integers"
    is_amount = isinstance(value, str) and _AMOUNT.fullmatch(value)
    return "amounts" if is_amount and path.rpartition("\t")[2] not in _NAMES else "others"


def _leaves(part: object, path: str = "") -> Iterator[Leaf]:
    """The values that hold no other, each with its path."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _leaves(value, f"{path}\t{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _leaves(value, f"{path}\t{number}")
    else:
        yield path, part
