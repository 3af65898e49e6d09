"""One dead letter, as it lies in Kafka: the frame, and why nobody could read it."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from headroom.base.errors import OperatorError
from schemas.headers import (
    ERRORS,
    INCARNATION,
    PART,
    PARTS,
    RETRY_OF,
    VERSION,
    is_of_dead_letters,
)
from schemas.incarnations import named, parted
from schemas.times import record_time_ns, rfc3339

_PLACE: Final = re.compile(r"([^/]+)/([0-9]{1,19})/([0-9]{1,19})(?:/([0-9]{1,7}))?")
_WHOLE: Final = -1


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a record lies; as text `TOPIC/PARTITION/OFFSET`.

    One of several accounts that the record tells of has its number behind that, `…/OFFSET/2`. From
    the topic's second incarnation on its text is `TOPIC~N/…`, as in all identities.
    """

    topic: str
    partition: int
    offset: int
    part: int = _WHOLE
    incarnation: int = 1

    def __str__(self) -> str:
        topic = named(self.topic, self.incarnation)
        place = f"{topic}/{self.partition}/{self.offset}"
        return place if self.part == _WHOLE else f"{place}/{self.part}"

    @property
    def record(self) -> "Place":
        """Where the whole record lies."""
        return msgspec.structs.replace(self, part=_WHOLE)


class NoPlace(OperatorError):
    """A text that names no record."""

    def __init__(self, text: str) -> None:
        form = "TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/OFFSET/PART"
        super().__init__(f"{text!r} is not {form}, as `deadletters list` shows it")


def place_of(text: str) -> Place:
    """The place that a text names; raises `NoPlace`."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise NoPlace(text)
    part = _WHOLE if found[4] is None else int(found[4])
    topic, incarnation = parted(found[1])
    return Place(topic, int(found[2]), int(found[3]), part, incarnation)


class Record(Protocol):
    """A record as aiokafka gives it."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int


class DeadLetter(msgspec.Struct, frozen=True):
    """A frame that could not be read, or one account of it.

    `origin` is the raw record's place with that account's number, and the letter's identity; of
    `parts` outcomes that the record has it is one. `headers` are the raw record's own.
    `appended_time` is when it was buried. `code` could not read it, of `version`. `retry_of`
    is the place of the dead letter that was sent again, where this is one.
    """

    origin: Place
    venue: str
    reason: str
    detail: str
    code: str
    version: str
    key: bytes | None
    frame: bytes
    headers: tuple[tuple[str, bytes | None], ...]
    appended_time: str
    retry_of: str | None
    parts: int = 1

    @property
    def account(self) -> str:
        """The account's id, as far as it is known."""
        return "" if self.key is None else self.key.decode("utf-8", "replace")


def read_origin(headers: Iterable[tuple[str, bytes | None]]) -> Place | None:
    """Whose dead letter it is, by its headers; None where nobody of us wrote it."""
    told = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    try:
        topic, *place = (told[ERRORS + name] for name in ("topic", "partition", "offset"))
        part = [told[PART]] if PART in told else []
        topic = named(topic, int(told.get(INCARNATION, "1")))
        return place_of("/".join([topic, *place, *part]))
    except (KeyError, ValueError, NoPlace):
        return None


def read(record: Record) -> DeadLetter | None:
    """The dead letter of a record; None where nobody of us wrote it."""
    told = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    origin = read_origin(record.headers)
    try:
        parts = int(told.get(PARTS, "1"))
        reason, detail = told["headroom.reason"], told[ERRORS + "exception.message"]
    except (KeyError, ValueError):
        return None
    if origin is None:
        return None
    own = tuple(header for header in record.headers if not is_of_dead_letters(header[0]))
    return DeadLetter(
        origin=origin,
        # A frame without headers lies in its venue's topic all the same.
        venue=told.get("venue") or origin.topic.removeprefix("raw.").partition(".")[0],
        reason=reason,
        detail=detail,
        code=told.get(ERRORS + "class.name", ""),
        version=told.get(VERSION, ""),
        key=record.key,
        frame=record.value or b"",
        headers=own,
        appended_time=rfc3339(record_time_ns(record.timestamp)),
        retry_of=told.get(RETRY_OF),
        parts=parts,
    )
