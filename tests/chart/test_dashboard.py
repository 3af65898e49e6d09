"""The dashboard, as the chart brings it to Grafana; what is in it: tests/sight."""

import json
from typing import Any

import pytest

from tests.chart.tools import CHART, TOOLS, objects, render

pytestmark = pytest.mark.skipif(
    not (TOOLS / "helm").exists(), reason="no Helm here: `make chart` builds it, with Go"
)

LARGE, SMALL = (CHART / f"ci/{name}-values.yaml" for name in ("large", "small"))
ON = ("--set", "dashboard.enabled=true")


def board_of(config: dict[str, Any]) -> dict[str, Any]:
    (text,) = config["data"].values()
    found: dict[str, Any] = json.loads(text)
    return found


def test_grafana_finds_it_by_its_label_where_that_is_asked_for() -> None:
    assert not [kind for kind, _ in objects(LARGE) if kind == "ConfigMap"]
    config = objects(LARGE, *ON)["ConfigMap", "prod-headroom-dashboard"]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert not config["metadata"].keys() & {"namespace", "annotations"}
    words = "dashboard.namespace=watching,dashboard.labels.team=risk"
    folder = "dashboard.annotations.grafana_folder=Money"
    config = objects(LARGE, *ON, "--set", f"{words},{folder}")[
        "ConfigMap", "prod-headroom-money-dashboard"
    ]
    assert config["metadata"]["namespace"] == "watching"
    assert config["metadata"]["labels"]["team"] == "risk"
    assert config["metadata"]["annotations"] == {"grafana_folder": "Money"}
    for wrong in ("dashboard.namespace=A_B", "dashboard.labels.a[0]=1", "dashboard.folder=x"):
        assert render("-f", SMALL, *ON, "--set", wrong).returncode != 0


def test_it_is_the_releases_own_and_else_as_it_is_in_the_file() -> None:
    given = json.loads((CHART / "dashboard.json").read_text("utf-8"))
    boards = []
    for release in ("prod", "other"):
        name = f"{release}-headroom-dashboard"
        done = objects(SMALL, *ON, release=release)
        boards.append(board_of(done["ConfigMap", name]))
    uids = {board.pop("uid") for board in [*boards, dict(given)]}
    assert len(uids) == 3
    assert all(len(uid) <= 40 for uid in uids)  # Grafana takes no longer one
    for board, release in zip(boards, ("prod", "other"), strict=True):
        assert board.pop("title") == f"Headroom money/{release}"
        shown = {
            one["name"]: one.pop("current")["value"]
            for one in board["templating"]["list"]
            if "current" in one
        }
        assert shown == {"namespace": "money", "release": release}
    for one in given["templating"]["list"]:
        one.pop("current", None)
    del given["uid"], given["title"]
    assert boards == [given, given]
