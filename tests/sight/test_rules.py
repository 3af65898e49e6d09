"""The rules for Prometheus fire where they must and nowhere else, as Prometheus itself judges."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from processors.metrics import Metrics
from schemas.rejections import Reason
from schemas.venues import VENUES

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm/headroom/alerts.yaml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool here: Debian's package prometheus has it"
)

OURS = 'release="headroom"'
# A system that is well: each series with its value, every 15 s.
WELL = {
    f'up{{{OURS}, component="worker", instance="w0"}}': "1x400",
    f'up{{{OURS}, component="worker", instance="w1"}}': "1x400",
    f'up{{{OURS}, component="producer", instance="p0"}}': "1x400",
    f'headroom_serving{{{OURS}, instance="w0"}}': "1x400",
    f'headroom_serving{{{OURS}, instance="w1"}}': "1x400",
    f'headroom_not_serving_seconds{{{OURS}, instance="w0"}}': "0x400",
    f'headroom_producer_connected{{{OURS}, venue="sfox"}}': "1x400",
    f'headroom_producer_last_heard_timestamp_seconds{{{OURS}, venue="sfox"}}': "0+15x400",
    f'headroom_producer_keys_refused_total{{{OURS}, venue="sfox"}}': "0x400",
    f'headroom_accounts{{{OURS}, venue="sfox", state="live"}}': "1000x400",
    f'headroom_accounts{{{OURS}, venue="sfox", state="unconfirmed"}}': "900x400",
    f'headroom_accounts{{{OURS}, venue="sfox", state="stale"}}': "10x400",
    f'headroom_dead_letters_total{{{OURS}, venue="sfox", reason="amount"}}': "0x400",
    f'headroom_frames_normalised_total{{{OURS}, venue="sfox"}}': "0+1500x400",
    f'headroom_producer_frames_dropped_total{{{OURS}, venue="sfox", kind="lost"}}': "0x400",
    f'headroom_producer_spool_on_disk{{{OURS}, venue="sfox"}}': "1x400",
    f'headroom_producer_spool_age_seconds{{{OURS}, venue="sfox"}}': "0x400",
    f'headroom_lag_records{{{OURS}, topic="raw", partition="0", instance="w0"}}': "6000x400",
    f'headroom_schema_registry_ids_missing{{{OURS}, instance="w0"}}': "0x400",
    f'headroom_foreign_records_total{{{OURS}, topic="balances.v1"}}': "0x400",
    f'headroom_transactions_total{{{OURS}, outcome="refused"}}': "0+0.1x400",
    # Another release on the same Prometheus, which is not well at all.
    'headroom_lag_records{release="other", topic="raw", partition="0"}': "6000x400",
    'headroom_serving{release="other"}': "0x400",
    'headroom_producer_connected{release="other", venue="sfox"}': "0x400",
}
# What happens, from the beginning on or at some time; None: the series is not there.
CASES: list[tuple[str, dict[str, str | None], str, set[str]]] = [
    ("all is well", {}, "60m", set()),
    (
        "all workers are gone, and so are their targets",
        {name: None for name in WELL if "producer" not in name and OURS in name},
        "5m",
        {"HeadroomWorkersGone"},
    ),
    (
        "all workers go down after a while",
        {
            f'up{{{OURS}, component="worker", instance="w0"}}': "1x40 0x400",
            f'up{{{OURS}, component="worker", instance="w1"}}': "1x40 0x400",
        },
        "20m",
        {"HeadroomWorkersGone", "HeadroomWorkerDown"},
    ),
    (
        "one worker of two is down",
        {f'up{{{OURS}, component="worker", instance="w1"}}': "0x400"},
        "10m",
        {"HeadroomWorkerDown"},
    ),
    (
        "a worker is never ready",
        {f'headroom_not_serving_seconds{{{OURS}, instance="w0"}}': "0+15x400"},
        "10m",
        {"HeadroomWorkerNotServing"},
    ),
    (
        "workers are there, and none serves",
        {
            f'headroom_serving{{{OURS}, instance="w0"}}': "0x400",
            f'headroom_serving{{{OURS}, instance="w1"}}': "0x400",
        },
        "10m",
        {"HeadroomNobodyServes"},
    ),
    (
        "the producer is gone",
        {name: None for name in WELL if "producer" in name and OURS in name},
        "5m",
        {"HeadroomProducerGone"},
    ),
    (
        "no connection stands",
        {f'headroom_producer_connected{{{OURS}, venue="sfox"}}': "0x400"},
        "10m",
        {"HeadroomVenueNotConnected"},
    ),
    (
        "the venue says nothing any more",
        {
            f'headroom_producer_last_heard_timestamp_seconds{{{OURS}, venue="sfox"}}': (
                "0+15x40 600x400"
            )
        },
        "20m",
        {"HeadroomVenueSilent"},
    ),
    (
        "the key is refused",
        {f'headroom_producer_keys_refused_total{{{OURS}, venue="sfox"}}': "0x40 1x400"},
        "15m",
        {"HeadroomKeyRefused"},
    ),
    (
        "half of the accounts are stale",
        {f'headroom_accounts{{{OURS}, venue="sfox", state="stale"}}': "950x400"},
        "20m",
        {"HeadroomAccountsNotLive"},
    ),
    (
        "a first burst of dead letters",
        {f'headroom_dead_letters_total{{{OURS}, venue="sfox", reason="amount"}}': "0x40 7x400"},
        "12m",
        {"HeadroomFramesCannotBeRead"},
    ),
    (
        "no frame could be read since the start",
        {
            f'headroom_dead_letters_total{{{OURS}, venue="sfox", reason="amount"}}': "0+15x400",
            f'headroom_frames_normalised_total{{{OURS}, venue="sfox"}}': "0x400",
        },
        "15m",
        {"HeadroomFramesCannotBeRead", "HeadroomManyFramesCannotBeRead"},
    ),
    (
        "the spool lets frames go",
        {
            f'headroom_producer_frames_dropped_total{{{OURS}, venue="sfox", kind="lost"}}': (
                "0x40 9x400"
            ),
            f'headroom_producer_spool_age_seconds{{{OURS}, venue="sfox"}}': "0+15x400",
        },
        "15m",
        {"HeadroomSpoolDropsFrames", "HeadroomSpoolWaits"},
    ),
    (
        "the spool is in memory",
        {f'headroom_producer_spool_on_disk{{{OURS}, venue="sfox"}}': "0x400"},
        "5m",
        {"HeadroomSpoolNotOnDisk"},
    ),
    (
        "two partitions of one topic lag",
        {f'headroom_lag_records{{{OURS}, topic="raw", partition="1", instance="w1"}}': "6000x400"},
        "10m",
        {"HeadroomLags"},
    ),
    (
        "offsets hold nothing",
        {f'headroom_missing_offsets_total{{{OURS}, topic="raw", partition="1"}}': "3x400"},
        "5m",
        {"HeadroomRecordsMissing"},
    ),
    (
        "somebody else writes",
        {f'headroom_foreign_records_total{{{OURS}, topic="balances.v1"}}': "0x40 2x400"},
        "12m",
        {"HeadroomForeignRecords"},
    ),
    (
        "the registry tells no ids",
        {f'headroom_schema_registry_ids_missing{{{OURS}, instance="w0"}}': "3x400"},
        "40m",
        {"HeadroomSchemaIdsMissing"},
    ),
    (
        "Kafka refuses",
        {f'headroom_transactions_total{{{OURS}, outcome="refused"}}': "0+5x400"},
        "15m",
        {"HeadroomTransactionsRefused"},
    ),
]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


NAMES = {rule["alert"] for rule in rules()}


@needs_promtool
def test_each_rule_fires_where_it_must_and_nowhere_else(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path / "rules.yaml")
    tests = [
        {
            "name": what,
            "interval": "15s",
            "input_series": [
                {"series": name, "values": values}
                for name, values in {**WELL, **happens}.items()
                if values is not None
            ],
            # Which alerts fire, for whom does not matter: `ALERTS` is Prometheus' own.
            "promql_expr_test": [
                {
                    "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": at,
                    "exp_samples": [
                        {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(fire)
                    ],
                }
            ],
        }
        for what, happens, at, fire in CASES
    ]
    assert set().union(*(fire for *_, fire in CASES)) == NAMES
    told = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(told), "utf-8")
    done = promtool("test", "rules", tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_rare_begins_at_nought() -> None:
    """A series that is born at 7 has never risen: its first burst would fire nothing."""
    metrics = Metrics(CollectorRegistry())
    for venue in VENUES:
        for reason in Reason:
            labels = {"venue": venue, "reason": reason}
            value = metrics.registry.get_sample_value("headroom_dead_letters_total", labels)
            assert value == 0
        name = "headroom_frames_normalised_total"
        assert metrics.registry.get_sample_value(name, {"venue": venue}) == 0


def test_each_rule_has_an_entry_in_the_runbook() -> None:
    text = (ROOT / "docs/runbook.md").read_text("utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert {entry.partition("\n")[0] for entry in entries} == NAMES
    for entry in entries:
        for part in ("**Means**: ", "**Look at**: ", "**Do**: "):
            assert part in entry, entry


def test_each_rule_asks_for_one_release() -> None:
    """Of two releases on one Prometheus neither is added to the other."""
    for rule in rules():
        selected = re.findall(r"\b(?:headroom_\w+|up)(\{[^}]*\})?", rule["expr"])
        assert selected
        assert all('release="headroom"' in one for one in selected), rule["alert"]
        for labels in re.findall(r" by \(([^)]*)\)", rule["expr"]):
            assert labels.split(", ")[0] == "release", rule["alert"]


def promtool(*words: object, text: str = "") -> "subprocess.CompletedProcess[str]":
    assert PROMTOOL is not None
    command = [PROMTOOL, *map(str, words)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
