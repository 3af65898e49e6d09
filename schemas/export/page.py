"""The AsyncAPI document and the schemas as a page for people: docs/topics.md."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from schemas.export.json_schema import unfolded

_DAY_MS: Final = 24 * 60 * 60 * 1000
_HEAD: Final = """# The topics

Made by `python -m schemas.export` from `schemas/`, as are the [JSON Schemas](../schemas/json/) and
the [AsyncAPI document](../schemas/json/asyncapi.json): do not edit. The words are explained, and
what else is promised is told, in [contract.md](contract.md). Readers that work as they stand are in
[consumers/](consumers/).
"""
_HEADERS: Final = {
    "Headers of a frame": "venue",
    "Headers of a dead letter": "headroom.reason",
    "Headers of all others": "ce_id",
}


def page(described: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """The page; `schemas` are by their files' names."""
    return "\n".join([*_lines(described, schemas)]) + "\n"


def _lines(described: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    channels = described["channels"]
    yield _HEAD
    yield "| topic | key | value | kept |"
    yield "|---|---|---|---|"
    for name, channel in channels.items():
        first, *_ = _messages_of(described, channel)
        value = first[0] if "schema" in first[1]["payload"] else "the venue's own bytes"
        link = f"[`{name}`](#{name.replace('.', '')})"
        yield f"| {link} | {_key(first[1])} | {value} | {_kept(channel)} |"
    for name, channel in channels.items():
        yield from ("", f"## {name}", channel["description"])
        for kind, message in _messages_of(described, channel):
            yield from _message(kind, message, schemas.get(f"{name}.schema.json"))
    yield from _headers(described["components"]["messages"].values())


def _messages_of(
    described: Mapping[str, Any], channel: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any]]]:
    messages = described["components"]["messages"]
    return [(name, messages[name]) for name in channel["messages"]]


def _key(message: Mapping[str, Any]) -> str:
    text: str = message["bindings"]["kafka"]["key"]["description"]
    return text.removeprefix("The ").removesuffix(", in UTF-8.")


def _kept(channel: Mapping[str, Any]) -> str:
    settings = channel["bindings"]["kafka"]["topicConfiguration"]
    if settings["cleanup.policy"] == ["compact"]:
        return "the newest of each key"
    return f"{settings['retention.ms'] // _DAY_MS} days"


def _message(
    kind: str, message: Mapping[str, Any], schema: Mapping[str, Any] | None
) -> Iterator[str]:
    if "summary" in message:
        yield from ("", f"**{kind}**, a tombstone (no value). {message['summary']}")
        return
    if schema is not None:
        yield from ("", f"**{kind}**: {schema['description'].splitlines()[0]}", "")
        yield from _fields(schema)
    title = _title(message)
    yield from ("", f"[{title}](#{title.lower().replace(' ', '-')})")
    for example in message.get("examples", []):
        payload = example["payload"]
        shown = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        yield from ("", "```json", *_wrapped(shown), "```")


def _title(message: Mapping[str, Any]) -> str:
    names = message["headers"]["properties"]
    # A dead letter has those of its frame as well.
    return [title for title, name in _HEADERS.items() if name in names][-1]


def _headers(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The headers of each kind of record, once."""
    kinds = {_title(message): message["headers"]["properties"] for message in messages}
    for title in _HEADERS:
        yield from ("", f"## {title}", "| header | |", "|---|---|")
        for name, told in kinds[title].items():
            yield f"| `{name}` | {told['description']} |"


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| field | type | |", "|---|---|---|")
    for path, part in _parts(schema, schema, ""):
        about, *_ = part.get("description", "").splitlines() or [""]
        yield f"| `{path}` | {_type(part)} | {about} |"


def _parts(
    part: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field under a part, depth first."""
    part = _resolved(part, root)
    for name, below in part.get("properties", {}).items():
        yield from _part(below, root, f"{path}{name}")


def _part(
    part: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    of = _resolved(part, root)
    if isinstance(of.get("additionalProperties"), dict):
        inner = _resolved(of["additionalProperties"], root)
        yield f"{path}.*", inner
        yield from _parts(inner, root, f"{path}.*.")
    elif "items" in of:
        inner = _resolved(of["items"], root)
        yield f"{path}[]", inner
        # A document of another topic is told there.
        if "the value of" not in inner.get("description", ""):
            yield from _parts(inner, root, f"{path}[].")
    else:
        yield path, of
        yield from _parts(of, root, f"{path}.")


def _resolved(part: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part without references; of something or null the something, marked."""
    if "$ref" in part:
        return _resolved(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    part = unfolded(part)
    if "anyOf" in part:
        (something,) = [one for one in part["anyOf"] if one != {"type": "null"}]
        return {**_resolved(something, root), "nullable": True}
    return part


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("type", "anything")
    return f"{kind} or null" if part.get("nullable") else kind


def _wrapped(text: str, width: int = 118) -> Iterator[str]:
    """A JSON text on lines that fit a page, broken where a comma and a space are."""
    line = ""
    for piece in text.split(", "):
        if line and len(line) + len(piece) + 2 > width:
            yield line + ","
            line = " " + piece
        else:
            line = f"{line}, {piece}" if line else piece
    yield line
