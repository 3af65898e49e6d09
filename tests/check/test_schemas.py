"""The contract as files agrees with the structs, with the contract, and with every release."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import validate

from processors.http import openapi
from processors.http.described import described
from schemas import topics
from schemas.export import DIALECT, DIRECTORY, RELEASED, ROOT, files, schemas, write
from schemas.export.compatibility import incompatible
from schemas.export.examples import examples
from tests.data import DIRECTORY as DATA
from tests.data import contract_snapshot
from tests.schemas.validation import assert_valid

DOCUMENT_TOPICS = [
    "alerts.v1",
    "balances.latest.v1",
    "balances.v1",
    "exposure.asset.v1",
    "exposure.base.v1",
    "exposure.user.v1",
    "feeds.v1",
    "unconfirmed.v1",
]


def read(directory: Any) -> dict[str, dict[str, Any]]:
    return {
        path.name: json.loads(path.read_text("utf-8")) for path in directory.glob("*.schema.json")
    }


def test_a_choice_is_one_only_where_no_type_can_say_it() -> None:
    """Generators of Java make an Object of a choice."""

    def look(part: Any) -> None:
        for below in part.values() if isinstance(part, dict) else part:
            if isinstance(below, dict | list):
                look(below)
        if isinstance(part, dict) and "anyOf" in part:
            kinds = {one.get("type") for one in part["anyOf"]}
            assert kinds <= {None, "null", "array"}, part

    for schema in schemas().values():
        look(schema)


def test_the_committed_files_are_those_of_the_structs() -> None:
    """If not: `python -m schemas.export`, and a new topic if a reader could notice."""
    for path, text in files().items():
        assert (ROOT / path).read_text("utf-8") == text, f"{path}: python -m schemas.export"


def test_every_public_document_has_a_schema_and_nothing_else_has() -> None:
    assert sorted(read(DIRECTORY)) == [f"{topic}.schema.json" for topic in DOCUMENT_TOPICS]
    assert set(DOCUMENT_TOPICS) == {
        topic.name for topic in topics.TOPICS.values() if topic.public and topic.value
    }


@pytest.mark.parametrize("version", sorted(path.name for path in RELEASED.iterdir()))
def test_nobody_who_relies_on_a_release_is_left_behind(version: str) -> None:
    """Each can read what the other wrote: an incompatible change is another topic (`.v2`)."""
    released = read(RELEASED / version)
    assert released
    assert incompatible(released, read(DIRECTORY)) == []


@pytest.mark.parametrize("topic", DOCUMENT_TOPICS)
def test_a_schema_says_what_it_is_of(topic: str) -> None:
    schema = read(DIRECTORY)[f"{topic}.schema.json"]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == f"urn:headroom:schema:{topic}"
    value = topics.TOPICS[topic].value
    assert value is not None
    assert schema["title"] == value.__name__
    assert topic in schema["description"]
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["title"]
        assert part["description"]
        assert set(part["required"]) <= set(part["properties"])
        assert "additionalProperties" not in part


def integers(part: Any) -> list[dict[str, Any]]:
    """Every integer inside a schema."""
    if not isinstance(part, dict | list):
        return []
    found = [part] if isinstance(part, dict) and part.get("type") == "integer" else []
    inside = part.values() if isinstance(part, dict) else part
    return [*found, *(one for below in inside for one in integers(below))]


@pytest.mark.parametrize("topic", DOCUMENT_TOPICS)
def test_generators_are_told_that_every_integer_needs_64_bits(topic: str) -> None:
    """But a partition: Kafka's has 32, and who had code made has an `int` there."""
    schema = read(DIRECTORY)[f"{topic}.schema.json"]
    told = [one for one in integers(schema) if one["format"] != "int32"]
    assert len(integers(schema)) - len(told) == ("Source" in schema.get("$defs", {}))
    for one in told:
        assert one["format"] == "int64"
        assert one["minimum"] in (-(2**63), 1)
        assert one["maximum"] == 2**63 - 1


