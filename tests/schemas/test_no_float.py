"""Money never meets a float: the rooms that handle it do not even name one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("schemas", "processors/normalise", "processors/ledger")
# What it says of following counts seconds of a monotonic clock, and no money.
SECONDS_ALONE = ROOT / "schemas/following.py"
MODULES = sorted(
    path for room in PURE for path in (ROOT / room).rglob("*.py") if path != SECONDS_ALONE
)


def floats(source: str) -> list[int]:
    """The lines that hold a float literal or the name `float`, in an annotation too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=float() | complex()):
                found.append(node.lineno)
            case ast.Name(id="float") | ast.Attribute(attr="float"):
                found.append(node.lineno)
            case ast.alias(name="float") | ast.alias(asname="float"):
                found.append(node.lineno)
            case _:
                pass
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_room_holds_no_float(path: Path) -> None:
    assert floats(path.read_text("utf-8")) == []


def test_every_pure_room_was_looked_at() -> None:
    assert {path.parent.relative_to(ROOT).as_posix() for path in MODULES} >= set(PURE)


@pytest.mark.parametrize(
    "source", ["x = 1.0", "x = 1e3", "x = float('1')", "x: float", "import builtins as float"]
)
def test_a_float_would_be_found(source: str) -> None:
    assert floats(source) == [1]
