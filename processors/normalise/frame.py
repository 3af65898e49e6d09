"""What a normaliser gets: a frame's bytes and where they stand."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from processors import compiled
from schemas.documents import Source
from schemas.headers import Receipt, read_receipt
from schemas.times import record_time_ns


class RawRecord(Protocol):
    """A record of a raw topic, as any client of Kafka has it; `timestamp_ms` is since 1970."""

    @property
    def value(self) -> bytes | None: ...  # noqa: D102 - its name says it
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp_ms(self) -> int: ...  # noqa: D102


class RawFrame(msgspec.Struct, frozen=True, gc=False):
    """One raw record: the venue's own bytes, their order at the venue, their place in Kafka."""

    data: bytes
    receipt: Receipt
    source: Source


def raw_frame(topic: str, partition: int, record: RawRecord) -> RawFrame:
    """The frame of a record of this topic and partition."""
    headers = record.headers
    receipt = compiled.receipt(headers)
    if receipt is None:
        appended_ns = record_time_ns(record.timestamp_ms)
        receipt = read_receipt(headers, offset=record.offset, appended_ns=appended_ns)
    return RawFrame(record.value or b"", receipt, Source(topic, partition, record.offset))
