"""What others' tools make of amounts, measured: `python -m tests.consumers.amounts`.

Writes the table of docs/consumers/amounts.md between its markers. Needs the package registry (an
environment is made for the run), Node.js and a JDK; not in `make test`, as it measures what is
not ours.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Context, Decimal
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).parent / "peers"
PAGE: Final = Path(__file__).parents[2] / "docs/consumers/amounts.md"
BEGIN: Final = "<!-- measured: python -m tests.consumers.amounts -->\n"
END: Final = "<!-- end -->\n"
PACKAGES: Final = ("duckdb==2.0.1", "polars==2.1.0", "pyarrow==26.0.1", "datafusion==55.0.0")
CASES: Final = {
    "18 places": ["0.123456789012345678"],
    "38 digits, 18 places": ["12345678901234567890.123456789012345678"],
    "19 places": ["0.1234567890123456789"],
    "the longest, 38 + 38": [f"{'9' * 38}.{'9' * 38}"],
    "many in 38 digits, the sum in 39": ["99999999999999999999.5"] * 18,
}
JAVASCRIPT: Final = """for (const word of process.argv.slice(1))
  console.log(String(word.split(",").reduce((sum, amount) => sum + Number(amount), 0)))"""
Row = tuple[str, str, list[str | None]]
_EXACT: Final = Context(prec=200)


def verdict(amounts: list[str], told: str | None) -> str:
    """One word for an answer: exact, rounded (the 9th digit is right), wrong, or refused."""
    if told is None:
        return "refuses"
    right = Decimal(0)
    for amount in amounts:
        right = _EXACT.add(right, Decimal(amount))
    off = _EXACT.subtract(Decimal(told), right).copy_abs()
    if not off:
        return "exact"
    return "rounds" if off < _EXACT.multiply(right.copy_abs(), Decimal("1e-9")) else "**wrong**"


def _lines(*command: str | Path) -> list[str | None]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(done.stdout.splitlines())


def measured() -> Iterator[Row]:
    """Each tool with its version, the type, and the sums of all cases; None: refused."""
    with tempfile.TemporaryDirectory() as place:
        python = Path(place, "bin", "python")
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (line,) = _lines(python, PEERS / "columns.py", json.dumps(list(CASES.values())))
    yield from ((name, kind, told) for name, kind, told in json.loads(line or "[]"))
    words = [",".join(amounts) for amounts in CASES.values()]
    (version,) = _lines("node", "--version")
    yield f"Node.js {(version or '')[1:]}", "number", _lines("node", "-e", JAVASCRIPT, *words)
    java, *_ = _lines("java", "--version")
    name = f"Java {(java or '').split()[1]}"
    for kind in ("double", "BigDecimal"):
        yield name, kind, _lines("java", PEERS / "Amounts.java", kind, *words)


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [f"| tool | type | {' | '.join(CASES)} |", "|---" * (len(CASES) + 2) + "|"]
    for name, kind, told in rows:
        words = [verdict(*pair) for pair in zip(CASES.values(), told, strict=True)]
        lines.append(f"| {name} | `{kind}` | {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page's table anew."""
    text = PAGE.read_text("utf-8")
    new = f"{BEGIN}\n{table(list(measured()))}\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: new, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
