"""What holds of every committed file: no address of a registry, no path of a machine, no novel."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES_MAX = 400
TEST_MODULE_LINES_MAX = 500  # a list of sentences may be longer than a story
ROOMS = ("headroom", "schemas", "producers", "processors", "benchmarks", "hatch_build.py")

# Written in halves, so that this file may be committed.
FORBIDDEN = [
    "pypi" + ".org",
    "files." + "pythonhosted",
    "repo1." + "maven",
    "repo.maven." + "apache",
    "registry." + "npmjs",
    "proxy." + "golang",
    "/wo" + "rk/",
]
NO_TEXT = b"\0"


def committed() -> list[Path]:
    """Every file that git holds or would take; without git, every file that is not hidden."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = {ROOT / name for name in listed.stdout.decode().split("\0") if name}
    else:
        paths = {
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        }
    return sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts)


def offences(text: str) -> list[str]:
    return [word for word in FORBIDDEN if word in text.lower()]


def test_no_file_holds_an_address_of_a_registry_or_a_path_of_a_machine() -> None:
    found = {}
    for path in committed():
        data = path.read_bytes()
        if NO_TEXT not in data and (words := offences(data.decode("utf-8", "replace"))):
            found[str(path.relative_to(ROOT))] = words
    assert found == {}


@pytest.mark.parametrize("word", FORBIDDEN)
def test_a_forbidden_word_would_be_found(word: str) -> None:
    assert offences(f"see https://{word.upper()}/simple") == [word]


def test_the_files_were_looked_at() -> None:
    looked_at = {path.relative_to(ROOT).as_posix() for path in committed()}
    assert looked_at >= {"pyproject.toml", "requirements.lock", "schemas/amounts.py"}


def test_a_module_tells_one_story() -> None:
    """If it needs more lines than this, it tells two: split it."""
    most = dict.fromkeys((*ROOMS, "docs"), MODULE_LINES_MAX) | {"tests": TEST_MODULE_LINES_MAX}
    lines = {
        path.relative_to(ROOT): len(path.read_text("utf-8").splitlines())
        for path in committed()
        if path.suffix == ".py"
    }
    assert {str(path): count for path, count in lines.items() if count > most[path.parts[0]]} == {}


def test_nobody_asks_librdkafka_for_headers_but_by_the_way_that_is_sound() -> None:
    """`processors/engine/headers.py` says why."""
    asks = re.compile(r"(message|record|event|letter\w*|m)\.headers\(\)")
    found = [
        str(path.relative_to(ROOT))
        for path in committed()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("headroom", "processors")
        if path.name != "headers.py" and asks.search(path.read_text("utf-8"))
    ]
    assert found == []
