"""Which topics were read, by Kafka's own identities of them: what a name alone does not tell.

Kept in the book of generations, one entry for each topic (key `topic/NAME`). A topic that was
deleted and made again, or that lost its end, begins another incarnation: its offsets come again and
mean other records, so an identity that is made of one names the incarnation too.

Source: KIP-516 (topic identifiers).
"""

from typing import Final

import msgspec

from schemas import topics
from schemas.incarnations import Incarnation

RESUME: Final = "headroom resume"
REPLAY: Final = "headroom replay"
KEY_PREFIX: Final = b"topic/"

FOLLOWED: Final = (topics.GENERATIONS, topics.ACCOUNTS)
"""What workers read beside their work, and must not read anew from another topic."""


class KnownTopic(msgspec.Struct, frozen=True):
    """A topic as it was read: `id` is Kafka's, in its own text.

    `incarnation` counts from 1; the present one holds what lies at `begins` and behind, an offset
    for each partition. What lies before is of `earlier` ones of the same topic, the newest of these
    first, or of the one before all of them. Of a topic that is compacted, `begins` says up to where
    it is known that records were deleted, and what they said was written again.
    """

    name: str
    id: str
    incarnation: int = 1
    begins: tuple[int, ...] = ()
    earlier: tuple[Incarnation, ...] = ()

    @property
    def history(self) -> tuple[Incarnation, ...]:
        """Which incarnations its offsets are of (`schemas.incarnations`); none: the first."""
        return () if self.incarnation == 1 else (self._present, *self.earlier)

    @property
    def _present(self) -> Incarnation:
        return Incarnation(self.incarnation, self.begins)

    def replaced(self, id_: str, partitions: int) -> "KnownTopic":
        """The same name, and another topic from its very beginning."""
        return KnownTopic(self.name, id_, self.incarnation + 1, (0,) * partitions)

    def shortened(self, begins: tuple[int, ...]) -> "KnownTopic":
        """The same topic, another one from these offsets on."""
        return KnownTopic(self.name, self.id, self.incarnation + 1, begins, self.history)


def entry(topic: KnownTopic) -> tuple[bytes, bytes]:
    """The record that says this: key and value."""
    return KEY_PREFIX + topic.name.encode(), msgspec.json.encode(topic)


def no_entry(name: str) -> tuple[bytes, None]:
    """The record that says that nothing is known of a topic any more: it was dropped."""
    return KEY_PREFIX + name.encode(), None
