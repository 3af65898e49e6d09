"""The part `mixed`: what frames of both venues cost, in the form in which each venue sends them.

The same number of frames, of the same accounts and assets: all of sFOX, all of Hercle, and half of
each in one worker. In turns, on one broker.
"""

import argparse
from typing import Any, Final, NamedTuple

from benchmarks.bench import Bench
from benchmarks.dataset import Dataset, load
from benchmarks.kinds import runs_of
from benchmarks.oracle import Expected, expected
from benchmarks.throughput import Plan, one_run
from schemas.venues import VENUES

_NAMES: Final = ("headroom", "headroom-every")
CASES: Final = {"sfox": ("sfox",), "hercle": ("hercle",), "mixed": ("sfox", "hercle")}


class Source(NamedTuple):
    """Raw topics, and what follows from them."""

    raws: list[str]
    wanted: Expected


def mixed(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All cases in turn, every second round backwards."""
    sources = {case: _source(bench, case, options) for case in CASES}
    chosen = [name for name in _NAMES if name in options.contenders.split(",")]
    runs = runs_of(chosen, options.guarantees.split(","))
    plan = Plan(
        dataset=Dataset(options.records, options.users, options.seed),
        slow_dataset=Dataset(options.slow_records, options.users, options.seed),
        rounds=options.rounds,
        warm_up=options.warm_up,
        commit_ms=options.commit_ms,
        deadline_seconds=options.deadline,
        runs=runs,
    )
    results = []
    for number in range(options.rounds):
        for case in list(CASES)[:: -1 if number % 2 else 1]:
            for kind, guarantee in runs:
                (raw, *also), wanted = sources[case]
                told = bench.options(raw, kind, guarantee, plan.commit_ms, also)
                bench.cluster.create_outputs(told.prefix)
                result = one_run(bench, kind, told, wanted, plan)
                bench.forget(told)
                results.append({"round": number + 1, "frames": case, **result})
                what = f"{case:8}{kind.name:16}{guarantee:14}"
                print(f"round {number + 1}  {what} {result['rate']:9,.0f} /s", flush=True)
    return results


def _source(bench: Bench, case: str, options: argparse.Namespace) -> Source:
    raws = []
    for venue in CASES[case]:
        raw = f"{case}.{VENUES[venue].raw_topic}"
        bench.cluster.create_raw(raw)
        records = options.records // len(CASES[case])
        load(bench.cluster.bootstrap, raw, Dataset(records, options.users, options.seed, venue))
        raws.append(raw)
    return Source(raws, expected(bench.cluster, *raws))
