"""Which topics were read, by Kafka's own identities of them: what a name alone does not tell.

Kept in the book of generations, one entry for each topic (key `topic/NAME`). A topic that was
deleted and made again, or that lost its end, begins another incarnation: its offsets come again and
mean other records, so an identity that is made of one names the incarnation too.

Source: KIP-516 (topic identifiers).
"""

from typing import Final

import msgspec

KEY_PREFIX: Final = b"topic/"


class KnownTopic(msgspec.Struct, frozen=True):
    """A topic as it was read: `id` is Kafka's, in its own text.

    `incarnation` counts from 1; the present one holds what lies at `begins` and behind, an offset
    for each partition. What lies before is of earlier ones.
    """

    name: str
    id: str
    incarnation: int = 1
    begins: tuple[int, ...] = ()


def entry(topic: KnownTopic) -> tuple[bytes, bytes]:
    """The record that says this: key and value."""
    return KEY_PREFIX + topic.name.encode(), msgspec.json.encode(topic)


def no_entry(name: str) -> tuple[bytes, None]:
    """The record that says that nothing is known of a topic any more: it was dropped."""
    return KEY_PREFIX + name.encode(), None


def named(topic: str, incarnation: int) -> str:
    """What a topic is called in identities: `~N` behind its name from the second incarnation on.

    No topic of Kafka's can have a `~` in its name.
    """
    return topic if incarnation == 1 else f"{topic}~{incarnation}"
