"""`make chaos`: one seed after the other, a line each and a total; status 1 if one is not sound."""

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.engine.chaos import network
from tests.engine.chaos.broker import Broker
from tests.engine.chaos.faults import plan
from tests.engine.chaos.seed import Result, Seed

LANES = 2


async def main(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    seeds = options.seed or range(options.first, options.first + options.seeds)
    waiting, numbers = iter(seeds), itertools.count(1)
    folder = Path(tempfile.mkdtemp(prefix="headroom-chaos-"))
    results: list[Result] = []

    async def lane() -> None:
        # A broker of its own: what hurts it hurts no other seed.
        async with Broker() as broker:
            for seed in waiting:
                if not broker.running:
                    await broker.start()
                place = folder / f"{next(numbers)}-seed-{seed}"
                one = Seed
                if options.part == "network":
                    planned, one = network.plan(seed), network.NetworkSeed
                else:
                    planned = plan(seed, options.guarantee)
                result = await one(planned, broker.bootstrap, place, broker).run()
                results.append(result)
                print(result, flush=True)
                if result.sound and not options.keep:
                    shutil.rmtree(place, ignore_errors=True)
                else:
                    print(f"    its logs: {place}", flush=True)

    lanes = min(options.lanes, len(seeds))
    await asyncio.gather(*(lane() for _ in range(lanes)))
    print(_total(results), f" {time.monotonic() - begun:.0f} s", flush=True)
    sound = all(result.sound for result in results)
    if sound and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if sound else 1


def _total(results: list[Result]) -> str:
    def add(name: str, guarantee: str) -> int:
        return sum(
            result.verdict.get(name, 0) for result in results if guarantee in result.plan.guarantee
        )

    counts = " ".join(
        f"{name} {add(name, '')}" for name in ("records", "repeated", "lost", "wrong")
    )
    unsound = sorted(result.plan.seed for result in results if not result.sound)
    end = f"  not sound: {unsound}" if unsound else ""
    once = add("repeated", "exactly_once")
    return f"total of {len(results)} seeds  {counts} (in exactly_once {once}){end}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, action="append", help="only these")
    parser.add_argument("--guarantee", choices=("exactly_once", "at_least_once"))
    parser.add_argument(
        "--part", choices=("engine", "network"), default="engine", help="what is hurt"
    )
    parser.add_argument("--lanes", type=int, default=LANES, help="how many seeds at once")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    sys.exit(asyncio.run(main(parser.parse_args())))
