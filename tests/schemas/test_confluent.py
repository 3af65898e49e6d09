"""What Confluent's rule says to a change: each kind that our schemas can have, and who is told."""

import copy
import json
from typing import Any

import pytest

from schemas.export import __main__ as command
from schemas.export import schemas
from schemas.export.compatibility import incompatible
from schemas.export.confluent import refused

NAME = "balances.v1.schema.json"
TEXT = {"type": "string"}
ADDED = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
Part = dict[str, Any]


def test_what_did_not_change_is_taken_and_so_are_topics_that_come_and_go() -> None:
    now = schemas()
    assert refused(now, now) == []
    assert refused(now, {}) == refused({}, now) == []


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ((), "#"),
        (("$defs", "Source"), "#/properties/source"),
        (("$defs", "AssetBalance"), "#/properties/assets/additionalProperties"),
    ],
    ids=str,
)
def test_a_new_field_that_our_own_gate_lets_by_is_refused_wherever_it_is(
    path: tuple[str, ...], at: str
) -> None:
    old = schemas()
    new = copy.deepcopy(old)
    part = new[NAME]
    for step in path:
        part = part[step]
    part["properties"]["colour"] = {**TEXT, "default": "blue"}
    assert incompatible(old, new) == []
    assert refused(old, new) == [f"balances.v1: {at}/properties/colour: {ADDED}"]


def test_of_a_choice_confluents_tells_the_choice_alone_and_this_the_field_as_well() -> None:
    old = schemas()
    new = copy.deepcopy(old)
    new[NAME]["$defs"]["Exposure"]["properties"]["colour"] = TEXT
    at = "balances.v1: #/properties/assets/additionalProperties/properties/exposure"
    assert refused(old, new) == [
        f"{at}/anyOf/0/properties/colour: {ADDED}",
        f"{at}: COMBINED_TYPE_SUBSCHEMAS_CHANGED",
    ]


OBJECT = {"type": "object", "properties": {"a": TEXT}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (OBJECT, {"type": "object", "properties": {}}, None),
        ({**OBJECT, "properties": {}}, {**OBJECT, "properties": {"a": {"title": "any"}}}, None),
        ({**OBJECT, "properties": {}, "additionalProperties": False}, OBJECT, None),
        ({"type": "object", "additionalProperties": TEXT}, OBJECT, None),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            OBJECT,
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        ),
        ({"enum": ["x"]}, {"const": "x"}, "TYPE_CHANGED"),
        ({"type": "integer"}, {"type": "number"}, None),
        (TEXT, {"anyOf": [{"type": "null"}, TEXT]}, None),
        ({"anyOf": [TEXT]}, TEXT, None),
        ({"anyOf": [TEXT, {"type": "null"}]}, {"type": ["string", "null"]}, None),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}, None),
        ({"type": ["string", "null"]}, TEXT, "TYPE_CHANGED"),
        ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, "TYPE_CHANGED"),
        ({"type": "integer"}, {"type": "integer", "maximum": 9}, "#/maximum: MAXIMUM_ADDED"),
        ({"type": "integer"}, {"type": "integer", "minimum": 1}, "#/minimum: MINIMUM_ADDED"),
        ({"minimum": 1}, {"minimum": 2}, "#/minimum: MINIMUM_INCREASED"),
        ({"maximum": 2}, {"maximum": 1}, "#/maximum: MAXIMUM_DECREASED"),
        ({"minimum": 2, "maximum": 1}, {"minimum": 1, "maximum": 2}, None),
        ({"minimum": 2, "maximum": 1}, {"type": "integer"}, "TYPE_CHANGED"),
        ({"type": "integer", "maximum": 1}, {"type": "integer", "format": "int64"}, None),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": TEXT}, None),
    ],
    ids=str,
)
def test_differences_by_their_names(old: Part, new: Part, words: str | None) -> None:
    found = refused({NAME: old}, {NAME: new})
    assert bool(found) is (words is not None)
    if words is not None:
        assert found[-1].endswith(words)


def test_who_writes_the_files_is_warned_of_what_came_since_the_last_release(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(command, "RELEASED", tmp_path)
    monkeypatch.setattr(command, "write", list)
    assert command.main([]) == 0
    assert capsys.readouterr().err == ""
    for version, field in (("0.9.0", "epoch"), ("0.10.0", "venue")):
        before = copy.deepcopy(schemas()[NAME])
        del before["properties"][field]
        (tmp_path / version).mkdir()
        (tmp_path / version / NAME).write_text(json.dumps(before), "utf-8")
    assert command.main([]) == 0
    told = capsys.readouterr().err
    assert "will refuse these after 0.10.0" in told
    assert f"\n  balances.v1: #/properties/venue: {ADDED}\n" in told
    assert "epoch" not in told
