"""Which dead letters are meant, and reading those."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from headroom.base.reading import Span, foreign, records
from headroom.operate.deadletters.letter import DeadLetter, NoPlace, Place, place_of, read
from schemas.codec import NotADocument
from schemas.topics import DEAD_LETTERS, RETRIES


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for; what is not said does not matter.

    `places` are origins, or raw records, of which all letters are meant then.
    """

    reason: str | None = None
    venue: str | None = None
    span: Span = Span()
    places: frozenset[Place] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is said."""
        return self == Wanted()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter of the time that is meant is meant."""
        return (
            self.reason in (None, letter.reason)
            and self.venue in (None, letter.venue)
            and (not self.places or bool(self.places & {letter.origin, letter.origin.record}))
        )


async def letters(
    kafka: Mapping[str, Any], wanted: Wanted, *, partitions: int
) -> AsyncIterator[DeadLetter]:
    """The dead letters that are meant, each once: a worker may have buried one again."""
    seen: set[Place] = set()
    async for record in records(kafka, DEAD_LETTERS, partitions=partitions, span=wanted.span):
        letter = read(record)
        if letter is None:
            foreign(record.topic, record.partition, record.offset, "its headers name no raw record")
        elif wanted.takes(letter) and letter.origin not in seen:
            seen.add(letter.origin)
            yield letter


async def retried(kafka: Mapping[str, Any], *, partitions: int) -> dict[str, str]:
    """Where each frame that was sent again lies now in raw, by the place of its raw record."""
    found = {}
    async for record in records(kafka, RETRIES, partitions=partitions):
        try:
            found[str(_place(record.key))] = str(_place(record.value))
        except NotADocument as error:
            foreign(record.topic, record.partition, record.offset, str(error))
    return found


def _place(text: bytes | None) -> Place:
    try:
        return place_of((text or b"").decode())
    except (UnicodeDecodeError, NoPlace) as error:
        raise NotADocument("it names no place") from error
