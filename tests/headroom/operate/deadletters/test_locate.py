"""The place that a message names is found in the frame's text."""

import json

import pytest

from headroom.operate.deadletters.locate import locate
from processors.normalise import NORMALISERS, RawFrame
from schemas.documents import Source
from schemas.headers import Receipt
from schemas.rejections import Rejected
from tests.data import documented_frame

RECEIPT = Receipt(1, 1, "2024-03-13T22:00:25.310000000Z")


def rejected(venue: str, frame: bytes) -> str:
    found = NORMALISERS[venue](RawFrame(frame, RECEIPT, Source("raw", 0, 0)))
    assert isinstance(found, Rejected)
    return found.detail


@pytest.mark.parametrize(
    ("venue", "old", "new", "shown"),
    [
        ("sfox", '"9.99850081"', '"1e5"', '"1e5"'),
        ("sfox", '"9.99850081"', "7", "7"),
        ("sfox", '"test3"', "null", "null"),
        ("hercle", "1000,", "true,", "true"),
        ("hercle", '"baseCurrency": "EUR"', '"baseCurrency": 5', "5"),
        ("hercle", '"name": "USDT"', '"name": ["x", {"y": 1}]', '["x", {"y": 1}]'),
    ],
)
def test_a_field_is_found_where_it_stands(venue: str, old: str, new: str, shown: str) -> None:
    text = documented_frame(venue).decode()
    assert old in text
    text = text.replace(old, new, 1)
    place = locate(text.encode(), rejected(venue, text.encode()))
    assert place is not None
    assert text[slice(*place)] == shown


def test_a_field_of_one_account_of_several_is_found_where_it_stands() -> None:
    frame = json.loads(documented_frame("hercle"))
    (event,) = frame["arguments"]
    data = event["data"]
    event["data"] = [data | {"userId": "a"}, data | {"userId": "b", "sequence": "second"}]
    frame["arguments"].append({**event, "data": data | {"userId": "c", "deleted": "third"}})
    text = json.dumps(frame)
    found = NORMALISERS["hercle"](RawFrame(text.encode(), RECEIPT, Source("raw", 0, 0)))
    assert isinstance(found, tuple)
    details = [one.detail for one in found if isinstance(one, Rejected)]
    assert details == ["data[1].sequence", "arguments[1].data.deleted"]
    places = [locate(text.encode(), detail) for detail in details]
    assert [text[slice(*place)] for place in places if place] == ['"second"', '"third"']


def test_a_text_that_breaks_off_is_pointed_at_its_end() -> None:
    frame = documented_frame("sfox")[:40]
    place = locate(frame, rejected("sfox", frame))
    assert place is not None
    assert place[0] <= len(frame)


def test_a_byte_is_counted_in_characters() -> None:
    frame = '{"é": "'.encode() + b"\xff" + b'"}'
    place = locate(frame, rejected("sfox", frame))
    assert place == (7, 8)
    assert frame.decode("utf-8", "replace")[7] == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "detail",
    ["payload.nothing", "payload.updates[99].held", "no balances of sFOX", "", "payload[0]", "x y"],
)
def test_what_is_not_in_the_text_is_nowhere(detail: str) -> None:
    assert locate(documented_frame("sfox"), detail) is None


def test_inside_an_embedded_text_nothing_is_pointed_at() -> None:
    frame = json.loads(documented_frame("sfox"))
    frame["payload"] = json.dumps(frame["payload"]).replace('"held"', '"gone"', 1)
    text = json.dumps(frame).encode()
    assert locate(text, rejected("sfox", text)) is None


def test_a_text_that_is_no_json_is_no_reason_to_fail() -> None:
    for frame in (b"", b"{", b'{"a"', b'{"a": [', b"[" * 5_000, b"\xff"):
        locate(frame, "a[0].b")
