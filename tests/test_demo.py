"""The whole flow: real sockets, a real Kafka, real processes, and the accounting at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEADROOM = [sys.executable, "-m", "headroom"]


def test_the_demo_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its last line accounts for every frame of both venues; no process and no file stays."""
    result = _demo(tmp_path, "--for", "4", "--rate", "60", "--users", "40")
    assert result.returncode == 0, result.stderr[-2000:]
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["frames"] > 100
    assert summary["raw"] == summary["frames"]
    assert summary["normalised"] + summary["dead_lettered"] == summary["raw"]
    assert summary["lost"] == 0
    assert summary["users"] == 44
    assert summary["frames_per_second_max"] > 0
    assert "faults" not in summary
    assert "fault" not in result.stderr
    assert not list(tmp_path.iterdir())
    assert not _processes(tmp_path)


@pytest.mark.long
@pytest.mark.long
def test_a_fault_is_ordered_told_and_accounted_for(tmp_path: Path) -> None:
    """It comes and goes while the picture stands, and the accounting stays honest."""
    words = ("--fault", "duplicate?times=3", "--fault", "hercle:cut")
    result = _demo(tmp_path, "--for", "15", "--rate", "60", "--users", "40", *words)
    assert result.returncode == 0, result.stderr[-2000:]
    for word in ("fault on:  sfox:duplicate", "fault on:  hercle:cut", "fault off: hercle:cut"):
        assert word in result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [(each["fault"], each["frames"]) for each in summary["faults"]] == [
        ("sfox:duplicate", 6),
        ("hercle:cut", 0),
    ]
    assert summary["raw"] == summary["frames"]
    assert summary["lost"] == 0


def test_a_demo_that_is_killed_takes_everything_with_it(tmp_path: Path) -> None:
    """Kill -9 of the demo ends Kafka, venues, producers and worker too."""
    with subprocess.Popen(
        [*HEADROOM, "demo", "--for", "60"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "the worker answers" in line:
                break
        assert len(_processes(tmp_path)) >= 5
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 30
    while _processes(tmp_path):
        assert time.monotonic() < deadline, _processes(tmp_path)
        time.sleep(0.1)


def _demo(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*HEADROOM, "demo", "--json", *options],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def _processes(folder: Path) -> list[str]:
    """The command lines and environments that name a folder: the demo's own children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(folder).encode() in text and state != "Z":
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
