"""That the measurement of generators measures: what it finds, and one generator run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from schemas.export import DIRECTORY
from tests.consumers.generators import tools
from tests.consumers.generators.comparing import compare
from tests.consumers.generators.documents import documents, with_a_new_field
from tests.schemas.validation import assert_valid

TOLD = b'{"epoch":1795933078806830263,"user":"7","exposure":null,"total":"0.10","deleted":false}'


def test_what_comes_back_is_counted_by_what_it_is() -> None:
    found = compare([TOLD], [TOLD.decode()])
    assert (found.integers, found.amounts) == ([1, 1], [1, 1])
    assert (found.nulls, found.others, found.became) == ([1, 1], [2, 2], [])


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("1795933078806830263", "1795933078806830300", "integers"),
        ("1795933078806830263", "1.795933078806830263e18", "integers"),
        ("1795933078806830263", '"1795933078806830263"', "integers"),
        ('"0.10"', '"0.1"', "amounts"),
        ('"0.10"', "0.10", "amounts"),
        ('"user":"7"', '"user":7', "others"),
        ("null", "0", "nulls"),
    ],
)
def test_what_is_not_the_same_is_seen(before: str, after: str, kind: str) -> None:
    text = TOLD.decode()
    found = compare([TOLD], [text.replace(before, after)])
    for each in ("integers", "amounts", "nulls", "others"):
        same, of = getattr(found, each)
        assert (same == of) is (each != kind), each
    assert found.became == (["exposure 0"] if kind == "nulls" else [])
    assert compare([TOLD], ["!why"]).refusals == ["why"]
    with pytest.raises(ValueError, match="0 answers"):
        compare([TOLD], [])


def test_the_documents_are_a_thousand_real_ones() -> None:
    told = documents()
    assert len(told) == 1_000
    assert {topic for topic, _ in told} == {
        path.name.removesuffix(".schema.json") for path in DIRECTORY.glob("*.schema.json")
    }
    text = b"".join(value for _, value in told)
    assert text.count(b'"offset":30000') > 100
    assert text.count(b'"epoch":1795933') > 100
    for topic, value in told[::50]:
        assert_valid(topic, value)


def test_plain_schemas_take_what_the_others_take_without_its_nulls(tmp_path: Path) -> None:
    for path in DIRECTORY.glob("*.schema.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    subprocess.run([sys.executable, tools.PLAIN, tmp_path], check=True)
    for topic, value in documents(300):
        schema = json.loads((tmp_path / f"{topic}.schema.json").read_bytes())
        assert "null" not in json.dumps(schema["properties"])
        Draft7Validator(schema).validate(_without_nulls(json.loads(value)))


def _without_nulls(part: object) -> object:
    if isinstance(part, dict):
        return {name: _without_nulls(one) for name, one in part.items() if one is not None}
    return [_without_nulls(one) for one in part] if isinstance(part, list) else part


@pytest.mark.long
def test_a_python_generator_makes_types_that_read_all_exactly(tmp_path: Path) -> None:
    told = documents()
    newer = with_a_new_field(told)
    bench = tools.Bench(tmp_path / "bench", DIRECTORY, [*told, *newer])
    answers = tools.codegen(bench, "msgspec.Struct")
    found = compare([value for _, value in told], answers.lines[: len(told)])
    assert (found.read, found.refusals) == (1_000, [])
    for same, of in (found.integers, found.amounts, found.nulls, found.others):
        assert same == of > 1_000
    assert not [line for line in answers.lines[len(told) :] if line.startswith("!")]
