"""Headers: of raw records, CloudEvents in binary mode, and Kafka Connect's of dead letters."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.headers import (
    DeadLetterOrigin,
    RawHeaders,
    Receipt,
    cloud_event,
    dead_letter,
    read_receipt,
)
from schemas.times import time_ns_of
from tests.schemas.strategies import NAMES, PROPERTY, TIMES

RECEIVED = "2024-03-13T22:00:25.310000000Z"
APPENDED = "2024-03-13T22:00:26.000000000Z"
APPENDED_NS = time_ns_of(APPENDED)
WHOLE = {
    "venue": b"sfox",
    "feed": b"private.enterprise.users.balances",
    "epoch": b"1710367000000000000",
    "receipt": b"3",
    "received_time": RECEIVED.encode(),
}


def test_a_dead_letter_of_a_later_incarnation_says_which_and_one_of_the_first_does_not() -> None:
    first = DeadLetterOrigin("raw.sfox.balances.v1", 1, 22, "normalise", "a.module")
    later = msgspec.structs.replace(first, incarnation=2)
    told = [dead_letter(one, reason="amount", detail="x", own=[]) for one in (first, later)]
    assert told[1] == [*told[0], ("headroom.incarnation", b"2")]


def test_a_raw_record_says_venue_feed_epoch_receipt_and_received_time() -> None:
    headers = RawHeaders(
        venue="sfox",
        feed="private.enterprise.users.balances",
        epoch=1710367000000000000,
        receipt=3,
        received_time=RECEIVED,
    )
    assert headers.encode() == list(WHOLE.items())


@given(
    venue=NAMES,
    feed=NAMES,
    epoch=st.integers(0, 2**63 - 1),
    receipt=st.integers(1, 2**63 - 1),
    received_time=TIMES,
)
@PROPERTY
def test_the_order_of_a_raw_record_comes_back_from_its_headers(
    venue: str, feed: str, epoch: int, receipt: int, received_time: str
) -> None:
    headers = RawHeaders(venue, feed, epoch, receipt, received_time)
    assert read_receipt(headers.encode(), offset=7, appended_ns=APPENDED_NS) == Receipt(
        epoch, receipt, received_time
    )


BROKEN = {
    "empty": b"",
    "text": b"abc",
    "negative": b"-1",
    "signed": b"+1",
    "blank": b" 1",
    "underscore": b"1_0",
    "fraction": b"1.5",
    "line feed": b"1\n",
    "Arabic digits": "١٢".encode(),
    "not UTF-8": b"\xff",
    "5,000 digits": b"1" * 5_000,
    "null": None,
}


@pytest.mark.parametrize("name", ["epoch", "receipt"])
@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN)
def test_a_raw_record_with_a_broken_order_has_epoch_0_and_its_offset_as_receipt(
    name: str, value: bytes
) -> None:
    headers = {**WHOLE, name: value}
    assert read_receipt(headers.items(), offset=7, appended_ns=APPENDED_NS) == Receipt(
        0, 7, RECEIVED
    )


@pytest.mark.parametrize("name", ["epoch", "receipt"])
def test_a_raw_record_without_an_order_has_epoch_0_and_its_offset_as_receipt(name: str) -> None:
    headers = {key: value for key, value in WHOLE.items() if key != name}
    assert read_receipt(headers.items(), offset=7, appended_ns=APPENDED_NS) == Receipt(
        0, 7, RECEIVED
    )


def test_a_raw_record_without_any_header_was_received_when_kafka_took_it() -> None:
    assert read_receipt([], offset=0, appended_ns=APPENDED_NS) == Receipt(0, 0, APPENDED)


@pytest.mark.parametrize("value", [b"", b"now", b"\xff", None, b"2024-03-13T22:00:25Z"])
def test_a_received_time_that_cannot_be_read_is_when_kafka_took_the_record(
    value: bytes,
) -> None:
    headers = {**WHOLE, "received_time": value}
    found = read_receipt(headers.items(), offset=7, appended_ns=APPENDED_NS)
    assert found == Receipt(1710367000000000000, 3, APPENDED)


@given(st.lists(st.tuples(st.sampled_from([*WHOLE, "x"]), st.none() | st.binary(max_size=40))))
@PROPERTY
def test_no_header_is_too_odd_to_be_read(headers: list[tuple[str, bytes]]) -> None:
    found = read_receipt(headers, offset=7, appended_ns=APPENDED_NS)
    assert found.epoch >= 0
    assert found.receipt >= 0


def test_a_public_record_carries_the_headers_of_cloudevents_in_binary_mode() -> None:
    headers = cloud_event(
        topic="balances.v1",
        subject="sfox:żółw 🐢",
        event_id="raw.sfox.balances.v1/1/22",
        time=RECEIVED,
    )
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"raw.sfox.balances.v1/1/22",
        "ce_source": b"/headroom",
        "ce_type": b"headroom.balances.v1",
        "ce_time": RECEIVED.encode(),
        "ce_subject": "sfox:żółw 🐢".encode(),
        "ce_dataschema": b"urn:headroom:schema:balances.v1",
        "content-type": b"application/json",
    }
    assert len(headers) == len(dict(headers))


def test_a_dead_letter_keeps_its_own_headers_and_says_why_and_where_it_failed() -> None:
    own = [("epoch", b"1"), ("epoch", b"2"), ("odd", b"\xff")]
    origin = DeadLetterOrigin("raw.sfox.balances.v1", 1, 22, "normalise", "a.module")
    headers = dead_letter(origin, reason="amount", detail="payload.updates[0].held", own=own)
    assert headers[:3] == own
    added = dict(headers[3:])
    assert added.pop("__connect.errors.exception.class.name")
    assert added == {
        "__connect.errors.topic": b"raw.sfox.balances.v1",
        "__connect.errors.partition": b"1",
        "__connect.errors.offset": b"22",
        "__connect.errors.stage": b"normalise",
        "__connect.errors.class.name": b"a.module",
        "__connect.errors.exception.message": b"payload.updates[0].held",
        "headroom.reason": b"amount",
    }
