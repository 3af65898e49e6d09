"""The part `restore`: a table without its local store, read again from its changelog.

The clock runs from the start of the client to the moment at which the table serves, for both: so
it holds the joining of the group, but no start of a JVM or of Python. Each run has a changelog of
its own with the same content, since a group that was just left would be waited for.
"""

import argparse
from random import Random
from typing import Any, Final

from benchmarks.bench import Bench, until
from benchmarks.dataset import Frame, produce, raw_producer
from benchmarks.job import Options
from benchmarks.kinds import AT_LEAST_ONCE, Command, Kind, python_command
from benchmarks.process import Contender, ContenderFailed, peak_mib
from benchmarks.streams.java import java_command
from schemas.topics import CHANGELOG

TABLE: Final = "rows"
ROW_BYTES: Final = 400
_FLUSH_SECONDS: Final = 120.0


def _streams(options: Options) -> list[Any]:
    return java_command(options, mode="restore")


_COMMANDS: Final[dict[str, Command]] = {
    "headroom": python_command("headroom_restore"),
    "streams": _streams,
}


def restore(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Headroom and Kafka Streams in turn, `rounds` times each."""
    chosen = options.contenders.split(",")
    names = [name for name in _COMMANDS if name in chosen]
    runs = []
    for number in range(options.rounds):
        for name in names[:: -1 if number % 2 else 1]:
            kind = Kind(f"restore-{name}", _COMMANDS[name], (AT_LEAST_ONCE,), "every")
            run = one_restore(bench, kind, options)
            runs.append({"round": number + 1, "contender": name, **run})
            print(f"round {number + 1}  {name:16} {run['rate']:10,.0f} rows/s", flush=True)
    return runs


def one_restore(bench: Bench, kind: Kind, options: argparse.Namespace) -> dict[str, Any]:
    """Write a changelog, start the contender, wait until it serves."""
    source = f"restore.{kind.name}.raw"
    told = bench.options(source, kind, AT_LEAST_ONCE, options.commit_ms)
    told = told._replace(raw=f"{told.prefix}input")
    bench.cluster.create_raw(told.raw)
    changelog = f"{told.group}-{TABLE}-changelog"
    bench.cluster.create([changelog], CHANGELOG.settings(replication_factor=1))
    fill(bench.cluster.bootstrap, changelog, options.rows, options.seed)
    with bench.running(kind, told) as contender:
        restored = _said(contender, "restored", options.deadline)
        peak = peak_mib(contender.pid)
        rows = _said(contender, "rows", options.deadline)
        seconds = (restored - _said(contender, "started", options.deadline)) / 1_000
    bench.forget(told)
    if rows != options.rows:
        raise ContenderFailed(f"{kind.name} restored {rows} of {options.rows} rows")
    return {"rows": rows, "seconds": seconds, "rate": rows / seconds, "peak_mib": peak}


def fill(bootstrap: str, changelog: str, rows: int, seed: int) -> None:
    """Write as many rows, each with a key of its own, of about 400 bytes that do not repeat."""
    random = Random(seed)
    producer = raw_producer(bootstrap)
    for number in range(rows):
        key = f"sfox:user-{number:07}"
        digits = f"{random.getrandbits(1_024):0309}"
        row = f'{{"user":"{key}","version":1,"row":"{digits}'
        value = f'{row}{"0" * (ROW_BYTES - len(row) - 2)}"}}'
        produce(producer, changelog, Frame(key.encode(), value.encode(), []))
    if producer.flush(_FLUSH_SECONDS):
        message = f"not all rows went to {changelog}"
        raise RuntimeError(message)


def _said(contender: Contender, word: str, deadline_seconds: float) -> int:
    """The number that the contender said after a word."""
    for _ in until(deadline_seconds, f"no '{word}'", poll_seconds=0.02):
        if (number := contender.said(word)) is not None:
            return number
        contender.check()
    raise AssertionError
