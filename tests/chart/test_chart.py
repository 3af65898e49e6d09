"""The chart: rendered and checked as a cluster would, and what it promises of its pods."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from headroom.base.settings import load
from headroom.run.doctor import NAMES
from tests.chart.tools import CHART, TOOLS, VALUES, objects, render, run, write_schemas

pytestmark = pytest.mark.skipif(
    not (TOOLS / "helm").exists(), reason="no Helm here: `make chart` builds it, with Go"
)

SMALL, LARGE, TLS = (CHART / f"ci/{name}-values.yaml" for name in ("small", "large", "tls"))
EVERY = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_schemas(tmp_path_factory.mktemp("schemas"))


def pods(values: Path) -> dict[str, dict[str, Any]]:
    """The pods' specifications by the names of what makes them."""
    return {
        name: each["spec"]["template"]["spec"]
        for (kind, name), each in objects(values).items()
        if kind in ("Deployment", "StatefulSet", "Job")
    }


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


@EVERY
def test_helm_finds_nothing_to_mend(values: Path) -> None:
    done = run("helm", "lint", CHART, "--strict", "--kube-version", "1.31.0", "-f", values)
    assert done.returncode == 0, done.stdout


@EVERY
def test_a_cluster_takes_every_object(values: Path, schemas: str) -> None:
    text = render("-f", values).stdout
    check = ("-strict", "-summary", "-output", "json", "-schema-location", schemas, "-")
    done = run("kubeconform", *check, text=text)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["summary"]["valid"] == len(objects(values))
    broken = run("kubeconform", *check, text=text.replace("serviceName:", "serviceNam:"))
    assert broken.returncode == 1


@EVERY
def test_a_pod_may_do_nothing_that_it_need_not(values: Path) -> None:
    for pod in pods(values).values():
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}


@EVERY
def test_secrets_are_named_and_never_held(values: Path) -> None:
    for name, pod in pods(values).items():
        for variable, value in environment(pod).items():
            if re.search("KEY$|PASSWORD|TOKEN$|USERNAME", variable):
                assert set(value) == {"secretKeyRef"}, (name, variable)
    assert not [each for each in objects(values) if each[0] in ("Secret", "ConfigMap")]


@EVERY
def test_the_settings_are_ones_that_headroom_takes(values: Path) -> None:
    known = (CHART.parents[1] / "docs/contract.md").read_text("utf-8")
    for pod in pods(values).values():
        given = environment(pod)
        for variable in given.keys() - {"POD_NAME"}:
            assert (
                f"`{variable.removeprefix('HEADROOM_').removesuffix('_FILE')}`"
                in known.replace("_FILE`", "`") + known
            ), variable
        plain = {name: text for name, text in given.items() if isinstance(text, str)}
        secret = {name: "x" * 40 for name, text in given.items() if not isinstance(text, str)}
        load({**secret, **plain}).check_listening()


def test_a_producer_is_alone_with_its_key() -> None:
    found = objects(LARGE)
    for venue in ("sfox", "hercle"):
        spec = found["StatefulSet", f"prod-headroom-produce-{venue}"]["spec"]
        assert spec["replicas"] == (2 if venue == "sfox" else 1)
        assert spec["podManagementPolicy"] == "Parallel"
        (claim,) = spec["volumeClaimTemplates"]
        (container,) = spec["template"]["spec"]["containers"]
        mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        told = {one["name"]: one.get("value") for one in container["env"]}
        assert mounted[claim["metadata"]["name"]] == told["HEADROOM_SPOOL_DIR"]
        assert told["HEADROOM_PRODUCER_LEASE"] == "prod-headroom"
        assert told["HEADROOM_SPOOL_BYTES_MAX"] == "1073741824"
        assert container["args"] == ["produce", venue]
    given = environment(pods(LARGE)["prod-headroom-produce-hercle"])
    assert given["HEADROOM_HERCLE_POLL_SECONDS"] == "0.5"
    assert [kind for kind, _ in objects(SMALL)].count("Deployment") == 0


