"""The public topics as an AsyncAPI 3.0 document with Kafka's bindings.

Source: AsyncAPI 3.0.0, and its Kafka bindings 0.5.0.
"""

from typing import Any, Final

from schemas.export.examples import Example, examples
from schemas.headers import (
    GENERATION,
    INCARNATION,
    PART,
    PARTS,
    REDACTED,
    RETRY_OF,
    VALUE_SCHEMA_ID,
    VERSION,
)
from schemas.topics import BALANCES, DEAD_LETTERS, PARTITIONS_DEFAULT, TOPICS, Topic
from schemas.traces import TRACEPARENT

CONTRACT_VERSION: Final = "3"
_BINDING: Final = "0.5.0"
# The specification's list ends at draft-07, and @asyncapi/parser before 3.6 refuses any other. Our
# schemas mean the same by it: `make check` looks.
_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-07"
# Names and what they say, in the order in which they are written.
_RAW_HEADERS: Final = {
    "venue": "Whose frame it is.",
    "feed": "The venue's feed that it came on.",
    "epoch": "One unbroken run of a connection: a decimal number that only grows.",
    "receipt": "1, 2, 3 … within the epoch.",
    "received_time": "When it came, RFC 3339 in UTC.",
    RETRY_OF: "Only on one that was sent again: `TOPIC/PARTITION/OFFSET` of the first, whose epoch "
    "and receipt it has.",
    REDACTED: "Only on one that held a secret of ours, which `Secret(hidden)` stands for: in how "
    "many places, or `all` for the whole frame.",
    TRACEPARENT: "Only on one that was chosen to be traced: W3C Trace Context, version 00.",
}
_EVENT_HEADERS: Final = {
    "ce_specversion": "CloudEvents' version.",
    "ce_id": "What tells a repetition: the same id is the same record.",
    "ce_source": "Who says it.",
    "ce_type": "`headroom.` and the topic.",
    "ce_time": "The `received_time` of the frame that led to the record, RFC 3339 in UTC.",
    "ce_subject": "The key.",
    "ce_dataschema": "The `$id` of the value's JSON Schema.",
    "content-type": "`application/json`",
    VALUE_SCHEMA_ID: "Only where a schema registry is used: the id of the value's schema, as "
    "Confluent's clients write it (not a text).",
}
_DEAD_LETTER_HEADERS: Final = {
    "__connect.errors.topic": "Where the raw record lies: its topic,",
    "__connect.errors.partition": "its partition,",
    "__connect.errors.offset": "its offset: these three, and the part where there is one, are the "
    "dead letter's identity.",
    "__connect.errors.stage": "What could not be done.",
    "__connect.errors.class.name": "The code that could not.",
    "__connect.errors.exception.class.name": "The kind of error.",
    "__connect.errors.exception.message": "Where in the frame; never what stands there.",
    "headroom.reason": "Why: one of the contract's reasons.",
    VERSION: "The version of the code that could not.",
    PART: "Only where the raw record tells of several accounts: which of them it is, from 0.",
    INCARNATION: "Only where the raw topic is not the first of its name, or lost its end: which "
    "incarnation it is, from 2. It belongs to the identity.",
}
_PARTS: Final = {
    PARTS: "Only where the raw record tells of several accounts: how many outcomes it has in all, "
    "snapshots and dead letters.",
}
_TRACED: Final = {
    TRACEPARENT: "Only where workers tell traces and the raw record has it: the same, as it came.",
}
_CORRECTION: Final = {
    GENERATION: "Only where it stands for one that was told before with the same identity: the "
    "generation of tables that made it.",
}
_NOT_OURS: Final = {"description": "The venue's own text, byte for byte. It may be anything."}


def asyncapi() -> dict[str, Any]:
    """The document; schemas are named by their files, which lie beside it."""
    public = [topic for topic in TOPICS.values() if topic.public]
    shown = examples()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:headroom",
        "info": {
            "title": "Headroom",
            "version": f"{CONTRACT_VERSION}.0.0",
            "description": "Live balances, exposure and headroom under limits, per user, across "
            "venues: the topics that other teams may rely on. The words are explained in "
            "docs/contract.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in public},
        "operations": {f"send-{topic.name}": _operation(topic) for topic in public},
        "components": {
            "messages": {
                name: message
                for topic in public
                for name, message in _messages(topic, shown.get(topic.name)).items()
            }
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    settings = topic.settings(replication_factor=1)
    # How many replicas there are is for whoever runs it, and this follows from that.
    del settings["min.insync.replicas"]
    policy = settings.pop("cleanup.policy")
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic, None)
        },
        "bindings": {
            "kafka": {
                "partitions": PARTITIONS_DEFAULT,
                "topicConfiguration": {
                    "cleanup.policy": [policy],
                    **{name: _typed(value) for name, value in settings.items()},
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _typed(setting: str) -> int | bool | str:
    """A setting's text as what it means."""
    if setting in ("true", "false"):
        return setting == "true"
    return int(setting) if setting.lstrip("-").isdigit() else setting


def _operation(topic: Topic) -> dict[str, Any]:
    """Headroom writes all of them; readers have a group of their own."""
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}


def _messages(topic: Topic, example: Example | None) -> dict[str, dict[str, Any]]:
    """The kinds of records in a topic, by their names."""
    if topic.value is None:
        name = "DeadLetter" if topic.name == DEAD_LETTERS else f"{topic.name}.Frame"
        of_letters = _DEAD_LETTER_HEADERS | _PARTS | _CORRECTION
        said = _RAW_HEADERS | (of_letters if topic.name == DEAD_LETTERS else {})
        kind = "application/octet-stream"
        return {name: _message(topic, said, kind, _NOT_OURS, example)}
    name = topic.value.__name__
    schema = {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": f"{topic.name}.schema.json"}}
    of_frames = _PARTS | _CORRECTION | _TRACED
    said = _EVENT_HEADERS | (of_frames if topic.name == BALANCES else {})
    found = {name: _message(topic, said, "application/json", schema, example)}
    if topic.tombstones:
        gone = _message(topic, _EVENT_HEADERS, "application/json", {"type": "null"}, None)
        gone["summary"] = topic.gone
        found[f"{name}.Gone"] = gone
    return found


def _message(
    topic: Topic,
    headers: dict[str, str],
    content_type: str,
    payload: dict[str, Any],
    example: Example | None,
) -> dict[str, Any]:
    key = {"type": "string", "description": f"The {topic.key}, in UTF-8."}
    message: dict[str, Any] = {
        "contentType": content_type,
        "headers": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": text} for name, text in headers.items()
            },
        },
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
    }
    if example is not None:
        is_ours = topic.value is not None
        value = example.document if is_ours else example.value
        message["examples"] = [{"headers": example.headers, "payload": value}]
    return message
