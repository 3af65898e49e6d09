"""The JSON Schemas that other teams read agree with the structs and with the contract."""

import json

import pytest
from jsonschema import Draft202012Validator

from schemas import topics
from schemas.export import DIALECT, DIRECTORY, schemas, text_of, write
from tests.data import contract_snapshot
from tests.schemas.validation import assert_valid

DOCUMENT_TOPICS = [
    "alerts.v1",
    "balances.latest.v1",
    "balances.v1",
    "exposure.asset.v1",
    "exposure.base.v1",
    "exposure.user.v1",
]


def files() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in DIRECTORY.glob("*.schema.json")}


def test_the_committed_schemas_are_those_of_the_structs() -> None:
    """If not: `python -m schemas.export`, and a new version if a reader could notice."""
    assert files() == {name: text_of(schema) for name, schema in schemas().items()}


def test_every_public_document_has_a_schema_and_nothing_else_has() -> None:
    assert sorted(files()) == [f"{topic}.schema.json" for topic in DOCUMENT_TOPICS]
    assert set(DOCUMENT_TOPICS) == {
        topic.name for topic in topics.TOPICS.values() if topic.public and topic.value
    }


@pytest.mark.parametrize("topic", DOCUMENT_TOPICS)
def test_a_schema_says_what_it_is_of(topic: str) -> None:
    schema = json.loads(files()[f"{topic}.schema.json"])
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
        assert set(part["required"]) == set(part["properties"])
        assert "additionalProperties" not in part


def test_no_schema_says_that_an_amount_may_be_a_number() -> None:
    assert not [name for name, text in files().items() if '"number"' in text]


@pytest.mark.parametrize("venue", ["sfox", "hercle"])
def test_the_contracts_examples_are_valid(venue: str) -> None:
    assert_valid("balances.v1", contract_snapshot(venue))


def test_writing_removes_the_schema_of_a_topic_that_is_no_more(tmp_path) -> None:
    (tmp_path / "old.v1.schema.json").write_text("{}", "utf-8")
    (tmp_path / "asyncapi.yaml").write_text("x", "utf-8")
    written = write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["asyncapi.yaml", *(path.name for path in written)]
    )
    assert {path.name: path.read_text("utf-8") for path in written} == files()