def test_a_producers_key_is_a_file_that_is_read_again() -> None:
    """A variable would stay what it is until the next start."""
    pod = pods(LARGE)["prod-headroom-produce-hercle"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    items = [{"key": "hercle", "path": "hercle"}]
    wanted = {"secretName": "venues", "items": items, "defaultMode": 0o440}
    assert volumes["venue"]["secret"] == wanted
    (container,) = pod["containers"]
    # Not by subPath: such a file does not follow its secret.
    mount = {"name": "venue", "mountPath": "/venue", "readOnly": True}
    assert mount in container["volumeMounts"]
    assert environment(pod)["HEADROOM_HERCLE_API_KEY_FILE"] == "/venue/hercle"
    assert "HEADROOM_HERCLE_API_KEY" not in environment(pod)


def test_a_producer_is_probed_on_a_port_of_its_own() -> None:
    for venue, port in (("sfox", 7070), ("hercle", 6067)):
        pod = pods(LARGE)[f"prod-headroom-produce-{venue}"]
        (container,) = pod["containers"]
        assert container["ports"] == [{"name": "probes", "containerPort": port}]
        for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"] == {"path": path, "port": "probes"}
        given = environment(pod)
        assert given["HEADROOM_PROBES_PORT"] == str(port)
        assert ("HEADROOM_CA_FILE" in given) == (venue == "sfox")
    template = objects(LARGE)["StatefulSet", "prod-headroom-produce-sfox"]["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "7070"


def test_workers_have_a_volume_and_a_name_each() -> None:
    found = objects(LARGE)
    worker = found["StatefulSet", "prod-headroom-worker"]["spec"]
    (claim,) = worker["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    peers = found["Service", worker["serviceName"]]["spec"]
    assert (peers["clusterIP"], peers["publishNotReadyAddresses"]) == ("None", True)
    labels = worker["template"]["metadata"]["labels"].items()
    assert peers["selector"].items() <= labels
    assert found["Service", "prod-headroom-worker"]["spec"]["selector"].items() <= labels
    pod = worker["template"]["spec"]
    assert environment(pod)["HEADROOM_HTTP_ADVERTISED_URL"] == (
        "http://$(POD_NAME).prod-headroom-worker-peers.money.svc.cluster.local:6066"
    )
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
    assert ("PodDisruptionBudget", "prod-headroom-worker") in found
    assert ("PodDisruptionBudget", "prod-headroom-worker") not in objects(SMALL)


def test_the_tokens_file_is_not_open_to_all() -> None:
    """Headroom would refuse it."""
    volumes = {each["name"]: each for each in pods(LARGE)["prod-headroom-worker"]["volumes"]}
    assert volumes["tokens"]["secret"] == {"secretName": "headroom-tokens", "defaultMode": 0o440}
    assert environment(pods(LARGE)["prod-headroom-worker"])["HEADROOM_API_TOKENS_FILE"] == (
        "/tokens/who.toml"
    )


def test_the_accounts_file_comes_from_a_secret_where_there_is_one() -> None:
    pod = pods(LARGE)["prod-headroom-worker"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["accounts"]["secret"]["secretName"] == "headroom-accounts"
    assert environment(pod)["HEADROOM_ACCOUNTS_FILE"] == "/accounts/accounts.yaml"
    (container,) = pod["containers"]
    mounted = {"name": "accounts", "mountPath": "/accounts", "readOnly": True}
    assert mounted in container["volumeMounts"]
    small = pods(SMALL)["prod-headroom-worker"]
    assert "HEADROOM_ACCOUNTS_FILE" not in environment(small)
    assert "accounts" not in {each["name"] for each in small["volumes"]}


def test_rules_and_an_issuer_are_told_to_workers_where_there_are_some() -> None:
    pod = pods(LARGE)["prod-headroom-worker"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["rules"]["configMap"]["name"] == "headroom-rules"
    (container,) = pod["containers"]
    assert {"name": "rules", "mountPath": "/rules", "readOnly": True} in container["volumeMounts"]
    given = environment(pod)
    assert given["HEADROOM_ALERTS_FILE"] == "/rules/alerts.toml"
    assert given["HEADROOM_JWT_ISSUER"] == "https://id.example.org/"
    assert given["HEADROOM_JWT_AUDIENCE"] == "headroom"
    assert given["HEADROOM_JWKS_URL"] == "https://id.example.org/jwks"
    small = environment(pods(SMALL)["prod-headroom-worker"])
    assert not [name for name in small if "JWT" in name or "ALERTS" in name]


def test_tls_comes_from_a_secret() -> None:
    for values, files in ((TLS, {"CAFILE"}), (LARGE, {"CAFILE", "CERTFILE", "KEYFILE"})):
        for pod in pods(values).values():
            given = environment(pod)
            found = {name for name in given if name.startswith("HEADROOM_KAFKA_SSL_")}
            assert found == {f"HEADROOM_KAFKA_SSL_{file}" for file in files}
            assert {each["name"] for each in pod["volumes"]} >= {"tls", "tmp"}


def test_topics_are_made_before_anything_else() -> None:
    job = objects(SMALL)["Job", "prod-headroom-topics"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # A hook runs before the release's own account is there.
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    assert ("Job", "prod-headroom-topics") not in objects(TLS)


def test_helm_test_has_the_doctor_look_at_what_workers_and_producers_are_told() -> None:
    found, all_pods = objects(LARGE), pods(LARGE)
    for name, of in (
        ("doctor", "worker"),
        ("doctor-sfox", "produce-sfox"),
        ("doctor-hercle", "produce-hercle"),
    ):
        job, pod = found["Job", f"prod-headroom-{name}"], all_pods[f"prod-headroom-{name}"]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "test"
        assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        # No service leads to it, though it has the release's labels.
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/component"] == "doctor"
        (container,), (theirs,) = pod["containers"], all_pods[f"prod-headroom-{of}"]["containers"]
        assert container["args"][0] == "doctor"
        chosen = container["args"][1:]
        assert set(chosen[chosen.index("10") + 1 :: 2]) <= {"--only", "--skip"}
        assert set(chosen[chosen.index("10") + 2 :: 2]) <= {*NAMES}
        told, needed = environment(pod), environment(all_pods[f"prod-headroom-{of}"])
        own = {"HTTP_HOST", "HTTP_PORT", "PROBES_HOST", "PROBES_PORT", "SPOOL_DIR"}
        own |= {"PRODUCER_LEASE", "SPOOL_BYTES_MAX", "HTTP_ADVERTISED_URL"}
        left = {name for name in needed.keys() - told.keys() if name != "POD_NAME"}
        assert left <= {f"HEADROOM_{name}" for name in own}
        assert told.items() <= needed.items()
        # All of their files, and none of their volumes.
        mounts = {(one["name"], one["mountPath"]) for one in container["volumeMounts"]}
        all_theirs = {(one["name"], one["mountPath"]) for one in theirs["volumeMounts"]}
        assert all_theirs - mounts <= {("data", "/data"), ("spool", "/spool")}
        assert {one["name"] for one in pod["volumes"]} == {name for name, _ in mounts}
    assert ("Job", "prod-headroom-doctor-sfox") not in objects(SMALL)


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("worker.replica=2", "replica"),
        ("surprise=1", "surprise"),
        ("producers.binance.key.secret=x", "producers.binance: this chart knows no venue"),
        ("producers.sfox.enabled=true", "producers.sfox.key.secret"),
        ("producers.sfox.settings.API_KEY=x", "producers.sfox.settings.API_KEY"),
        ("producers.sfox.clientId=x", "clientId"),
        ("producers.sfox.url=ws://x", "/producers/sfox/url"),
        ("settings.guarantee=at_most_once", "/settings/guarantee"),
        ("settings.partitions=0", "/settings/partitions"),
        ("settings.logLevel=loud", "/settings/logLevel"),
        ("kafka.bootstrap=kafka", "/kafka/bootstrap"),
        ("kafka.securityProtocol=SASL_SSL", "/kafka/sasl/secret/name"),
        ("kafka.tls.secret.certKey=x", "/kafka/tls/secret"),
        ("worker.tokens.secret=", "/worker/tokens/secret"),
        ("worker.credential.secret=", "/worker/credential/secret"),
        ("worker.replicas=many", "/worker/replicas"),
    ],
)
def test_values_that_the_chart_does_not_know_are_refused(setting: str, word: str) -> None:
    done = render("-f", SMALL, "--set", setting)
    assert done.returncode == 1
    assert word in done.stderr


def test_a_venue_is_a_file_of_its_own(tmp_path: Path) -> None:
    """The one of docs/adding-a-venue.md."""
    guide = (CHART.parents[1] / "docs/adding-a-venue.md").read_text("utf-8")
    ((path, text),) = re.findall(
        r"^```yaml file=helm/headroom/(.*?)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL
    )
    chart = tmp_path / "headroom"
    shutil.copytree(CHART, chart)
    (chart / path).write_text(text, "utf-8")
    kiosk = "producers.kiosk.key.secret=k,producers.kiosk.url=wss://kiosk.example/"
    given = ("-f", SMALL, "--kube-version", "1.31.0", "--set", kiosk)
    for place, status in ((chart, 0), (CHART, 1)):
        done = run(
            "helm", "template", "prod", place, "-f", SMALL, *given, "--kube-version", "1.31.0"
        )
        assert done.returncode == status, done.stderr
        assert ("args: [produce, kiosk]" in done.stdout) is (status == 0)


def test_a_schema_registry_is_told_with_its_secret() -> None:
    given = environment(pods(LARGE)["prod-headroom-worker"])
    assert given["HEADROOM_SCHEMA_REGISTRY_URL"] == "https://registry:8081"
    assert given["HEADROOM_SCHEMA_REGISTRY_MODE"] == "lookup"
    assert given["HEADROOM_SCHEMA_REGISTRY_PASSWORD"] == {
        "secretKeyRef": {"name": "registry-user", "key": "password"}
    }
    assert "HEADROOM_SCHEMA_REGISTRY_URL" not in environment(pods(SMALL)["prod-headroom-worker"])


def test_alarms_are_installed_where_that_is_asked_for() -> None:
    """An object of the Prometheus operator, whose schema no cluster has by itself."""
    assert "PrometheusRule" not in render("-f", SMALL).stdout
    given = ("--set", "alerts.enabled=true,alerts.labels.release=prometheus")
    found = render("-f", SMALL, *given)
    assert found.returncode == 0, found.stderr
    (rules,) = [
        each for each in yaml.safe_load_all(found.stdout) if each["kind"] == "PrometheusRule"
    ]
    assert rules["metadata"]["labels"]["release"] == "prometheus"
    (given,) = yaml.safe_load((CHART / "alerts.yaml").read_text("utf-8"))["groups"]
    (group,) = rules["spec"]["groups"]
    own = 'release="prod", namespace="money"'
    expected = [
        {**rule, "expr": rule["expr"].replace('release="headroom"', own)}
        for rule in given["rules"]
        if "venue" not in rule["labels"]
    ]
    # This release has no producer that could be missed.
    assert group == {"name": "headroom", "rules": expected}


def test_a_producer_is_missed_for_each_venue_that_a_release_has() -> None:
    switched = ("--set", "alerts.enabled=true,producers.hercle.enabled=false")
    for words, venues in (((), {"sfox", "hercle"}), (switched, {"sfox"})):
        found = objects(LARGE, "--set", "alerts.enabled=true", *words)
        (group,) = found["PrometheusRule", "prod-headroom"]["spec"]["groups"]
        missed = {
            rule["labels"]["venue"]: rule["expr"]
            for rule in group["rules"]
            if rule["alert"] == "HeadroomProducerGone"
        }
        assert missed.keys() == venues
        assert all(f'venue="{venue}"' in expr for venue, expr in missed.items())


def test_all_pods_are_scraped_as_the_rules_know_them() -> None:
    assert "PodMonitor" not in render("-f", LARGE).stdout
    words = ("--set", "monitors.enabled=true,monitors.interval=30s,monitors.labels.release=kps")
    found = objects(LARGE, *words)
    monitors = {name: each["spec"] for (kind, name), each in found.items() if kind == "PodMonitor"}
    pods_of = {
        name: each["spec"]["template"]
        for (kind, name), each in found.items()
        if kind == "StatefulSet"
    }
    assert monitors.keys() == pods_of.keys()
    for name, monitor in monitors.items():
        labels = pods_of[name]["metadata"]["labels"]
        assert monitor["selector"]["matchLabels"].items() <= labels.items()
        (endpoint,) = monitor["podMetricsEndpoints"]
        (container,) = pods_of[name]["spec"]["containers"]
        assert endpoint["port"] in [port["name"] for port in container["ports"]]
        assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "30s")
        added = {one["targetLabel"]: one["replacement"] for one in endpoint["relabelings"]}
        component = "worker" if name.endswith("-worker") else "producer"
        assert added == {"release": "prod", "component": component}
        assert found["PodMonitor", name]["metadata"]["labels"]["release"] == "kps"
    refused = render("-f", LARGE, "--set", "monitors.interval=soon")
    assert refused.returncode != 0


def test_the_notes_say_how_to_ask_a_worker(tmp_path: Path) -> None:
    """Helm shows notes only to who has a cluster: here they are rendered as a comment."""
    chart = tmp_path / "headroom"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates/NOTES.txt").read_text("utf-8")
    commented = "".join(f"# {row}\n" for row in notes.splitlines())
    (chart / "templates/notes.yaml").write_text(f"{commented}kind: Notes\n", "utf-8")
    shown = run("helm", "template", "prod", chart, "-f", SMALL, "--kube-version", "1.31.0")
    assert shown.returncode == 0, shown.stderr
    for words in (
        "port-forward service/prod-headroom-worker 6066",
        "headroom watch --url http://127.0.0.1:6066",
        "create secret generic headroom-tokens --from-file=tokens.toml=tokens.toml",
        "without encryption",
    ):
        assert words in shown.stdout, shown.stdout
