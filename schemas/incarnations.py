"""What a raw topic is called in identities once it is not the topic that it was.

A topic that was deleted and made again, or that lost its end, begins another incarnation: its
offsets come again and mean other records. From the second one on an identity names it:
`TOPIC~N/PARTITION/OFFSET`.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

# No topic of Kafka's can have a `~` in its name.
_NAMED: Final = re.compile(r"(.+)~([1-9][0-9]{0,8})")


class Incarnation(msgspec.Struct, frozen=True):
    """The incarnation of this number: what lies at `begins`, one for each partition, and behind."""

    number: int
    begins: tuple[int, ...]


def named(topic: str, incarnation: int) -> str:
    """What a topic is called in identities: `~N` behind its name from the second incarnation on."""
    return topic if incarnation == 1 else f"{topic}~{incarnation}"


def parted(name: str) -> tuple[str, int]:
    """The topic and the incarnation that an identity names."""
    found = _NAMED.fullmatch(name)
    return (name, 1) if found is None else (found[1], int(found[2]))


def number_at(history: Sequence[Incarnation], partition: int, offset: int) -> int:
    """Which incarnation an offset of a topic is of.

    `history` has those that still have records in the topic, the newest first; of the first one,
    which begins with the topic, it need not tell.
    """
    for one in history:
        if partition >= len(one.begins) or offset >= one.begins[partition]:
            return one.number
    return history[-1].number - 1 if history else 1


def named_at(topic: str, history: Sequence[Incarnation], partition: int, offset: int) -> str:
    """What a topic is called in the identity of a record of it."""
    return named(topic, number_at(history, partition, offset))