@pytest.mark.parametrize("topic", DOCUMENT_TOPICS)
def test_a_schema_means_the_same_by_draft_07_which_asyncapi_knows(topic: str) -> None:
    """No word that one of the two does not have, and nothing beside a reference, where 07 stops."""
    schema = read(DIRECTORY)[f"{topic}.schema.json"]
    Draft7Validator.check_schema(schema)
    assert incompatible({topic: schema}, {topic: schema}) == []  # refuses all that it does not know
    example = examples()[topic].document
    for changed in (example, *({**example, name: 1.5} for name in example)):
        old = Draft7Validator(schema).is_valid(changed)
        assert old is Draft202012Validator(schema).is_valid(changed)


def test_no_schema_says_that_an_amount_may_be_a_number() -> None:
    assert not [
        name for name, schema in read(DIRECTORY).items() if '"number"' in json.dumps(schema)
    ]


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
def test_the_contracts_examples_are_valid(venue: str) -> None:
    assert_valid("balances.v1", contract_snapshot(venue))


def test_the_asyncapi_document_is_one() -> None:
    """By the specification's own schema, its Kafka bindings included."""
    validator = Draft7Validator(json.loads((DATA / "asyncapi-3.0.0.json").read_text("utf-8")))
    described = json.loads((DIRECTORY / "asyncapi.json").read_text("utf-8"))
    assert [error.message for error in validator.iter_errors(described)] == []
    described["channels"]["balances.v1"]["bindings"]["kafka"]["partitions"] = 0
    assert list(validator.iter_errors(described))


def test_every_public_topic_is_described_with_a_key_and_nothing_private_is() -> None:
    described = json.loads((DIRECTORY / "asyncapi.json").read_text("utf-8"))
    public = {topic.name: topic for topic in topics.TOPICS.values() if topic.public}
    assert described["channels"].keys() == public.keys()
    for name, channel in described["channels"].items():
        assert channel["description"]
        settings = channel["bindings"]["kafka"]["topicConfiguration"]
        assert settings["cleanup.policy"] == [public[name].cleanup]
        for reference in channel["messages"].values():
            message = described["components"]["messages"][reference["$ref"].rpartition("/")[2]]
            assert message["bindings"]["kafka"]["key"]
            assert message["headers"]["properties"]
            if "schema" in message["payload"]:
                file = message["payload"]["schema"]["$ref"]
                assert (DIRECTORY / file).exists()


def test_every_example_is_one() -> None:
    shown = examples()
    assert shown.keys() >= set(DOCUMENT_TOPICS)
    for topic in DOCUMENT_TOPICS:
        assert_valid(topic, shown[topic].document)


def test_the_page_shows_every_topic_and_every_field() -> None:
    text = (ROOT / "docs/topics.md").read_text("utf-8")
    for topic in topics.TOPICS.values():
        assert (f"## {topic.name}\n" in text) is topic.public
    for schema in schemas().values():
        for name in schema["properties"]:
            assert f"| `{name}" in text


def test_writing_removes_the_schema_of_a_topic_that_is_no_more(tmp_path) -> None:
    (tmp_path / "schemas/json").mkdir(parents=True)
    (tmp_path / "schemas/json/old.v1.schema.json").write_text("{}", "utf-8")
    written = write(tmp_path)
    there = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert there == set(written) == {tmp_path / path for path in files()}


def test_the_questions_are_described_as_they_are() -> None:
    """If not: `python -m processors.http.openapi`."""
    committed = described()
    assert committed.decode() == openapi.text(), "python -m processors.http.openapi"
    validate(json.loads(committed))


def test_every_example_of_an_answer_is_one() -> None:
    whole = openapi.openapi()
    for item in whole["paths"].values():
        asked = item.get("get") or item["post"]
        for answer in asked["responses"]["200"].get("content", {}).values():
            if "example" in answer:
                schema = {**answer["schema"], "components": whole["components"]}
                Draft202012Validator(schema).validate(answer["example"])
