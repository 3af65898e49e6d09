"""What others' tools make of amounts, measured: `python -m tests.consumers.amounts`.

Writes the table of docs/consumers/amounts.md between its markers. Needs the package registry (an
environment is made for the run), Node.js, a JDK from 17 on, and for its rows PostgreSQL's server
(Debian's package); not in `make test`, as it measures what is not ours.
"""

import json
import os
import re
import shutil
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
PACKAGES: Final = (
    "duckdb==2.0.1",
    "polars==2.1.0",
    "pyarrow==26.0.1",
    "datafusion==55.0.0",
    "chdb==4.4.0",
    "pyspark==4.3.0",
)
CASES: Final = {
    "18 places": ["0.123456789012345678"],
    "38 digits, 18 places": ["12345678901234567890.123456789012345678"],
    "19 places": ["0.1234567890123456789"],
    "the longest, 38 + 38": [f"{'9' * 38}.{'9' * 38}"],
    "many in 38 digits, the sum in 39": ["99999999999999999999.5"] * 18,
}
JAVASCRIPT: Final = """for (const word of process.argv.slice(1))
  console.log(String(word.split(",").reduce((sum, amount) => sum + Number(amount), 0)))"""
POSTGRESQL: Final = Path("/usr/lib/postgresql")
Row = tuple[str, str, list[str | None] | str]
"""A tool, the type, and what it told, or why it was not run."""
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
        *_, line = _lines(python, PEERS / "columns.py", json.dumps(list(CASES.values())))
    yield from ((name, kind, told) for name, kind, told in json.loads(line or "[]"))
    yield from _postgresql()
    words = [",".join(amounts) for amounts in CASES.values()]
    (version,) = _lines("node", "--version")
    yield f"Node.js {(version or '')[1:]}", "number", _lines("node", "-e", JAVASCRIPT, *words)
    java, *_ = _lines("java", "--version")
    name = f"Java {(java or '').split()[1]}"
    for kind in ("double", "BigDecimal"):
        yield name, kind, _lines("java", PEERS / "Amounts.java", kind, *words)


def _postgresql() -> Iterator[Row]:
    """Of a server of its own, on a socket in a folder; it runs under root's eyes as postgres."""
    programs = sorted(POSTGRESQL.glob("*/bin"))
    if not programs:
        yield "PostgreSQL", "numeric", "no server here (Debian's package postgresql)"
        return
    of_its_user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory() as place:
        if of_its_user:
            shutil.chown(place, "postgres")
        data = Path(place, "data")
        control = (*of_its_user, programs[-1] / "pg_ctl", "-s", "-w", "-D", data)
        _lines(*of_its_user, programs[-1] / "initdb", "-D", data, "-A", "trust", "-U", "postgres")
        options = f"-c listen_addresses='' -c unix_socket_directories={place}"
        _lines(*control, "-o", options, "-l", Path(place, "log"), "start")
        try:
            ask = (programs[-1] / "psql", "-h", place, "-U", "postgres", "-Atc")
            (version,) = _lines(*ask, "SHOW server_version")
            for kind in ("double precision", "numeric(38, 18)", "numeric"):
                told = [_sum(ask, kind, amounts) for amounts in CASES.values()]
                yield f"PostgreSQL {(version or '').split()[0]}", kind, told
        finally:
            _lines(*control, "-m", "fast", "stop")


def _sum(ask: tuple[str | Path, ...], kind: str, amounts: list[str]) -> str | None:
    values = ", ".join(f"('{amount}')" for amount in amounts)
    question = f"SELECT sum(CAST(x AS {kind})) FROM (VALUES {values}) AS t(x)"  # noqa: S608
    done = subprocess.run([*ask, question], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [f"| tool | type | {' | '.join(CASES)} |", "|---" * (len(CASES) + 2) + "|"]
    for name, kind, told in rows:
        if isinstance(told, str):
            lines.append(f"| {name} | `{kind}` | not run: {told} |" + " |" * (len(CASES) - 1))
            continue
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
