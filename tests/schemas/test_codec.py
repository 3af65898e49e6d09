"""Documents: to bytes and back without a loss, equal bytes for equal documents, frozen."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import documents, feeds
from schemas.codec import NotADocument, decode, encode
from schemas.topics import TOPICS
from tests.schemas.strategies import DOCUMENTS, PROPERTY
from tests.schemas.validation import assert_valid

STRUCTS = [
    kind
    for kind in (*vars(documents).values(), *vars(feeds).values())
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
]


def test_every_document_has_a_strategy_here() -> None:
    assert set(STRUCTS) == set(DOCUMENTS)


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@PROPERTY
def test_a_document_comes_back_from_its_bytes(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    document = data.draw(DOCUMENTS[kind])
    encoded = encode(document)
    decoded = decode(encoded, kind)
    assert decoded == document
    assert encode(decoded) == encoded
    assert list(json.loads(encoded)) == list(kind.__struct_fields__)


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS.values() if topic.value], ids=lambda topic: topic.name
)
@given(data=st.data())
@PROPERTY
def test_a_document_is_what_its_json_schema_says(topic, data: st.DataObject) -> None:
    assert_valid(topic.name, encode(data.draw(DOCUMENTS[topic.value])))


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@PROPERTY
def test_a_reader_ignores_fields_that_it_does_not_know(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    document = data.draw(DOCUMENTS[kind])
    fields = json.loads(encode(document))
    with_more = json.dumps({"a_later_field": [1], **fields}).encode()
    assert decode(with_more, kind) == document


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_a_document_is_frozen(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize(
    "balance",
    [
        {"total": 1, "available": "1", "held": "0"},
        {"total": "1e5", "available": "1", "held": "0"},
        {"total": "1_0", "available": "1", "held": "0"},
        {"total": None, "available": "1", "held": "0"},
        {"available": "1", "held": "0"},
    ],
)
def test_an_amount_in_a_document_is_plain_decimal_text(balance: dict[str, object]) -> None:
    with pytest.raises(NotADocument):
        decode(json.dumps(balance).encode(), documents.Balance)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"total": "\xff"}', b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "not UTF-8", "not UTF-8 in a text", "deep"],
)
def test_bytes_that_are_no_document_are_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotADocument):
        decode(data, documents.Balance)
