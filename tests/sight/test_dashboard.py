"""The dashboard asks for what workers and producers tell, and Prometheus answers all of it.

Without promtool and Prometheus (Debian's package) only the names are looked at.
"""

import asyncio
import json
import math
import re
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from headroom.local.kafka.probe import free_port
from tests.sight.exposition import Exposed
from tests.sight.test_rules import needs_promtool, promtool

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "helm/headroom/dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
PROMETHEUS = shutil.which("prometheus")
# What Prometheus itself adds to a series, or the relabelings of the chart do.
ADDED = {"release", "namespace", "component", "instance"}
OURS = 'release="$release", namespace=~"$namespace"'
_SECONDS_MAX = 30.0


def queries() -> list[tuple[str, str, str]]:
    """Each panel's title, expression and legend."""
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in PANELS
        for target in panel["targets"]
    ]


def filled(expr: str, window: str) -> str:
    """An expression as Grafana would send it."""
    for name, value in (("release", "prod"), ("namespace", ".*"), ("__rate_interval", window)):
        expr = expr.replace(f"${name}", value)
    assert "$" not in expr
    return expr


def told() -> dict[str, set[str]]:
    """The labels of each series that a worker or a producer tells."""
    exposed = Exposed(time_s=time.time())
    exposed.work()
    found: dict[str, set[str]] = {}
    for text in exposed.texts():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_panel_asks_for_metrics_and_labels_that_there_are() -> None:
    known = told()
    for title, expr, legend in queries():
        names = set(re.findall(r"\b(?:headroom|process)_\w+", expr))
        assert names, title
        assert names <= known.keys(), (title, names - known.keys())
        labels = set.intersection(*(known[name] for name in names)) | ADDED
        used = {one for by in re.findall(r" by \(([^)]*)\)", expr) for one in by.split(", ")}
        used |= {
            one for in_ in re.findall(r"{([^}]*)}", expr) for one in re.findall(r"(\w+)=", in_)
        }
        used |= set(re.findall(r"{{(\w+)}}", legend))
        assert used <= labels, (title, used - labels)


def test_no_panel_adds_one_release_to_another() -> None:
    for title, expr, _ in queries():
        selectors = re.findall(r"\b(?:headroom|process)_\w+({[^}]*})?", expr)
        assert all(OURS in one for one in selectors), title


def test_every_metric_is_in_a_panel_or_is_left_out_with_a_reason() -> None:
    asked = " ".join(expr for _, expr, _ in queries())
    left = {
        name
        for name in told()
        if name.startswith("headroom_") and not re.search(rf"\b{name}\b", asked)
    }
    left = {name for name in left if not re.search("_created$|_sum$|_count$", name)}
    assert left == {
        "headroom_producer_connected",  # beside the connections' states
        "headroom_schema_registry_ids",  # beside those that are missing
    }


def test_panels_have_places_of_their_own_and_say_what_they_are() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
    assert all(panel["description"].endswith(".") for panel in PANELS)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows == [
        *("Is the number true?", "Does it flow?", "Does it keep up?", "Producers", "Workers")
    ]


@needs_promtool
def test_both_expositions_are_clean_as_promtool_sees_it() -> None:
    exposed = Exposed(time_s=time.time())
    exposed.work()
    for text in exposed.texts():
        done = promtool("check", "metrics", text=text)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_promtool
def test_promtool_can_read_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": filled(expr, "1m")}
        for number, (_, expr, _) in enumerate(queries())
    ]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8"
    )
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(PROMETHEUS is None, reason="no Prometheus here: Debian's package has it")
async def test_a_real_prometheus_has_an_answer_for_every_panel(tmp_path: Path) -> None:
    exposed = Exposed(time_s=time.time())

    async def show(request: web.Request) -> web.Response:
        exposed.work()
        worker, producer = exposed.texts()
        text = worker if request.path == "/worker" else producer
        return web.Response(text=text, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/{component}", show)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    target = f"127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(_scraping(target)), "utf-8")
    port = free_port()
    assert PROMETHEUS is not None
    server = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        wanted = {filled(expr, "5s"): title for title, expr, _ in queries()}
        deadline = time.monotonic() + _SECONDS_MAX
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            while wanted and time.monotonic() < deadline:
                answers = [(expr, await _values(session, expr)) for expr in wanted]
                for expr, values in answers:
                    # Nought by nought is no answer.
                    if any(not math.isnan(value) for value in values):
                        del wanted[expr]
                await asyncio.sleep(0.1 if wanted else 0)
        assert not wanted
    finally:
        server.terminate()
        await server.wait()
        await runner.cleanup()


def _scraping(target: str) -> dict[str, Any]:
    """A configuration that knows our targets as the chart's PodMonitors do."""
    jobs = [
        {
            "job_name": component,
            "metrics_path": f"/{component}",
            "static_configs": [
                {"targets": [target], "labels": {"release": "prod", "component": component}}
            ],
        }
        for component in ("worker", "producer")
    ]
    every = {"scrape_interval": "200ms", "scrape_timeout": "200ms"}
    return {"global": every, "scrape_configs": jobs}


async def _values(session: aiohttp.ClientSession, expr: str) -> list[float]:
    """What an expression is now; nothing where Prometheus does not answer yet."""
    try:
        async with session.get("/api/v1/query", params={"query": expr}) as response:
            answer = await response.json()
    except aiohttp.ClientError:
        return []
    if response.status == 503:
        return []
    assert answer["status"] == "success", answer
    return [float(each["value"][1]) for each in answer["data"]["result"]]
