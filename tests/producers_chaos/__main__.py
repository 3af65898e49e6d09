"""`make chaos PART=producers`: a line a fault and seed; status 1 unless all are sound."""

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from tests.producers_chaos.faults import FAULTS
from tests.producers_chaos.scene import Row


def total(rows: list[Row]) -> str:
    """One line for all seeds of a fault."""

    def add(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    counts = "  ".join(
        f"{name} {add(name)}" for name in ("sent", "received", "raw", "lost", "dropped", "repeated")
    )
    seconds = []
    for name in ("noticed", "recovered"):
        known = [s for row in rows if (s := getattr(row, f"{name}_seconds")) is not None]
        middle = f"{median(known):.1f} s (most {max(known):.1f} s)" if known else "-"
        seconds.append(f"{name} {middle}")
    return f"{rows[0].fault:<16} {len(rows)} seeds  {counts}  {'  '.join(seconds)}"


def main() -> int:
    """Run the faults, one after the other."""
    parser = argparse.ArgumentParser(prog="make chaos PART=producers")
    parser.add_argument("--seeds", type=int, default=10, help="how many of each fault")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only these")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    options = parser.parse_args()
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="headroom-producers-"))
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for seed in range(options.first, options.first + options.seeds):
        for name in options.fault or FAULTS:
            place = folder / f"{name}-{seed}"
            row = FAULTS[name](place, seed)
            rows[name].append(row)
            print(row, flush=True)
            if row.sound and not options.keep:
                shutil.rmtree(place, ignore_errors=True)
            else:
                print(f"    its logs: {place}", flush=True)
    print()
    for one in rows.values():
        print(total(one))
    red = [f"{row.fault} {row.seed}" for some in rows.values() for row in some if not row.sound]
    end = f"; not sound: {', '.join(red)}" if red else ""
    print(f"{time.monotonic() - begun:.0f} s{end}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
