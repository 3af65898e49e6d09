"""The wall around what is compiled: import-linter reads Python only, this reads the rest."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = [ROOT / "processors" / "compiled", ROOT / "producers" / "compiled"]
SOURCES = {".pyx", ".pxd"}
IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w.]+))", re.MULTILINE)
ALLOWED = re.compile(r"(cpython|libc|(?:processors|producers)\.compiled|schemas)(\.|$)|cython$")


def imported(text: str) -> list[str]:
    return [source or itself for source, itself in IMPORT.findall(text)]


def test_compiled_sources_know_c_their_own_room_and_the_documents_alone() -> None:
    sources = [path for room in ROOMS for path in room.glob("*.p*") if path.suffix in SOURCES]
    assert {path.parent for path in sources} == set(ROOMS)
    found = {
        source.name: strangers
        for source in sources
        if (strangers := [n for n in imported(source.read_text("utf-8")) if not ALLOWED.match(n)])
    }
    assert found == {}


def test_a_stranger_would_be_found() -> None:
    text = "from libc.string cimport memcpy\ncimport numpy\nif 1:\n    import processors.ledger"
    assert [n for n in imported(text) if not ALLOWED.match(n)] == ["numpy", "processors.ledger"]
