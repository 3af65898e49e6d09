"""The part `users`: what a record costs Headroom when ten times as many users hold balances."""

import argparse
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.dataset import Dataset
from benchmarks.kinds import runs_of
from benchmarks.throughput import Plan, throughput

COUNTS: Final = (1_000, 10_000)
_NAMES: Final = ("headroom", "headroom-every")


def users(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same records for either number of users, in turn."""
    chosen = [name for name in _NAMES if name in options.contenders.split(",")]
    runs = runs_of(chosen, options.guarantees.split(","))
    results = []
    for number in range(options.rounds):
        for count in COUNTS[:: -1 if number % 2 else 1]:
            dataset = Dataset(options.records, count, options.seed)
            plan = Plan(
                dataset=dataset,
                slow_dataset=dataset,
                rounds=1,
                # Everybody's first snapshot is a new row: they are not measured.
                warm_up=max(options.warm_up, min(0.8, 2 * count / options.records)),
                commit_ms=options.commit_ms,
                deadline_seconds=options.deadline,
                runs=runs,
            )
            print(f"{count:,} users", flush=True)
            results += throughput(bench, plan, name=f"users{number}-{count}")
    return results
