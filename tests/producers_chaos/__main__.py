"""`make chaos PART=producers`: a line a fault and seed; status 1 unless all are sound."""

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.faults import FAULTS


def total(rows: list[Row]) -> str:
    """One line for all seeds of a fault."""

    def add(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    names = ["sent", "received", "raw", "lost", "dropped", "repeated"]
    names += [name for name in ("refused", "forgotten") if add(name)]
    counts = "  ".join(f"{name} {add(name)}" for name in names)
    seconds = []
    for name in ("noticed", "recovered"):
        known = [s for row in rows if (s := getattr(row, f"{name}_seconds")) is not None]
        middle = f"{median(known):.1f} s (most {max(known):.1f} s)" if known else "-"
        seconds.append(f"{name} {middle}")
    return f"{rows[0].fault:<26} {len(rows)} seeds  {counts}  {'  '.join(seconds)}"


def _run(name: str, draw: Draw, *, keep: bool) -> list[Row]:
    """One world; what it leaves stays where something is wrong."""
    try:
        rows = FAULTS[name](draw)
    except Exception as error:  # noqa: BLE001 - the other faults go on
        zeros = dict.fromkeys(("sent", "received", "raw", "lost", "dropped", "repeated"), 0)
        wrong = [f"{type(error).__name__}: {str(error)[-2000:]}"]
        row = Row(name, draw.seed, **zeros, noticed_seconds=None, recovered_seconds=None)
        rows = [row]
        row.wrong.extend(wrong)
    for row in rows:
        print(row, flush=True)
    if all(row.sound for row in rows) and not keep:
        shutil.rmtree(draw.folder, ignore_errors=True)
    else:
        print(f"    its logs: {draw.folder}", flush=True)
    return rows


def main() -> int:
    """Run the faults, one after the other, or several at a time."""
    parser = argparse.ArgumentParser(prog="make chaos PART=producers")
    parser.add_argument("--seeds", type=int, default=10, help="how many of each fault")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only these")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    parser.add_argument(
        "--jobs", type=int, default=1, help="so many worlds at a time: most of it is waiting"
    )
    parser.add_argument("--seconds", type=float, help="begin no more after so long")
    options = parser.parse_args()
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="headroom-producers-"))
    rows: defaultdict[str, list[Row]] = defaultdict(list)

    def one(name: str, seed: int) -> list[Row]:
        if options.seconds is not None and time.monotonic() - begun > options.seconds:
            return []
        return _run(name, Draw(folder / f"{name}-{seed}", seed), keep=options.keep)

    doing: list[Future[list[Row]]] = []
    # A node's Java ends with the thread that started it: these last to the end.
    with ThreadPoolExecutor(options.jobs) as pool:
        for seed in range(options.first, options.first + options.seeds):
            doing += [pool.submit(one, name, seed) for name in options.fault or FAULTS]
        for done in doing:
            for row in done.result():
                rows[row.fault].append(row)
    print()
    for some in rows.values():
        print(total(some))
    red = [f"{row.fault} {row.seed}" for some in rows.values() for row in some if not row.sound]
    end = f"; not sound: {', '.join(red)}" if red else ""
    print(f"{time.monotonic() - begun:.0f} s{end}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
