"""The benchmark runs, compares and reports; how fast anything is, is not asserted."""

import subprocess
import sys

import msgspec
import pytest

from benchmarks.document import DOCUMENT, document
from benchmarks.kinds import KINDS, ROOT
from benchmarks.report import TEXTS

QUICK = ["--quick", "--guarantees", "at_least_once"]


def smoke(folder, part):
    """What a quick run of a part says, and its results."""
    out = folder / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", part, *QUICK, "--out", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, msgspec.json.decode(out.read_bytes())[part]["runs"]


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_smoke_run_compares_and_reports(tmp_path):
    """Headroom, the plain loop and Kafka Streams say the same, to the last digit."""
    said, runs = smoke(tmp_path, "throughput")
    assert "Headroom / Kafka Streams (at_least_once, newest version sent)" in said
    assert {run["contender"] for run in runs} == {"headroom", "plain", "streams-latest"}
    assert all(run["repeated"] == 0 and run["records"] > 0 for run in runs)


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(300)
def test_frames_of_both_venues_are_compared(tmp_path):
    _, runs = smoke(tmp_path, "mixed")
    assert [run["frames"] for run in runs] == ["sfox", "hercle", "mixed"]
    assert all(run["repeated"] == 0 and run["records"] > 0 for run in runs)


def test_what_frames_of_both_venues_cost_is_a_ratio_to_sfox():
    same = {"contender": "headroom", "guarantee": "exactly_once", "cpu_us_per_record": 20}
    runs = [{**same, "frames": f, "rate": r} for f, r in (("sfox", 100), ("mixed", 75))]
    last = TEXTS["mixed"](runs).splitlines()[-1]
    assert last.replace(" ", "") == "|headroom|exactly_once|mixed|75|20|0.75|>=0.7|"


def test_every_contender_that_coalesces_has_a_peer_that_does():
    names = {name for name, kind in KINDS.items() if kind.coalesces}
    assert names == {"headroom", "streams-latest"}


def test_a_page_keeps_what_was_not_measured_again():
    before = DOCUMENT.read_text("utf-8")
    assert document({}, before) == before
    run = {"guarantee": "", "rate": 60, "frames_per_cpu_second": 100_000, "peak_mib": 90.0}
    runs = [{**run, "contender": "bare"}, {**run, "contender": "headroom", "rate": 45}]
    told = {
        "at": "2026-01-01 00:00 UTC",
        "machine": {"cpu": "a", "cores": 2, "memory_gib": 4},
        "versions": {},
        "command": ["producer"],
        "runs": runs * 2,
    }
    page = document({"producer": told}, before)
    heading = "## A producer, from a venue's socket into Kafka\n"
    kept, _, after = page.partition(heading)
    assert before.startswith(kept.rstrip())
    assert "0.75 | 0.75 to 0.75 | >= 0.7" in " ".join(after.split())
    assert document({"producer": told}, page) == page
