"""The rules for Prometheus ask for metrics and labels that workers and producers have."""

import re
from pathlib import Path

import yaml

from tests.sight.exposition import Exposed

RULES = Path(__file__).parents[2] / "helm/headroom/alerts.yaml"


def test_every_rule_asks_for_what_there_is() -> None:
    exposed = Exposed(time_s=1_000_000_000.0)
    exposed.work()
    shown = "".join(exposed.texts())
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    assert group["rules"]
    for rule in group["rules"]:
        assert set(rule) >= {"alert", "expr", "labels", "annotations"}
        names = set(re.findall(r"headroom_\w+", rule["expr"]))
        assert names or rule["expr"].removeprefix("absent(").startswith("up{")
        for name in names:
            assert re.search(rf"^{name}[{{ ]", shown, re.MULTILINE), name
        for label in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert set(label.split(", ")) <= {"release", "venue", "reason", "kind", "topic"}
