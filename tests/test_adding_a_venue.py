"""docs/adding-a-venue.md, followed: its files and its one line make a venue of a copy."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroom.run.venue import module_of
from schemas.venues import VENUES
from tests.headroom.commands import environment

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[1]
GUIDE = (HERE / "docs/adding-a-venue.md").read_text("utf-8")
BLOCKS = re.compile(r"^```[a-z]+ (file|line)=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROOMS = ("headroom", "processors", "producers", "schemas")
LAST_LINE = '        Venue("hercle", feed="account.balances.snapshot"),\n'


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Headroom, and in it what the guide says and nothing else."""
    place = tmp_path_factory.mktemp("copy")
    built = shutil.ignore_patterns("__pycache__", "*.so", "*.c")
    for name in ROOMS:
        shutil.copytree(HERE / name, place / name, ignore=built)
    shutil.copytree(HERE / "helm", place / "helm")
    shutil.copy(HERE / "pyproject.toml", place)
    for kind, path, text in BLOCKS.findall(GUIDE):
        file = place / path
        if kind == "line":
            assert len(text.splitlines()) == 1
            before = file.read_text("utf-8")
            assert LAST_LINE in before
            file.write_text(before.replace(LAST_LINE, LAST_LINE + text.removeprefix("+")), "utf-8")
        else:
            assert not file.exists(), f"{path} is not the venue's own"
            file.write_text(text, "utf-8")
    return place


def command(copy: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "headroom", *words],
        cwd=copy,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_one_line_outside_the_venues_own_files() -> None:
    found = BLOCKS.findall(GUIDE)
    assert [path for kind, path, _ in found if kind == "line"] == ["schemas/venues.py"]
    assert all("kiosk" in path for kind, path, _ in found if kind == "file")


def test_it_is_written_as_the_rest_is(copy: Path) -> None:
    for words in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", *ROOMS]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_demo_runs_with_it_and_loses_nothing(copy: Path) -> None:
    done = command(copy, "demo", "--for", "5", "--rate", "90", "--json")
    assert done.returncode == 0, done.stderr
    assert re.search(r"kiosk connected", done.stderr), done.stderr
    summary = json.loads(done.stdout)
    assert (summary["lost"], summary["dead_lettered"]) == (0, 0)
    # 200 at sFOX and at Kiosk each, 20 at Hercle: more than the two others have.
    assert summary["users"] > 220


def test_it_has_its_commands(copy: Path) -> None:
    for word in ("produce", "sandbox"):
        shown = command(copy, word, "--help")
        assert re.findall(r"^  (\w+)  ", shown.stdout, re.MULTILINE) == [*VENUES, "kiosk"]
        assert command(copy, word, "nowhere").returncode == 2


@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_has_what_the_guide_names(venue: str) -> None:
    module = module_of(venue)
    assert module.lines.__doc__
    assert module.sandbox is not None
    assert module.shown is not None
