"""The book of generations: a compacted topic that says which there are, and which one is live."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer, ConsumerRecord

from headroom.base import whole
from headroom.base.errors import OperatorError
from headroom.base.known_topics import KEY_PREFIX, KnownTopic
from headroom.base.reading import foreign, records
from headroom.operate.generations.kind import BadName, Generation, Live, check_name, is_group
from schemas.codec import NotADocument, decode, decode_by, encode
from schemas.incarnations import Incarnation
from schemas.topics import GENERATIONS

LIVE_KEY: Final = b"live"
_GENERATION: Final = b"generation/"
# Entries of the same topic that others read.
_OTHERS: Final = KEY_PREFIX
_OBJECT: Final = msgspec.json.Decoder(dict[str, object])


class _Named(msgspec.Struct):
    name: str


class Unknown(OperatorError):
    """There is no generation of this name."""


class Book:
    """What the topic says."""

    def __init__(self) -> None:
        self.live = Live()
        self.generations: dict[str, Generation] = {}
        self.topics: dict[str, KnownTopic] = {}

    def forget(self) -> None:
        """Nothing was said."""
        self.live = Live()
        self.generations.clear()
        self.topics.clear()

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; raises `NotADocument` where nobody of us wrote it."""
        if key == LIVE_KEY and value is not None:
            # Else any object would say that the first one is live.
            _check(decode(value, _Named).name)
            self.live = decode(value, Live)
        elif key is not None and key.startswith(_GENERATION):
            if value is None:
                name = key.removeprefix(_GENERATION).decode("utf-8", "replace")
                self.generations.pop(name, None)
            else:
                found = decode(value, Generation)
                if key != entry_key(found.name):
                    raise NotADocument("it is the entry of another generation")
                self.generations[found.name] = found
        elif key is not None and key.startswith(KEY_PREFIX):
            if value is None:
                self.topics.pop(key.removeprefix(KEY_PREFIX).decode("utf-8", "replace"), None)
            else:
                topic = decode(value, KnownTopic)
                if key != KEY_PREFIX + topic.name.encode():
                    raise NotADocument("it is the entry of another topic")
                self.topics[topic.name] = topic
        else:
            # A later version may say more, in objects.
            decode_by(value or b"{}", _OBJECT)

    @property
    def incarnations(self) -> dict[str, tuple[Incarnation, ...]]:
        """Which incarnations raw topics' offsets are of, where that is not the first."""
        return {name: one.history for name, one in self.topics.items() if one.history}

    def find(self, name: str) -> Generation:
        """The generation of this name; raises `Unknown`.

        Of the first one nothing is recorded before another one is promoted.
        """
        if name not in self.generations:
            known = ", ".join(sorted({self.live.name, *self.generations}))
            raise Unknown(f"there is no generation {name!r}; there are: {known}")
        return self.generations[name]


async def read_book(kafka: Mapping[str, Any], *, partitions: int) -> Book:
    """The book as it is now, and whole; raises KafkaError, `Stalled`, `TopicCut`, `BookLost`."""
    book = await read_what_is_left(kafka, partitions=partitions)
    known = book.topics.get(GENERATIONS)
    begins = await whole.begins_of(kafka, GENERATIONS, partitions=partitions)
    whole.check(GENERATIONS, begins, known, whole.RESTORE_BOOK)
    if known is None and (group := await whole.worked_as(kafka, is_group)) is not None:
        # Whoever makes such commits has written down which book this is.
        raise whole.BookLost(GENERATIONS, group)
    return book


async def read_what_is_left(kafka: Mapping[str, Any], *, partitions: int) -> Book:
    """The same of a book that may have lost records, or be another one."""
    book = Book()
    found: list[ConsumerRecord] = [
        record async for record in records(kafka, GENERATIONS, partitions=partitions)
    ]
    for record in found:
        try:
            book.take(record.key, record.value)
        except NotADocument as error:
            foreign(record.topic, record.partition, record.offset, str(error))
    return book


def _check(name: str) -> None:
    try:
        check_name(name)
    except BadName as error:
        raise NotADocument("it names no generation") from error


def entry(said: Generation | Live) -> tuple[bytes, bytes]:
    """The record that says this: key and value."""
    key = LIVE_KEY if isinstance(said, Live) else entry_key(said.name)
    return key, encode(said)


def entry_key(name: str) -> bytes:
    """The key of a generation's entry."""
    return _GENERATION + name.encode()


def no_entry(name: str) -> tuple[bytes, None]:
    """The record that says that there is no such generation any more."""
    return entry_key(name), None


async def write(kafka: Mapping[str, Any], *written: tuple[bytes, bytes | None]) -> None:
    """Write entries, in their order."""
    async with AIOKafkaProducer(**kafka, acks="all", enable_idempotence=True) as producer:
        for key, value in written:
            await producer.send_and_wait(GENERATIONS, value, key=key)
