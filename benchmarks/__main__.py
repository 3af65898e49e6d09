"""`make bench`: measure, compare, print; see `--help`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.bench import Bench, bench, machine
from benchmarks.dataset import Dataset
from benchmarks.document import DOCUMENT, document, versions
from benchmarks.kinds import AT_LEAST_ONCE, EXACTLY_ONCE, KINDS, runs_of
from benchmarks.latency import latency
from benchmarks.mixed import mixed
from benchmarks.normalise import normalise
from benchmarks.oracle import Difference
from benchmarks.process import ContenderFailed
from benchmarks.producer import producer
from benchmarks.questions import questions
from benchmarks.report import TEXTS
from benchmarks.restore import restore
from benchmarks.throughput import Plan, throughput
from benchmarks.users import users
from schemas.venues import VENUES

RESULTS: Final = Path("build/bench.json")
PARTS: Final = (
    "throughput",
    "users",
    "mixed",
    "restore",
    "latency",
    "normalise",
    "producer",
    "http",
)
_JAVA: Final = "streams"
# Those that need no broker, or one for each contender.
_OWN_BROKERS: Final = {"normalise": normalise, "http": questions}
_PARTS: Final = {
    "users": users,
    "mixed": mixed,
    "restore": restore,
    "latency": latency,
    "producer": producer,
}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)} (the first), or all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=300_000, help="raw frames")
    parser.add_argument(
        "--frames",
        choices=VENUES,
        default="sfox",
        help="whose frames, for throughput; of hercle without Kafka Streams, which reads sfox only",
    )
    parser.add_argument("--turns", type=int, default=200, help="of a round, for normalise")
    parser.add_argument("--slow-records", type=int, default=30_000, help="the same for Faust")
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--warm-up", type=float, default=0.4, help="share that is not measured")
    parser.add_argument("--contenders", default=",".join(KINDS), help="names with commas")
    parser.add_argument("--guarantees", default=f"{AT_LEAST_ONCE},{EXACTLY_ONCE}")
    parser.add_argument("--commit-ms", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to restore")
    parser.add_argument(
        "--rate", type=int, default=1_000, help="frames a second, for latency, http"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="how long, for latency; for http each figure"
    )
    parser.add_argument(
        "--producer-frames", type=int, default=150_000, help="frames from the socket, for producer"
    )
    parser.add_argument("--frame-bytes", type=int, default=600, help="of each, for producer")
    parser.add_argument("--spooled", type=int, default=1_000_000, help="frames to drain")
    parser.add_argument("--readers", type=int, default=200, help="of all events, for http")
    parser.add_argument("--baseline", help="another checkout, for producer and http")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=float, default=600.0, help="seconds for one run")
    parser.add_argument("--keep", action="store_true", help="keep the contenders' logs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="results; parts are added to it")
    parser.add_argument("--quick", action="store_true", help="a smoke run, no figures worth a look")
    parser.add_argument("--write-docs", action="store_true", help=f"{DOCUMENT} from the results")
    options = parser.parse_args(given)
    if options.quick:
        options.rounds, options.records, options.users, options.warm_up = 1, 6_000, 200, 0.0
        options.contenders, options.commit_ms = "headroom,plain,streams-latest", 100
        options.turns, options.producer_frames = 3, 5_000
        options.readers, options.rate, options.seconds = 10, 100, 2.0
    if options.frames != "sfox":
        names = options.contenders.split(",")
        options.contenders = ",".join(name for name in names if not name.startswith(_JAVA))
    options.parts = options.parts or ([] if options.write_docs else ["throughput"])
    options.parts = list(PARTS) if "all" in options.parts else options.parts
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if unknown := set(options.contenders.split(",")) - KINDS.keys():
        parser.error(f"no such contender: {', '.join(sorted(unknown))}")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan of a throughput run."""
    return Plan(
        dataset=Dataset(options.records, options.users, options.seed, options.frames),
        slow_dataset=Dataset(options.slow_records, options.users, options.seed, options.frames),
        rounds=options.rounds,
        warm_up=options.warm_up,
        commit_ms=options.commit_ms,
        deadline_seconds=options.deadline,
        runs=runs_of(options.contenders.split(","), options.guarantees.split(",")),
    )


def measured(part: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The runs of one part, on a broker of its own where it needs one."""
    if part in _OWN_BROKERS:
        return _OWN_BROKERS[part](options)
    with bench(keep=options.keep) as running:
        if options.keep:
            print(f"logs: {running.folder}")
        return measure(part, running, options)


def measure(part: str, running: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same on a broker that runs."""
    if part == "throughput":
        return throughput(running, plan_of(options))
    return _PARTS[part](running, options)


def main() -> int:
    """Run the parts one after another."""
    options = arguments()
    results: dict[str, Any] = {}
    if options.out.is_file():
        results = msgspec.json.decode(options.out.read_bytes())
    for part in options.parts:
        runs = measured(part, options)
        print(f"\n{TEXTS[part](runs)}\n", flush=True)
        results[part] = {
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": machine(),
            "versions": versions(),
            "command": sys.argv[1:],
            "runs": runs,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    if options.write_docs:
        DOCUMENT.write_text(document(results, DOCUMENT.read_text("utf-8")), "utf-8")
        print(f"wrote {DOCUMENT}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Difference, ContenderFailed, TimeoutError) as failure:
        sys.exit(f"benchmark failed: {type(failure).__name__}: {failure}")
