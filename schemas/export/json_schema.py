"""The JSON Schemas that other teams read, made from the structs.

One file for each public topic whose value is a document of ours. Unknown further fields are
allowed: readers ignore what they do not know, so that a field may be added.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.topics import TOPICS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
TELLING: Final = frozenset({"$schema", "$id", "$defs", "title", "description", "default"})
"""Words that say nothing of a value."""


def schema_of(topic: str, document: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one topic's value; its `$id` is what `ce_dataschema` says."""
    _, parts = msgspec.json.schema_components([document], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        parts[name] = _tidy(part)
    root = parts.pop(document.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:headroom:schema:{topic}"}
    definitions = {"$defs": dict(sorted(parts.items()))} if parts else {}
    return {**head, **root, **definitions}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its file's name."""
    return {
        f"{topic.name}.schema.json": schema_of(topic.name, topic.value)
        for topic in TOPICS.values()
        if topic.public and topic.value is not None
    }


def wide(part: dict[str, Any]) -> dict[str, Any]:
    """The same part: an integer that is not said to be of 32 bits tells that it needs 64.

    Generators that are told nothing take 32, which an epoch does not fit. jsonschema2pojo looks
    at the bounds; the format is OpenAPI's own word for it.
    """
    if part.get("type") != "integer" or part.get("format") == "int32":
        return part
    bounds = {"minimum": INT64_MIN, "maximum": INT64_MAX}
    return {**part, **{name: part.get(name, bound) for name, bound in bounds.items()}} | {
        "format": "int64"
    }


def folded(part: dict[str, Any]) -> dict[str, Any]:
    """The same part: of one kind or null it says both in `type`, as generators of Java want it.

    They make an Object of any choice. A reference and a few words stay a choice with null, and so
    does a list: of `["array", "null"]` Modelina makes TypeScript that does not compile.
    """
    if "anyOf" not in part or {"type": "null"} not in part["anyOf"]:
        return part
    own = [one for one in part["anyOf"] if one != {"type": "null"}]
    if len(own) != 1 or own[0].get("type") not in _SCALARS:
        return part
    rest = {name: value for name, value in part.items() if name != "anyOf"}
    return {**own[0], **rest, "type": [own[0]["type"], "null"]}


def unfolded(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same part: of one kind or null it is told as the choice that it is."""
    kinds = part.get("type")
    if not isinstance(kinds, list) or len(kinds) != 2 or kinds[1] != "null":  # noqa: PLR2004
        return part
    rest = {name: value for name, value in part.items() if name == "default"}
    own = {name: value for name, value in part.items() if name not in rest}
    return {**rest, "anyOf": [{**own, "type": kinds[0]}, {"type": "null"}]}


def _tidy(part: dict[str, Any]) -> dict[str, Any]:
    """The same part, its docstring without the source's indentation, integers told whole."""
    tidy = {
        name: _tidy(value) if isinstance(value, dict) else value for name, value in part.items()
    }
    if isinstance(part.get("default"), tuple):
        tidy["default"] = list(part["default"])  # as JSON has it
    if isinstance(part.get("description"), str):
        tidy["description"] = inspect.cleandoc(part["description"])
    if isinstance(part.get("pattern"), str):
        tidy["pattern"] = tidy.pop("pattern")
    for parts in (value for value in tidy.values() if isinstance(value, list)):
        parts[:] = [_tidy(value) if isinstance(value, dict) else value for value in parts]
    return folded(wide(tidy))
