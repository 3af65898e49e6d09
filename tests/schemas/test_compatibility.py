"""The gate says what a reader would find: documents of one schema, validated by the other."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.codec import encode
from schemas.export import schemas
from schemas.export.compatibility import incompatible, unreadable
from tests.schemas import strategies

NAME = "balances.v1.schema.json"
Part = dict[str, Any]


def changed(**changes: Any) -> tuple[dict[str, Part], dict[str, Part]]:
    """The schemas as they are, and with another root of one of them."""
    old = schemas()
    new = copy.deepcopy(old)
    new[NAME].update(changes)
    return old, new


def test_what_did_not_change_is_compatible() -> None:
    assert incompatible(schemas(), schemas()) == []


def test_a_removed_field_is_noticed_by_old_readers() -> None:
    old, new = changed()
    del new[NAME]["properties"]["venue"]
    new[NAME]["required"].remove("venue")
    assert incompatible(old, new) == [
        f"{NAME}: old readers: $.venue: is needed, and may be missing"
    ]


def test_a_needed_field_that_is_new_is_noticed_in_old_records() -> None:
    old, new = changed()
    new[NAME]["properties"]["colour"] = {"type": "string"}
    assert incompatible(old, new) == []
    new[NAME]["required"].append("colour")
    assert incompatible(old, new) == [
        f"{NAME}: old records: $.colour: is needed, and may be missing"
    ]


def test_a_topic_that_is_gone_is_noticed_and_one_that_is_new_is_not() -> None:
    old, new = changed()
    del new[NAME]
    assert incompatible(old, new) == [f"{NAME}: is gone"]
    assert incompatible(new, old) == []


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (("properties", "user"), {"type": "integer"}, "$.user: is integer, not string"),
        (("properties", "epoch"), {"type": "number"}, "$.epoch: is number, not integer"),
        (("properties", "received_time"), {"pattern": ".*"}, "$.received_time: has another form"),
        (
            ("$defs", "AssetBalance", "properties", "held"),
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "$.assets.*.held: is null, not string",
        ),
        (("properties", "user"), {"type": ["string", "null"]}, "$.user: is null, not string"),
        (
            ("properties", "user"),
            {"type": ["string", "integer"]},
            "taught this check what a type of several kinds means",
        ),
        (("properties", "deleted"), {"enum": [False]}, "$.deleted: may be anything"),
        (("properties", "epoch"), {"minimum": 0}, "$.epoch: may be less than 0"),
        (("properties", "epoch"), {"maximum": 9}, "$.epoch: may be more than 9"),
        (("$defs", "Source"), {"additionalProperties": False}, "$.source: has fields that are"),
        (("properties", "user"), {"format": "uuid"}, "taught this check what format means"),
        (("properties", "exposure"), {"required": ["x"]}, "a choice with more beside it"),
    ],
    ids=str,
)
def test_what_a_reader_would_notice(path: tuple[str, ...], change: Part, words: str) -> None:
    old, new = changed()
    part = new[NAME]
    for step in path:
        part = part[step]
    if "anyOf" in change:
        part.clear()
    part.update(change)
    assert any(words in problem for problem in incompatible(old, new)), incompatible(old, new)


def test_a_choice_with_null_is_no_change_where_the_type_says_it() -> None:
    """The releases before have choices."""
    old, new = changed()
    part = dict(new[NAME]["properties"]["venue_time"])
    assert part["type"] == ["string", "null"]
    text = {**part, "type": "string"}
    old[NAME]["properties"]["venue_time"] = {"anyOf": [text, {"type": "null"}]}
    assert incompatible(old, new) == incompatible(new, old) == []
    old[NAME]["properties"]["venue_time"] = {"anyOf": [{**text, "pattern": "x"}, {"type": "null"}]}
    assert incompatible(old, new)


def test_bounds_of_64_bits_are_no_change_where_none_were_told_and_tighter_ones_are() -> None:
    """The releases before told none, and could write no other integer."""
    old, new = changed()
    for word in ("minimum", "maximum", "format"):
        del old[NAME]["properties"]["epoch"][word]
    assert incompatible(old, new) == incompatible(new, old) == []
    new[NAME]["properties"]["epoch"]["maximum"] = 2**63 - 2
    assert incompatible(old, new) == [f"{NAME}: old records: $.epoch: may be more than {2**63 - 2}"]
    new[NAME]["properties"]["epoch"] |= {"minimum": -(2**63) + 1, "maximum": 2**63 - 1}
    assert incompatible(old, new) == [
        f"{NAME}: old records: $.epoch: may be less than {-(2**63) + 1}"
    ]


def test_the_format_of_anything_but_a_number_is_not_known() -> None:
    old, new = changed()
    new[NAME]["properties"]["user"]["format"] = "int64"
    assert len(incompatible(old, new)) == 2


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every object inside a schema that is a schema itself."""
    found = [path] if isinstance(part, dict) and ("type" in part or "anyOf" in part) else []
    steps = part.items() if isinstance(part, dict) else enumerate(part)
    for step, below in steps:
        if isinstance(below, (dict, list)) and step not in ("required", "enum"):
            found += places(below, (*path, step))
    return found


CHANGES = ["drop", "need", "spare", "type", "null", "bound", "open"]


def mutate(data: st.DataObject, schema: Part) -> Part:
    """Another schema, a few changes away."""
    made = copy.deepcopy(schema)
    for _ in range(data.draw(st.integers(0, 3))):
        part: Any = made
        for step in data.draw(st.sampled_from(places(made))):
            part = part[step]
        match data.draw(
            st.sampled_from(["drop", "need", "spare", "type", "null", "bound", "open"])
        ):
            case "drop" if part.get("properties"):
                name = data.draw(st.sampled_from(sorted(part["properties"])))
                del part["properties"][name]
                part["required"] = [each for each in part["required"] if each != name]
            case "need":
                part.setdefault("properties", {})["new"] = {"type": "string"}
                part.setdefault("required", []).append("new")
            case "spare" if part.get("required"):
                part["required"] = part["required"][1:]
            case "type" if "type" in part:
                part["type"] = data.draw(st.sampled_from(["string", "integer", "number", "object"]))
            case "null":
                # References lead to the root, where they stay.
                inner = {word: part.pop(word) for word in list(part) if word[0] != "$"}
                part["anyOf"] = [inner, {"type": "null"}]
            case "bound":
                part[data.draw(st.sampled_from(["minimum", "maximum"]))] = 5
            case "open":
                part.pop("pattern", None)
    return made


KINDS = {
    "balances.v1": strategies.SNAPSHOTS,
    "exposure.user.v1": strategies.USER_EXPOSURES,
    "exposure.base.v1": strategies.BASE_EXPOSURES,
}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_document_that_is_written_is_read_wherever_the_gate_says_so(data: st.DataObject) -> None:
    """The documents are the product's own, so what is written is one that the schema allows."""
    topic = data.draw(st.sampled_from(sorted(KINDS)))
    schema = schemas()[f"{topic}.schema.json"]
    read = mutate(data, schema)
    if unreadable(schema, read):
        return
    document = json.loads(encode(data.draw(KINDS[topic])))
    Draft202012Validator(read).validate(document)
