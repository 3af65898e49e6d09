"""`make chaos PART=producers`: a line a fault and seed; status 1 unless all are sound.

The first seed has the deadlines and pauses that producers have in life: a quarter of an hour. The
others have shorter ones, on brokers that they share, so that many of them can be run.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from tests.producers_chaos.counting import Draw, Row
from tests.producers_chaos.faults import FAULTS
from tests.producers_chaos.short import SCALE, WAYS, Way, shared


def total(rows: list[Row]) -> str:
    """One line for all seeds of a fault."""

    def add(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    names = ["sent", "received", "raw", "lost", "dropped", "repeated"]
    names += [name for name in ("refused", "forgotten", "behind") if add(name)]
    counts = "  ".join(f"{name} {add(name)}" for name in names)
    seconds = []
    for name in ("noticed", "recovered"):
        known = [s for row in rows if (s := getattr(row, f"{name}_seconds")) is not None]
        middle = f"{median(known):.1f} s (most {max(known):.1f} s)" if known else "-"
        seconds.append(f"{name} {middle}")
    return f"{rows[0].fault:<26} {len(rows)} seeds  {counts}  {'  '.join(seconds)}"


class Run:
    """All that is wanted, and the rows that have come of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._wanted = options.fault or list(FAULTS)
        self._folder = Path(tempfile.mkdtemp(prefix="headroom-producers-"))
        self._begun = time.monotonic()
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def go(self) -> None:
        """Run everything, some of it at a time."""
        first, seeds, whole = self._options.first, self._options.seeds, self._options.whole
        doing: list[Future[None]] = []
        # A node's Java ends with the thread that started it: these last to the end.
        with ThreadPoolExecutor(self._options.jobs) as pool:
            doing += [
                pool.submit(self._one, name, self._draw(name, seed))
                for seed in range(first, first + min(whole, seeds))
                for name in self._wanted
            ]
            short = range(first + whole, first + seeds)
            doing += [pool.submit(self._way, way, short) for way in WAYS if short]
            for done in doing:
                done.result()

    def _draw(self, name: str, seed: int, scale: float = 1.0, brokers: Any = None) -> Draw:
        return Draw(self._folder / f"{name}-{seed}", seed, scale, brokers)

    def _way(self, way: Way, seeds: range) -> None:
        """The short form, all seeds on the same nodes."""
        names = [name for name in way.faults if name in self._wanted]
        if not names:
            return
        with contextlib.ExitStack() as stack:
            brokers = None
            if way.nodes:
                place = self._folder / f"nodes-{names[0]}"
                brokers = stack.enter_context(shared(place, way.nodes, gated=way.gated))
            for seed in seeds:
                for name in names:
                    self._one(name, self._draw(name, seed, SCALE, brokers))
                    if brokers is not None:
                        brokers.resume()
                        brokers.restart()

    def _one(self, name: str, draw: Draw) -> None:
        """One world; what it leaves stays where something is wrong."""
        limit = self._options.seconds
        if limit is not None and self.seconds > limit:
            return
        try:
            rows = FAULTS[name](draw)
        except Exception as error:  # noqa: BLE001 - the other faults go on
            rows = [_broken(name, draw.seed, error)]
        for row in rows:
            print(row, flush=True)
            self.rows[row.fault].append(row)
        if all(row.sound for row in rows) and not self._options.keep:
            shutil.rmtree(draw.folder, ignore_errors=True)
        else:
            print(f"    its logs: {draw.folder}", flush=True)


def _broken(name: str, seed: int, error: Exception) -> Row:
    zeros = dict.fromkeys(("sent", "received", "raw", "lost", "dropped", "repeated"), 0)
    row = Row(name, seed, **zeros, noticed_seconds=None, recovered_seconds=None)
    row.wrong.append(f"{type(error).__name__}: {str(error)[-2000:]}")
    return row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos PART=producers")
    parser.add_argument("--seeds", type=int, default=10, help="how many of each fault")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument(
        "--whole", type=int, default=1, help="so many of them with the deadlines of life"
    )
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only these")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    parser.add_argument(
        "--jobs", type=int, default=3, help="so many worlds at a time: most of it is waiting"
    )
    parser.add_argument("--seconds", type=float, help="begin no more after so long")
    return parser.parse_args()


def main() -> int:
    """Run the faults, and tell what came of them."""
    run = Run(_options())
    run.go()
    print()
    for some in run.rows.values():
        print(total(some))
    red = [f"{row.fault} {row.seed}" for some in run.rows.values() for row in some if not row.sound]
    end = f"; not sound: {', '.join(red)}" if red else ""
    print(f"{run.seconds:.0f} s{end}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
