"""The rules for Prometheus ask for metrics and labels that workers and producers have."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, generate_latest

from processors.metrics import Metrics
from producers.metrics import ProducerMetrics

RULES = Path(__file__).parents[2] / "helm/headroom/alerts.yaml"
# Told by the engine, of a worker that runs: tests/processors/test_workers.py looks at those.
OF_THE_ENGINE = {
    "headroom_lag_records",
    "headroom_serving",
    "headroom_not_serving_seconds",
    "headroom_missing_offsets_total",
    "headroom_transactions_total",
    "headroom_accounts",
    "headroom_schema_registry_ids_missing",
}


def test_every_rule_asks_for_what_there_is() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.dead_letters.labels("sfox", "amount").inc()
    metrics.normalised.labels("sfox").inc()
    metrics.foreign_records.labels("balances.v1").inc()
    of_producers = CollectorRegistry()
    producers = ProducerMetrics.of(of_producers)
    producers.begin("sfox")
    producers.spool_on_disk.labels("sfox").set(1)
    for gauge in (producers.last_heard_seconds, producers.spool_seconds):
        gauge.labels("sfox").set(1)
    shown = (generate_latest(metrics.registry) + generate_latest(of_producers)).decode()
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    assert group["rules"]
    for rule in group["rules"]:
        assert set(rule) >= {"alert", "expr", "labels", "annotations"}
        names = set(re.findall(r"headroom_\w+", rule["expr"]))
        assert names or rule["expr"].removeprefix("absent(").startswith("up{")
        for name in names - OF_THE_ENGINE:
            assert re.search(rf"^{name}[{{ ]", shown, re.MULTILINE), name
        for label in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert set(label.split(", ")) <= {"release", "venue", "reason", "kind", "topic"}


def test_the_engines_metric_is_the_one_that_it_tells() -> None:
    text = (RULES.parents[2] / "processors/metrics.py").read_text("utf-8")
    for name in OF_THE_ENGINE:
        assert f'"{name.removesuffix("_total")}"' in text
