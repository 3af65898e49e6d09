"""Topics and a user as objects for Strimzi's operators, and claims and annotations of others."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from headroom.operate.topics.acls import as_strimzi, of_producer, of_worker
from schemas.topics import TOPICS
from tests.chart.tools import CHART, KUBERNETES, TOOLS, objects, render, run

pytestmark = pytest.mark.skipif(
    not (TOOLS / "helm").exists(), reason="no Helm here: `make chart` builds it, with Go"
)

SMALL, LARGE = (CHART / f"ci/{name}-values.yaml" for name in ("small", "large"))
CLUSTER = "kafka.resources.cluster=events,topics.apply=false"
USER = ("--set", f"{CLUSTER},kafka.resources.user=risk")


def of_kind(kind: str, values: Path, *words: object) -> dict[str, dict[str, Any]]:
    return {name: each for (found, name), each in objects(values, *words).items() if found == kind}


@pytest.mark.parametrize("replicas", [1, 2, 3, 5])
def test_strimzi_makes_the_topics_that_apply_makes(replicas: int) -> None:
    given = f"{CLUSTER},kafka.resources.topics=true,settings.replicationFactor={replicas}"
    found = of_kind("KafkaTopic", SMALL, "--set", f"{given},settings.partitions=24")
    assert found.keys() == TOPICS.keys()
    for name, topic in TOPICS.items():
        spec, metadata = found[name]["spec"], found[name]["metadata"]
        assert spec["config"] == topic.settings(replication_factor=replicas)
        assert (spec["partitions"], spec["replicas"]) == (topic.partitions or 24, replicas)
        assert metadata["labels"]["strimzi.io/cluster"] == "events"
        # The operator deletes a topic whose object goes.
        assert metadata["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_strimzis_user_may_do_what_this_release_does(guarantee: str) -> None:
    told = f"settings.guarantee={guarantee},producers.hercle.enabled=false"
    (user,) = of_kind("KafkaUser", LARGE, *USER, "--set", told).values()
    assert user["metadata"]["name"] == "risk"
    assert user["metadata"]["labels"]["strimzi.io/cluster"] == "events"
    transactions = guarantee == "exactly_once"
    rights = (of_worker(transactions=transactions), of_producer("sfox", lease="prod-headroom"))
    acls = []
    for each in rights:
        expected = yaml.safe_load(as_strimzi("risk", each))
        acls += expected["spec"]["authorization"]["acls"]
        assert user["apiVersion"] == expected["apiVersion"]
    assert user["spec"]["authorization"] == {"type": "simple", "acls": acls}
    assert user["spec"]["authentication"] == {"type": "scram-sha-512"}


def test_more_rights_may_be_given_and_a_certificate_is_another_way_to_be_known() -> None:
    more = (
        *("--set", "kafka.resources.acls[0].resource.type=group"),
        *("--set", "kafka.resources.acls[0].resource.name=own"),
        *("--set", "kafka.resources.acls[0].operations={Read}"),
        *("--set", "kafka.resources.namespace=kafka,kafka.securityProtocol=SSL"),
    )
    (user,) = of_kind("KafkaUser", LARGE, *USER, *more).values()
    assert user["spec"]["authentication"] == {"type": "tls"}
    assert user["metadata"]["namespace"] == "kafka"
    last = user["spec"]["authorization"]["acls"][-1]
    assert last == {"resource": {"type": "group", "name": "own"}, "operations": ["Read"]}


def test_nothing_is_made_for_strimzi_unasked() -> None:
    assert "strimzi" not in render("-f", LARGE).stdout


@pytest.mark.parametrize(
    ("values", "words", "problem"),
    [
        (LARGE, "kafka.resources.topics=true", "kafka.resources.cluster"),
        (LARGE, "kafka.resources.cluster=c,kafka.resources.user=risk", "topics.apply=false"),
        (SMALL, f"{CLUSTER},kafka.resources.user=risk", "PLAINTEXT"),
        (LARGE, f"{USER[1]},kafka.sasl.mechanism=PLAIN", "SCRAM-SHA-512"),
        (LARGE, "worker.storage.existingClaim=mine", "one claim is for one worker"),
        (LARGE, "producers.sfox.existingClaim=mine", "one claim is for one producer"),
    ],
)
def test_what_cannot_be_is_refused(values: Path, words: str, problem: str) -> None:
    done = render("-f", values, "--set", words)
    assert done.returncode != 0
    assert problem in done.stderr


def test_a_claim_of_ones_own_takes_the_place_of_a_new_one() -> None:
    words = "worker.storage.existingClaim=tables,worker.replicas=1,producers.hercle.existingClaim=f"
    found = of_kind("StatefulSet", LARGE, "--set", words)
    for name, volume, claim in (("worker", "data", "tables"), ("produce-hercle", "spool", "f")):
        spec = found[f"prod-headroom-{name}"]["spec"]
        assert "volumeClaimTemplates" not in spec
        (one,) = [v for v in spec["template"]["spec"]["volumes"] if v["name"] == volume]
        assert one["persistentVolumeClaim"] == {"claimName": claim}
    assert "volumeClaimTemplates" in found["prod-headroom-produce-sfox"]["spec"]


def test_annotations_go_where_platforms_look_for_them() -> None:
    places = ("worker.storage.annotations", "spool.annotations", "worker.serviceAnnotations")
    places += ("serviceAccount.annotations", "jobs.podAnnotations")
    found = objects(LARGE, "--set", ",".join(f"{place}.of={place}" for place in places))

    def of(metadata: dict[str, Any]) -> str | None:
        found: str | None = metadata.get("annotations", {}).get("of")
        return found

    for (kind, name), each in found.items():
        own = {
            ("ServiceAccount", "prod-headroom"): "serviceAccount.annotations",
            ("Service", "prod-headroom-worker"): "worker.serviceAnnotations",
        }
        assert of(each["metadata"]) == own.get((kind, name))
        if kind == "StatefulSet":
            (claim,) = each["spec"]["volumeClaimTemplates"]
            storage = "worker.storage" if name.endswith("-worker") else "spool"
            assert of(claim["metadata"]) == f"{storage}.annotations"
        if kind == "Job":
            assert of(each["spec"]["template"]["metadata"]) == "jobs.podAnnotations"


def test_a_venue_whose_rights_the_chart_does_not_know_is_told(tmp_path: Path) -> None:
    chart = tmp_path / "headroom"
    shutil.copytree(CHART, chart)
    known = (chart / "venues/sfox.yaml").read_text("utf-8")
    (chart / "venues/kiosk.yaml").write_text(known, "utf-8")
    words = ("--set", f"{USER[1]},producers.kiosk.key.secret=k", "-f", LARGE)
    done = run("helm", "template", "prod", chart, *words, "--kube-version", KUBERNETES)
    assert done.returncode != 0
    assert "no rights of kiosk" in done.stderr
