"""Documents: to bytes and back without a loss, equal bytes for equal documents, frozen."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import documents, feeds
from schemas.codec import NotADocument, decode, decode_snapshot, encode
from schemas.export import schema_of
from schemas.topics import TOPICS
from tests.schemas.strategies import DOCUMENTS, MANY, PROPERTY, TIMES, amounts
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
    # What is known of all assets need not be said.
    fields = [name for name in kind.__struct_fields__ if name != "unknown" or document.unknown]
    assert list(json.loads(encoded)) == fields


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
        {"total": "1\n", "available": "1", "held": "0"},
        {"total": "1\n1", "available": "1", "held": "0"},
        {"total": None, "available": "1", "held": "0"},
        {"available": "1", "held": "0"},
    ],
)
def test_an_amount_in_a_document_is_plain_decimal_text(balance: dict[str, object]) -> None:
    with pytest.raises(NotADocument):
        decode(json.dumps(balance).encode(), documents.Balance)


JUNK = st.sampled_from(["", "x", "1e5", "1\n1", "+1", "-", ".5", "5.", " 1", "\u0661", "-0.0"])


@given(DOCUMENTS[documents.BalanceSnapshot], st.data())
@MANY
def test_a_snapshot_is_read_as_any_document_is(
    snapshot: documents.BalanceSnapshot, data: st.DataObject
) -> None:
    """With any one text in it replaced by another: the same value, or none."""
    fields = json.loads(encode(snapshot))
    places = []

    def collect(value, path=()):
        if isinstance(value, dict):
            for name, inner in value.items():
                collect(inner, (*path, name))
        else:
            places.append(path)

    collect(fields)
    if data.draw(st.booleans()):
        *path, name = data.draw(st.sampled_from(places))
        place = fields
        for step in path:
            place = place[step]
        place[name] = data.draw(JUNK | st.none() | TIMES | amounts())
    text = json.dumps(fields).encode()
    try:
        expected = decode(text, documents.BalanceSnapshot)
    except NotADocument:
        with pytest.raises(NotADocument):
            decode_snapshot(text)
    else:
        assert decode_snapshot(text) == expected
        assert_valid("balances.v1", text)


@pytest.mark.parametrize(
    "kind", [kind for kind in STRUCTS if "pattern" in str(schema_of("x", kind))], ids=str
)
@given(data=st.data())
@PROPERTY
def test_a_text_without_its_form_is_found_wherever_it_stands(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    """What the JSON Schema of a document refuses because of a pattern, decoding refuses too."""
    fields = json.loads(encode(data.draw(DOCUMENTS[kind])))
    validator = Draft202012Validator(schema_of("x", kind))
    for change in data.draw(st.lists(st.tuples(st.integers(0, 99), JUNK), max_size=2)):
        put(fields, *change)
    text = json.dumps(fields).encode()
    if validator.is_valid(fields):
        assert encode(decode(text, kind))
    elif all(error.validator in {"pattern", "anyOf"} for error in validator.iter_errors(fields)):
        with pytest.raises(NotADocument):
            decode(text, kind)


def put(fields: object, place: int, text: str) -> None:
    """Replace one of the texts in a document."""
    texts = []

    def collect(value: object) -> None:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, str):
                texts.append((value, name))
            elif isinstance(inner, dict | list):
                collect(inner)

    collect(fields)
    if texts:
        holder, name = texts[place % len(texts)]
        holder[name] = text


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"total": "\xff"}', b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "not UTF-8", "not UTF-8 in a text", "deep"],
)
def test_bytes_that_are_no_document_are_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotADocument):
        decode(data, documents.Balance)
