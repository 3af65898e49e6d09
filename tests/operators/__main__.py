"""`make chaos PART=operators`: a row for each act; status 1 unless all of them are 0, 0, 0."""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.operators.acts import ACTS, run
from tests.operators.scene import Row


def _run(name: str, folder: Path, keep: bool) -> Row:  # noqa: FBT001 - a flag
    row = run(name, folder)
    kept = keep or not row.sound
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    where = [f"    its logs: {folder}"] if kept else []
    sys.stdout.write("\n".join([str(row), *row.details(), *where]) + "\n")
    sys.stdout.flush()
    return row


def main() -> int:
    """Run the acts, one after the other."""
    parser = argparse.ArgumentParser(prog="make chaos PART=operators")
    parser.add_argument("--act", action="append", choices=list(ACTS), help="only these")
    parser.add_argument("--lanes", type=int, default=2, help="how many acts at once")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    parser.add_argument("--list", action="store_true", help="what there is")
    options = parser.parse_args()
    if options.list:
        for name, act in ACTS.items():
            print(f"{name:<28} {(act.__doc__ or '').splitlines()[0]}")
        return 0
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="headroom-operators-"))
    with ThreadPoolExecutor(options.lanes) as lanes:
        names = options.act or list(ACTS)
        rows = list(lanes.map(lambda name: _run(name, folder / name, options.keep), names))
    red = [row.act for row in rows if not row.sound]
    counts = " ".join(
        f"{kind} {sum(len(getattr(row, kind)) for row in rows)}"
        for kind in ("lost", "twice", "wrong")
    )
    end = f"  not sound: {', '.join(red)}" if red else ""
    print(f"{len(rows)} acts  {counts}  {time.monotonic() - begun:.0f} s{end}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
