"""The chart in clusters with rules of their own: names, users, places, secrets, who scales."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.chart.tools import CHART, KUBERNETES, TOOLS, objects, render, run

pytestmark = pytest.mark.skipif(
    not (TOOLS / "helm").exists(), reason="no Helm here: `make chart` builds it, with Go"
)

SMALL, LARGE = (CHART / f"ci/{name}-values.yaml" for name in ("small", "large"))
_POD_LABEL_LETTERS = 11
"""What Kubernetes adds to a StatefulSet's name for a label of its pods: a hyphen and a digest."""


def sets(values: Path, *words: object) -> dict[str, dict[str, Any]]:
    found = objects(values, *words)
    return {name: each["spec"] for (kind, name), each in found.items() if kind == "StatefulSet"}


def pod_of(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["template"]["spec"]
    return found


def environment(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(spec)["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def names(release: str) -> set[tuple[str, str]]:
    done = run(
        *("helm", "template", release, CHART, "-f", LARGE, "--kube-version", KUBERNETES),
        *("--set", "monitors.enabled=true,alerts.enabled=true,dashboard.enabled=true"),
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^kind: (\w+)\nmetadata:\n  name: (\S+)$", done.stdout, re.MULTILINE)
    return set(found)


@pytest.mark.parametrize("letters", [3, 28, 29, 37, 38, 46, 53])
def test_no_release_has_a_name_that_is_too_long(letters: int) -> None:
    found = names("r" * letters)
    assert len(found) > 10
    for kind, name in found:
        room = 63 - (_POD_LABEL_LETTERS if kind == "StatefulSet" else 0)
        assert len(name) <= room, (kind, name)
        assert not name.endswith("-")


def test_two_long_names_that_begin_alike_are_two() -> None:
    assert not names("r" * 45 + "-one") & names("r" * 45 + "-two")


def test_a_name_may_be_given() -> None:
    found = sets(LARGE, "--set", "fullnameOverride=money")
    assert found.keys() == {"money-worker", "money-produce-sfox", "money-produce-hercle"}
    worker = environment(found["money-worker"])
    assert ".money-worker-peers.money.svc." in worker["HEADROOM_HTTP_ADVERTISED_URL"]
    assert render("-f", LARGE, "--set", "fullnameOverride=Money_").returncode != 0


def test_an_image_may_be_named_by_its_digest() -> None:
    digest = "sha256:" + "0a" * 32
    for spec in sets(LARGE, "--set", f"image.digest={digest}").values():
        (container,) = pod_of(spec)["containers"]
        assert container["image"] == f"registry.example/headroom@{digest}"
    assert render("-f", LARGE, "--set", "image.digest=latest").returncode != 0


def test_the_platform_may_choose_the_user() -> None:
    for spec in sets(LARGE).values():
        assert pod_of(spec)["securityContext"]["runAsUser"] == 10001
    for spec in sets(LARGE, "--set", "security.user=null").values():
        security = pod_of(spec)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert not security.keys() & {"runAsUser", "runAsGroup", "fsGroup"}


def test_pods_are_placed_as_is_said_and_by_themselves_not_all_on_one_node(tmp_path: Path) -> None:
    placed = tmp_path / "placed.yaml"
    said = (
        "priorityClassName: high\n"
        "nodeSelector: {zone: a}\n"
        "tolerations: [{key: money, operator: Exists}]\n"
        "affinity: {nodeAffinity: {}}\n"
        "extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}]\n"
    )
    placed.write_text(
        "worker:\n" + _indented(said, 2) + "producers:\n  sfox:\n" + _indented(said, 4), "utf-8"
    )
    found = sets(LARGE, "-f", placed)
    for name in ("prod-headroom-worker", "prod-headroom-produce-sfox"):
        pod = pod_of(found[name])
        assert pod["priorityClassName"] == "high"
        assert pod["nodeSelector"]["zone"] == "a"
        assert pod["tolerations"] == [{"key": "money", "operator": "Exists"}]
        assert pod["affinity"] == {"nodeAffinity": {}}
        assert environment(found[name])["HTTPS_PROXY"] == "http://proxy:3128"
    for spec in sets(LARGE).values():
        (spread,) = pod_of(spec)["topologySpreadConstraints"]
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
        assert spread["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"]
    zones = "worker.topologySpreadConstraints[0].topologyKey=zone"
    (spread,) = pod_of(sets(SMALL, "--set", zones)["prod-headroom-worker"])[
        "topologySpreadConstraints"
    ]
    assert spread == {"topologyKey": "zone"}


def _indented(text: str, spaces: int) -> str:
    return "".join(f"{' ' * spaces}{row}\n" for row in text.splitlines())


def test_disks_of_nodes_are_bounded() -> None:
    for spec in sets(LARGE).values():
        (container,) = pod_of(spec)["containers"]
        for which in ("requests", "limits"):
            assert "ephemeral-storage" in container["resources"][which]
        tmp = next(one for one in pod_of(spec)["volumes"] if one["name"] == "tmp")
        assert tmp["emptyDir"] == {"sizeLimit": "512Mi"}


def test_strimzis_secrets_are_taken_as_they_are() -> None:
    """A user's secret has no name in it, and the brokers' authority is in one of the cluster."""
    words = (
        *("--set", "kafka.sasl.username=headroom,kafka.tls.client.name=headroom-user"),
        *("--set", "kafka.tls.secret.name=cluster-ca"),
        *("--set", "kafka.tls.secret.certKey=,kafka.tls.secret.keyKey="),
    )
    for spec in sets(LARGE, *words).values():
        given = environment(spec)
        assert given["HEADROOM_KAFKA_SASL_USERNAME"] == "headroom"
        assert given["HEADROOM_KAFKA_SASL_PASSWORD"]["secretKeyRef"]["name"] == "kafka-user"
        assert given["HEADROOM_KAFKA_SSL_CAFILE"] == "/tls/ca.crt"
        assert given["HEADROOM_KAFKA_SSL_CERTFILE"] == "/tls-client/user.crt"
        assert given["HEADROOM_KAFKA_SSL_KEYFILE"] == "/tls-client/user.key"
        (container,) = pod_of(spec)["containers"]
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        secrets = {
            one["name"]: one["secret"]["secretName"]
            for one in pod_of(spec)["volumes"]
            if "secret" in one
        }
        assert secrets[mounts["/tls"]] == "cluster-ca"
        assert secrets[mounts["/tls-client"]] == "headroom-user"


def test_a_cluster_of_ipv6_alone_is_listened_in() -> None:
    for spec in sets(LARGE, "--set", "settings.listen=::").values():
        given = environment(spec)
        names = ("HEADROOM_HTTP_HOST", "HEADROOM_PROBES_HOST")
        assert [given[name] for name in names if name in given] == ["::"]


def test_who_may_ask_is_said_and_workers_may_in_any_case() -> None:
    assert "NetworkPolicy" not in render("-f", SMALL).stdout
    found = objects(LARGE)
    pods = {name: each for (kind, name), each in found.items() if kind == "StatefulSet"}
    policies = {n: each["spec"] for (kind, n), each in found.items() if kind == "NetworkPolicy"}
    del policies["prod-headroom-jobs"]  # whom nobody asks
    assert policies.keys() == pods.keys()
    risk = {"namespaceSelector": {"matchLabels": {"team": "risk"}}}
    for name, policy in policies.items():
        assert policy["podSelector"] == pods[name]["spec"]["selector"]
        (rule,) = policy["ingress"]
        (container,) = pod_of(pods[name]["spec"])["containers"]
        assert rule["ports"] == [{"port": container["ports"][0]["name"]}]
        own = [{"podSelector": policy["podSelector"]}] if name.endswith("worker") else []
        assert rule["from"] == [*own, risk]


def test_somebody_else_scales_where_that_is_said() -> None:
    words = ("--set", "autoscaling.enabled=true,autoscaling.maxReplicas=12")
    found = objects(LARGE, *words)
    assert "replicas" not in found["StatefulSet", "prod-headroom-worker"]["spec"]
    assert ("PodDisruptionBudget", "prod-headroom-worker") in found
    scaled = found["ScaledObject", "prod-headroom-worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == "prod-headroom-worker"
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 12)
    topics = {one["metadata"]["topic"] for one in scaled["triggers"]}
    assert topics == {"raw.sfox.balances.v1", "raw.hercle.balances.v1", "balances.v1"}
    for trigger in scaled["triggers"]:
        told = trigger["metadata"]
        assert told["offsetResetPolicy"] == "earliest"
        assert (told["sasl"], told["tls"]) == ("scram_sha512", "enable")
        assert told["consumerGroup"] == "headroom"
        assert told["lagThreshold"] == "10000"
        assert trigger["authenticationRef"] == {"name": "prod-headroom-worker"}
    access = found["TriggerAuthentication", "prod-headroom-worker"]["spec"]["secretTargetRef"]
    assert {one["parameter"]: (one["name"], one["key"]) for one in access} == {
        "username": ("kafka-user", "username"),
        "password": ("kafka-user", "password"),
        "ca": ("kafka-tls", "ca.crt"),
        "cert": ("kafka-tls", "tls.crt"),
        "key": ("kafka-tls", "tls.key"),
    }
    plain = objects(SMALL, "--set", "autoscaling.enabled=true")
    assert plain["ScaledObject", "prod-headroom-worker"]["spec"]["maxReplicaCount"] == 8
    assert not any(kind == "TriggerAuthentication" for kind, _ in plain)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("autoscaling.maxReplicas=25", "more workers than settings.partitions"),
        ("autoscaling.minReplicas=13,autoscaling.maxReplicas=12", "more than maxReplicas"),
        ("autoscaling.minReplicas=0", "minReplicas"),
    ],
)
def test_nobody_is_scaled_to_what_makes_no_sense(words: str, problem: str) -> None:
    done = render("-f", LARGE, "--set", f"autoscaling.enabled=true,{words}")
    assert done.returncode != 0
    assert problem in done.stderr
