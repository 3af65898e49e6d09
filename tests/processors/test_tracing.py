"""What a traced record is, and that it changes nothing of what is said of its frame."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from processors.engine.batch import Batch, Record
from processors.normalise import tell
from processors.tracing import Tracing
from producers.spool.records import HeaderWriter
from producers.spool.records import Record as Kept
from schemas.codec import Told
from schemas.headers import RawHeaders
from schemas.traces import sampled
from schemas.venues import VENUES
from tests.processors.pipeline import EPOCH, sfox_frame

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TIME = "2024-03-13T22:00:27.000000000Z"


class Spans:
    def __init__(self) -> None:
        self.added: list[tuple[Any, ...]] = []

    def begin(self, name: str, **told: Any) -> str:
        raise AssertionError(name)

    def add(self, name: str, parent: bytes, *, began_ns: int, ended_ns: int, told: Any) -> None:
        self.added.append((name, parent, began_ns, ended_ns, told["messaging.kafka.offset"]))


def raw(offset: int, traceparent: str = "") -> Record:
    venue = VENUES["sfox"]
    headers = RawHeaders("sfox", venue.feed, EPOCH, offset + 1, TIME, traceparent=traceparent)
    message: Any = SimpleNamespace(headers=headers.encode, timestamp=lambda: (1, 0))
    return Record(b"u", sfox_frame("u", offset, btc="1.5"), offset, message)


def test_a_trace_changes_nothing_of_what_is_told() -> None:
    """By the short way or the long one, whichever it is."""
    topic = VENUES["sfox"].raw_topic
    told = [
        tell("sfox", topic, 0, record, lambda _document, _snapshot: None)
        for record in (raw(7), raw(7, PARENT))
    ]
    assert told[0] == told[1]
    assert isinstance(told[0], Told)


def test_the_spool_writes_the_headers_that_there_are_to_be() -> None:
    headers = RawHeaders("sfox", "f", 1, 2, TIME, "all", PARENT)
    kept = Kept(b"u", b"x", "sfox", "f", 1, 2, TIME, "all", traceparent=PARENT)
    assert HeaderWriter().headers(kept) == headers.encode()
    assert headers.encode()[-1] == ("traceparent", PARENT.encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"x",
        PARENT[:-1].encode() + b"0",
        b"01" + PARENT[2:].encode(),
        PARENT.upper().encode(),
        PARENT.encode() + b"-more",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    ],
)
def test_what_is_not_sampled_or_none_of_ours_is_no_trace(value: bytes | None) -> None:
    assert sampled([("epoch", b"1"), ("traceparent", value)]) is None
    assert sampled([("epoch", b"1"), ("traceparent", PARENT.encode())]) == PARENT.encode()


def test_of_a_batch_the_traced_records_are_told_when_worked_on_and_when_kept() -> None:
    spans, now = Spans(), iter(range(100, 200, 10))
    batch = Batch(TP("raw", 3), [raw(7), raw(8, PARENT), raw(9)])
    traced = Tracing(spans, lambda: next(now)).of(batch)
    assert traced is not None
    assert [traced.headers(offset, [("a", b"b")]) for offset in (7, 8)] == [
        [("a", b"b")],
        [("a", b"b"), ("traceparent", PARENT.encode())],
    ]
    traced.worked("normalise")
    assert spans.added == [("normalise", PARENT.encode(), 100, 110, 8)]
    for call in batch.told_when_done:
        call()
    assert spans.added[1:] == [("commit", PARENT.encode(), 110, 120, 8)]


def test_where_nothing_is_traced_no_header_is_looked_at() -> None:
    def headers() -> Any:
        raise AssertionError("they were asked for")

    message: Any = SimpleNamespace(headers=headers)
    batch = Batch(TP("raw", 3), [Record(b"u", b"x", 7, message)])
    assert Tracing(None, lambda: 0).of(batch) is None
    assert Tracing(Spans(), lambda: 0).of(Batch(TP("raw", 3), [raw(7)])) is None
