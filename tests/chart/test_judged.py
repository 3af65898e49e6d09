"""The chart as kube-score judges it: each complaint is mended, or left with a reason in `LEFT`."""

import json
from pathlib import Path

import pytest

from tests.chart.tools import CHART, KUBERNETES, TOOLS, VALUES, objects, render, run

pytestmark = pytest.mark.skipif(
    not (TOOLS / "kube-score").exists(), reason="no kube-score here: `make chart` builds it"
)

LEFT = {
    (
        "container-resources",
        "CPU limit is not set",
    ): "a worker that is throttled holds its partitions and answers late; requests share the CPUs "
    "out, and memory and disks have limits. `resources.limits.cpu` may be given",
    (
        "container-image-pull-policy",
        "ImagePullPolicy is not set to Always",
    ): "the tag is a version, or a digest is given; a start need not wait for a registry. "
    "`image.pullPolicy` may be given",
    (
        "pod-networkpolicy",
        "The pod does not have a matching egress NetworkPolicy",
    ): "Kafka, venues, a registry and an issuer are known by name, and a policy knows addresses",
    (
        "statefulset-has-host-podantiaffinity",
        "StatefulSet does not have a host podAntiAffinity set",
    ): "a spread over hosts says it (topologySpreadConstraints); kube-score looks for the other",
}
ALL_ON = ",".join(
    f"{what}.enabled=true"
    for what in ("networkPolicy", "alerts", "monitors", "autoscaling", "dashboard")
)
BESIDE = ("container-ports-check", "container-seccomp-profile")
"""Looked at though kube-score has them off."""


def complaints(text: str) -> set[tuple[str, str]]:
    """What kube-score says against rendered objects: its checks' ids and summaries."""
    beside = [word for each in BESIDE for word in ("--enable-optional-test", each)]
    version = f"v{KUBERNETES.rpartition('.')[0]}"
    given = ("--kubernetes-version", version, "--output-format", "json", *beside, "-")
    done = run("kube-score", "score", *given, text=text)
    judged = json.loads(done.stdout)
    assert judged
    return {
        (each["check"]["id"], comment["summary"])
        for one in judged
        for each in one["checks"]
        # The best grade is 10.
        if not each["skipped"] and each["grade"] < 10
        for comment in each["comments"]
    }


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_kube_score_has_nothing_to_say_that_is_not_answered(values: Path) -> None:
    assert complaints(render("-f", values, "--set", ALL_ON).stdout) <= LEFT.keys()


def test_nothing_is_left_that_kube_score_does_not_say() -> None:
    found = (complaints(render("-f", values, "--set", ALL_ON).stdout) for values in VALUES)
    assert set().union(*found) == LEFT.keys()


def test_producers_pods_have_a_service_that_names_them_and_of_two_one_stays() -> None:
    found = objects(CHART / "ci/large-values.yaml")
    for venue, port, budget in (("sfox", 7070, True), ("hercle", 6067, False)):
        name = f"prod-headroom-produce-{venue}"
        spec = found["StatefulSet", name]["spec"]
        service = found["Service", spec["serviceName"]]["spec"]
        assert service["clusterIP"] == "None"
        assert service["publishNotReadyAddresses"] is True
        assert service["selector"] == spec["selector"]["matchLabels"]
        assert service["ports"] == [{"name": "probes", "port": port, "targetPort": "probes"}]
        assert (("PodDisruptionBudget", name) in found) is budget
    disruption = found["PodDisruptionBudget", "prod-headroom-produce-sfox"]["spec"]
    assert disruption["maxUnavailable"] == 1
    assert disruption["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_nobody_may_ask_a_job() -> None:
    found = objects(CHART / "ci/large-values.yaml")
    policy = found["NetworkPolicy", "prod-headroom-jobs"]["spec"]
    assert policy["ingress"] == []
    (chosen,) = policy["podSelector"]["matchExpressions"]
    jobs = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for (kind, _), each in found.items()
        if kind == "Job"
    }
    assert jobs == set(chosen["values"])
