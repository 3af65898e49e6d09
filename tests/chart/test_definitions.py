"""Objects of other people's operators, as kubeconform judges them by the operators' definitions."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.definitions import KINDS
from tests.chart.test_judged import ALL_ON
from tests.chart.tools import TOOLS, VALUES, render, run, write_schemas

MODELS = Path(os.environ.get("HEADROOM_CHART_MODELS", "/nonexistent"))
pytestmark = pytest.mark.skipif(
    not (MODELS.exists() and (TOOLS / "kubeconform").exists()),
    reason="no kubeconform or no models of operators' definitions here: `make chart` gets them",
)
OF_OPERATORS = {kind for kinds in KINDS.values() for kind in kinds}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("schemas")
    program = Path(__file__).with_name("definitions.py")
    done = subprocess.run(
        [MODELS, program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for name, schema in json.loads(done.stdout).items():
        (folder / name).write_text(json.dumps(schema), "utf-8")
    return write_schemas(folder)


def judged(text: str, schemas: str) -> "subprocess.CompletedProcess[str]":
    check = ("-strict", "-summary", "-output", "json", "-schema-location", schemas, "-")
    return run("kubeconform", *check, text=text)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_a_cluster_with_operators_takes_every_object(values: Path, schemas: str) -> None:
    text = render("-f", values, "--set", ALL_ON).stdout
    rendered = [each for each in yaml.safe_load_all(text) if each is not None]
    done = judged(text, schemas)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["summary"]["valid"] == len(rendered)
    some = {each["kind"]: each for each in rendered if each["kind"] in OF_OPERATORS}
    # Only who speaks to Kafka in secret has one of KEDA's.
    assert OF_OPERATORS - some.keys() <= {"TriggerAuthentication"}
    broken = [
        {**each, "spec": spec}
        for each in some.values()
        for spec in ({**each["spec"], "surprise": 1}, None, _with_a_name_wrong(each["spec"]))
    ]
    done = judged(yaml.safe_dump_all(broken), schemas)
    assert json.loads(done.stdout)["summary"]["invalid"] == len(broken), done.stdout


def _with_a_name_wrong(spec: dict[str, Any]) -> dict[str, Any]:
    """Deep inside: of the first object in the first list."""
    for name, value in spec.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            return {**spec, name: [{**value[0], "surprise": 1}]}
    return {**spec, "surprise": {}}
