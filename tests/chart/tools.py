"""Helm, kubeconform and kube-score, and the schemas of Kubernetes that kubeconform reads."""

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm/headroom"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.31.0"
TOOLS = Path(os.environ.get("HEADROOM_CHART_TOOLS", "/nonexistent"))
KINDS = (
    "configmap-v1",
    "deployment-apps-v1",
    "job-batch-v1",
    "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1",
    "service-v1",
    "serviceaccount-v1",
    "statefulset-apps-v1",
)


def run(tool: str, *words: object, text: str = "") -> "subprocess.CompletedProcess[str]":
    """Run one of them."""
    command = [str(TOOLS / tool), *map(str, words)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )


def render(*words: object, release: str = "prod") -> "subprocess.CompletedProcess[str]":
    """What Helm makes of the chart."""
    return run(
        *("helm", "template", release, CHART, "--namespace", "money"),
        *("--kube-version", KUBERNETES, *words),
    )


def objects(
    values: Path, *words: object, release: str = "prod"
) -> dict[tuple[str, str], dict[str, Any]]:
    """The rendered objects by kind and name."""
    done = render("-f", values, *words, release=release)
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each is not None]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def write_schemas(folder: Path) -> str:
    """Strict schemas of the chart's kinds, each in one file; where kubeconform finds them.

    kubernetes-validate brings them with all definitions in a file beside, by a reference that
    kubeconform does not follow.
    """
    package = find_spec("kubernetes_validate")
    assert package is not None
    assert package.origin is not None
    brought = Path(package.origin).parent / f"kubernetes-json-schema/v{KUBERNETES}-local-strict"
    definitions = json.loads((brought / "_definitions.json").read_text("utf-8"))["$defs"]
    for kind in KINDS:
        text = (brought / f"{kind}.json").read_text("utf-8")
        schema = json.loads(text.replace("/api/_definitions.json#", "#"))
        del schema["$id"]
        (folder / f"{kind}.json").write_text(json.dumps({**schema, "$defs": definitions}))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
