"""What is kept of a frame, and groups of frames as they are written together. No I/O."""

import zlib
from collections.abc import Sequence
from typing import Final, Self

import msgspec

from schemas.headers import REDACTED, Headers
from schemas.traces import TRACEPARENT

# What a record takes beside its frame and key.
AROUND_BYTES: Final = 128


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A frame with its key, and what the headers of the raw record say (`RawHeaders`).

    `several`: it tells of several accounts, so that no frame of one of them makes it obsolete.
    """

    key: bytes | None
    frame: bytes
    venue: str
    feed: str
    epoch: int
    receipt: int
    received_time: str
    redacted: str = ""
    several: bool = False
    traceparent: str = ""

    @property
    def size_bytes(self) -> int:
        """About what it takes, on disk or in memory."""
        return len(self.frame) + len(self.key or b"") + AROUND_BYTES


class Group(msgspec.Struct, frozen=True):
    """Records written together; `number` ascends, `end` counts records up to its last one."""

    number: int
    end: int
    records: Sequence[Record]
    size_bytes: int

    @classmethod
    def of(cls, number: int, end: int, records: Sequence[Record]) -> Self:
        """A group of these records, which takes about so much."""
        return cls(number, end, records, sum(record.size_bytes for record in records))


class Unsound(Exception):
    """A group's bytes are not those that were written; `count` records were in it."""

    def __init__(self, count: int = 0) -> None:
        super().__init__(f"{count} records")
        self.count = count


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Record])


def encode(records: Sequence[Record]) -> tuple[bytes, int]:
    """The bytes of a group's records, and their checksum."""
    body = _encoder.encode(records)
    return body, zlib.crc32(body)


def decode(body: bytes, checksum: int) -> list[Record]:
    """The records; raises `Unsound`."""
    if zlib.crc32(body) != checksum:
        raise Unsound
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unsound from error


class HeaderWriter:
    """The headers of raw records, as `RawHeaders.encode` has them; what repeats is made once."""

    def __init__(self) -> None:
        self._venue = self._feed = self._time = ""
        self._epoch = -1
        self._same: Headers = []
        self._when = ("", b"")

    def headers(self, record: Record) -> Headers:
        """A record's headers, in their order."""
        if record.epoch != self._epoch or record.venue != self._venue or record.feed != self._feed:
            self._begin(record)
        if record.received_time != self._time:
            self._time = record.received_time
            self._when = ("received_time", record.received_time.encode())
        found = [*self._same, ("receipt", b"%d" % record.receipt), self._when]
        if record.redacted:
            found.append((REDACTED, record.redacted.encode()))
        if record.traceparent:
            found.append((TRACEPARENT, record.traceparent.encode()))
        return found

    def _begin(self, record: Record) -> None:
        self._venue, self._feed, self._epoch = record.venue, record.feed, record.epoch
        self._same = [
            ("venue", record.venue.encode()),
            ("feed", record.feed.encode()),
            ("epoch", b"%d" % record.epoch),
        ]
