"""Our schemas as a registry has them: one under `TOPIC-value` for each public document."""

from collections.abc import Mapping

import msgspec

from schemas.export import schemas

_SUFFIX = ".schema.json"


def subject_of(topic: str) -> str:
    """What Confluent's clients look under for the values of a topic."""
    return f"{topic}-value"


def texts() -> Mapping[str, str]:
    """Each schema by its topic; the shortest text is one that no version of ours changes."""
    return {
        name.removesuffix(_SUFFIX): msgspec.json.encode(schema).decode()
        for name, schema in schemas().items()
    }
