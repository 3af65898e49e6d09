"""Raw topics that are not what they were: which incarnation a record of one is of.

The book of generations says it, in an entry for each topic: `incarnation` counts from 1 and begins
at the offsets `begins`, one for each partition; of `earlier` ones the topic still has records.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Incarnation = tuple[int, Sequence[int]]
"""Its number, and the offset that it begins at in each partition."""
Incarnations = Mapping[str, Sequence[Incarnation]]
"""By the topic's whole name, the newest first; the first one of a topic is not among them."""

KEY: Final = b"topic/"


def read_book(entries: Iterable[tuple[bytes | None, bytes | None]]) -> dict[str, list[Incarnation]]:
    """Read keys and values of the book, in their order: the last word on each key counts."""
    last = {key: value for key, value in entries if key is not None and key.startswith(KEY)}
    found = {}
    for value in last.values():
        told: dict[str, Any] = json.loads(value or b"{}")
        if told.get("incarnation", 1) > 1:
            earlier = [(one["number"], one["begins"]) for one in told["earlier"]]
            found[told["name"]] = [(told["incarnation"], told["begins"]), *earlier]
    return found


def incarnation_of(known: Incarnations, topic: str, partition: int, offset: int) -> int:
    """Get the incarnation of what lies there."""
    of_topic = known.get(topic, ())
    for number, begins in of_topic:
        if partition >= len(begins) or begins[partition] <= offset:
            return number
    return of_topic[-1][0] - 1 if of_topic else 1


def named(topic: str, incarnation: int) -> str:
    """Put the name together that identities have from the second incarnation on."""
    return f"{topic}~{incarnation}" if incarnation > 1 else topic


def split(name: str) -> tuple[str, int] | None:
    """Take such a name apart; None where it is none."""
    topic, mark, number = name.partition("~")
    if not mark:
        return topic, 1
    sound = number.isascii() and number.isdigit() and number == str(int(number))
    return (topic, int(number)) if sound and int(number) > 1 else None
