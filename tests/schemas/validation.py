"""The committed JSON Schemas, as another team's validator would use them."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from schemas.export import DIRECTORY


@cache
def validator(topic: str) -> Draft202012Validator:
    """The validator of a topic's committed schema."""
    schema = json.loads((DIRECTORY / f"{topic}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def assert_valid(topic: str, document: bytes | dict[str, Any]) -> None:
    """Fail with the first error, unless the document is one of the topic's."""
    value = json.loads(document) if isinstance(document, bytes) else document
    validator(topic).validate(value)
