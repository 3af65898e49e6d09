"""`make chaos PART=fuzz`: what is compiled against the Python beside it, and against its own end.

Status 1 where both ways differed or the process died; its last input is then printed as hex, to be
tried again with `--replay WAY HEX`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.fuzz import sanitised

INSIDE = "HEADROOM_FUZZ_INSIDE"
GRACE_SECONDS = 300
SAYS_SECONDS = 60


def main() -> int:
    options = _options()
    if INSIDE in os.environ:
        return _inside(options, Path(os.environ[INSIDE]))
    words = [sys.executable, "-P", "-m", "tests.fuzz", *sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="headroom-fuzz-") as scratch:
        inside = {INSIDE: scratch, "PYTHONPATH": str(sanitised.ROOT)}
        try:
            if options.plain:
                environment = dict(os.environ)
            else:
                environment = sanitised.environment()
                sys.stdout.write("compiling with sanitisers, unless that was done (minutes)\n")
                sys.stdout.flush()
                inside["HEADROOM_FUZZ_MODULES"] = str(sanitised.built())
        except sanitised.NoSanitiser as error:
            sys.stderr.write(
                f"fuzz: {error}; --plain tries what is installed, without sanitisers\n"
            )
            return 2
        return _watched(words, environment | inside, Path(scratch), options.seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", action="append", help="only these, of those that are printed")
    parser.add_argument("--plain", action="store_true", help="what is installed, no sanitisers")
    parser.add_argument("--replay", nargs=2, metavar=("WAY", "HEX"), help="one input again")
    return parser.parse_args()


def _watched(words: list[str], environment: dict[str, str], scratch: Path, seconds: float) -> int:
    """Run the process that may die; where it did, say of what."""
    from tests.fuzz.driver import Page

    try:
        status = subprocess.run(
            words, env=environment, cwd=sanitised.ROOT, timeout=seconds + GRACE_SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        status = -1
        print("it never came back")
    if status in (0, 1, 2):
        return status
    last = Page.last(scratch / "last")
    if last is None:
        print(f"it ended with {status} before the first input")
    else:
        print(f"{last[0]}: it ended with {status} at this input\n  hex: {last[1].hex()}")
    return 1


def _inside(options: argparse.Namespace, scratch: Path) -> int:
    """In the process that may die."""
    folder = os.environ.get("HEADROOM_FUZZ_MODULES")
    if folder is not None:
        sanitised.take(Path(folder))
    # Here, because from now on they find what was compiled.
    from processors import compiled
    from producers import compiled as compiled_producers
    from tests.fuzz import ways
    from tests.fuzz.corpus import all_ways
    from tests.fuzz.driver import Found, Fuzzer, Page
    from tests.fuzz.mutating import Mutator, words_of

    if not (compiled.IS_COMPILED and compiled_producers.IS_COMPILED):
        print("nothing is compiled here: there is nothing to try")
        return 2
    cover = None if folder is None else sanitised.Cover(Path(folder))
    chosen = {
        name: way
        for name, way in all_ways().items()
        if name in (options.way or [name]) or (options.replay and options.replay[0] == name)
    }
    random = Random(options.seed)
    sources = sorted(path for room in sanitised.hatch_build.ROOMS for path in room.glob("*.p[yx]*"))
    fuzzer = Fuzzer(
        chosen,
        Mutator(random, words_of(sources)),
        random,
        fence=ways.copied if folder is None else sanitised.fence(),
        ways_seen=(lambda: 0) if cover is None else cover.ways,
        page=Page(scratch / "last"),
    )
    if options.replay:
        found = fuzzer.look(options.replay[0], bytes.fromhex(options.replay[1]))
        print(found if isinstance(found, Found) else "nothing was found")
        return int(isinstance(found, Found))
    _run(fuzzer, options.seconds, cover)
    _tell(fuzzer, cover)
    return int(bool(fuzzer.found))


def _run(fuzzer, seconds: float, cover: sanitised.Cover | None) -> None:
    begun = said = time.monotonic()
    watched_by = os.getppid()
    fuzzer.begin()
    told = 0
    more = True
    # Who has nobody who watches ends, too.
    while more and os.getppid() == watched_by and (now := time.monotonic()) - begun < seconds:
        more = all(fuzzer.step() for _ in range(100))
        for found in fuzzer.found[told:]:
            print(found, flush=True)
        told = len(fuzzer.found)
        if now - said > SAYS_SECONDS:
            said = now
            _line(fuzzer, cover, now - begun)
    for found in fuzzer.found[told:]:
        print(found)
    _line(fuzzer, cover, time.monotonic() - begun)


def _line(fuzzer, cover: sanitised.Cover | None, seconds: float) -> None:
    tried = sum(one.tried for one in fuzzer.counts.values())
    seen = "" if cover is None else f", {cover.ways()} ways seen"
    print(f"{seconds:.0f} s: {tried} inputs, {tried / seconds:.0f} a second{seen}", flush=True)


def _tell(fuzzer, cover: sanitised.Cover | None) -> None:
    """What was tried of each way; what of the sources has run."""
    for name, one in fuzzer.counts.items():
        print(f"{name:<9} {one.tried:>9} tried  {one.said:>9} said  {one.kept:>6} led on")
    if cover is None:
        return
    for source, (lines, ran) in sorted(cover.lines().items()):
        rest = " ".join(str(line) for line in sorted(lines - ran))
        name = "/".join(Path(source).parts[-3:])
        print(f"{name:<32} {len(ran):>3} of {len(lines):>3} lines ran; not: {rest}")


if __name__ == "__main__":
    sys.exit(main())
