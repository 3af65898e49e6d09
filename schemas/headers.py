"""Record headers: of raw records, CloudEvents of what follows from them, and of dead letters.

Source: the CloudEvents 1.0 Kafka protocol binding (binary mode) and Kafka Connect's
error-reporting headers (KIP-298).
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

import msgspec

from schemas.times import rfc3339, time_ns_of
from schemas.traces import TRACEPARENT

Headers = list[tuple[str, bytes]]

VALUE_SCHEMA_ID: Final = "__value_schema_id"
"""Where Confluent's clients look for the id of a value's schema, if it is not in the value."""
RETRY_OF: Final = "headroom.retry.of"
"""On a raw record: the place of the one that could not be read, which this is again."""
GENERATION: Final = "headroom.generation"
"""On a public record: it corrects one of the same identity, and this generation made it so."""
REDACTED: Final = "headroom.redacted"
"""On a raw record: the places where a secret of ours was hidden, or `all`: all of the frame."""
VERSION: Final = "headroom.version"
"""On a dead letter: the version of the code that could not read it."""
PARTS: Final = "headroom.parts"
"""On an outcome of a raw record that tells of several accounts: how many outcomes it has."""
PART: Final = "headroom.part"
"""On a dead letter of such a record: which of them it is, from 0; a snapshot's `ce_id` says it."""
INCARNATION: Final = "headroom.incarnation"
"""On a dead letter: which incarnation of its raw topic it is of, where that is not the first."""
ERRORS: Final = "__connect.errors."
_OF_DEAD_LETTERS: Final = frozenset({"headroom.reason", VERSION, PARTS, PART, INCARNATION})
_CONTENT_TYPE: Final = ("content-type", b"application/json")
_SPEC_VERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", b"/headroom")
_INT64_MAX: Final = 2**63 - 1
_INT64_DIGITS: Final = 19


class RawHeaders(msgspec.Struct, frozen=True, gc=False):
    """What a producer says of a frame: where it came from and in which order.

    `receipt` counts 1, 2, 3 … within the epoch; `received_time` is RFC 3339; `redacted` tells of a
    frame that held a secret of ours (see `REDACTED`), "" of one that is as it came; `traceparent`
    is that of a frame whose trace is told, "" of any other.
    """

    venue: str
    feed: str
    epoch: int
    receipt: int
    received_time: str
    redacted: str = ""
    traceparent: str = ""

    def encode(self) -> Headers:
        """The headers of the raw record, all values as text."""
        redacted = [(REDACTED, self.redacted.encode())] if self.redacted else []
        traced = [(TRACEPARENT, self.traceparent.encode())] if self.traceparent else []
        return [
            ("venue", self.venue.encode()),
            ("feed", self.feed.encode()),
            ("epoch", b"%d" % self.epoch),
            ("receipt", b"%d" % self.receipt),
            ("received_time", self.received_time.encode()),
            *redacted,
            *traced,
        ]


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Where a raw record stands in the order of its venue, and when it was received."""

    epoch: int
    receipt: int
    received_time: str


def read_receipt(headers: Iterable[tuple[str, bytes]], *, offset: int, appended_ns: int) -> Receipt:
    """The order of a raw record.

    A record without these headers, or with headers that cannot be read, has epoch 0, its offset
    as receipt, and the time at which Kafka took it (`appended_ns`, since 1970).
    """
    found = dict(headers)
    epoch, receipt = _natural(found.get("epoch")), _natural(found.get("receipt"))
    received = _time(found.get("received_time")) or rfc3339(appended_ns)
    if epoch is None or receipt is None:
        return Receipt(epoch=0, receipt=offset, received_time=received)
    return Receipt(epoch=epoch, receipt=receipt, received_time=received)


def _natural(value: bytes | None) -> int | None:
    if value is None or not value.isdigit() or len(value) > _INT64_DIGITS:
        return None
    number = int(value)
    return number if number <= _INT64_MAX else None


def _time(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode("ascii")
        time_ns_of(text)
    except ValueError:
        return None
    return text


def cloud_event(*, topic: str, subject: str, event_id: str, time: str) -> Headers:
    """The CloudEvents headers of a record in `topic`; `time` is the frame's `received_time`."""
    kind, schema = _of_topic(topic)
    return [
        _SPEC_VERSION,
        ("ce_id", event_id.encode()),
        _SOURCE,
        kind,
        ("ce_time", time.encode()),
        ("ce_subject", subject.encode()),
        schema,
        _CONTENT_TYPE,
    ]


@cache  # a worker writes to a handful of topics
def _of_topic(topic: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    name = topic.encode()
    return ("ce_type", b"headroom." + name), ("ce_dataschema", b"urn:headroom:schema:" + name)


class DeadLetterOrigin(msgspec.Struct, frozen=True, gc=False):
    """The record that could not be read, and the code that could not read it.

    `part` says which of how many accounts of the record it was, from 0; None: there is one.
    `incarnation` is the topic's (`schemas.incarnations`).
    """

    topic: str
    partition: int
    offset: int
    stage: str
    class_name: str
    version: str = ""
    part: tuple[int, int] | None = None
    incarnation: int = 1


def dead_letter(
    origin: DeadLetterOrigin, *, reason: str, detail: str, own: Iterable[tuple[str, bytes]]
) -> Headers:
    """The headers of a dead letter: the record's own, then why and where it failed.

    Own ones that are called as these are go: a stranger's would say which record failed, and why.
    """
    version = [(VERSION, origin.version.encode())] if origin.version else []
    part = [] if origin.part is None else part_headers(*origin.part)
    later = [] if origin.incarnation == 1 else [(INCARNATION, b"%d" % origin.incarnation)]
    return [
        *(header for header in own if not is_of_dead_letters(header[0])),
        ("__connect.errors.topic", origin.topic.encode()),
        ("__connect.errors.partition", b"%d" % origin.partition),
        ("__connect.errors.offset", b"%d" % origin.offset),
        ("__connect.errors.stage", origin.stage.encode()),
        ("__connect.errors.class.name", origin.class_name.encode()),
        ("__connect.errors.exception.class.name", b"schemas.rejections.Rejected"),
        ("__connect.errors.exception.message", detail.encode()),
        ("headroom.reason", reason.encode()),
        *version,
        *part,
        *later,
    ]


def is_of_dead_letters(name: str) -> bool:
    """Whether a header of this name is one that a dead letter has, and no raw record."""
    return name.startswith(ERRORS) or name in _OF_DEAD_LETTERS


def part_headers(number: int, of: int) -> Headers:
    """Which of how many accounts of a raw record."""
    return [(PART, b"%d" % number), (PARTS, b"%d" % of)]
