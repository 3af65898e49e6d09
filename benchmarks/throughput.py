"""The part `throughput`: alternating rounds of all contenders over the same raw topic."""

import time
from typing import Any, Final, NamedTuple

from benchmarks.bench import Bench, until
from benchmarks.dataset import Dataset, load
from benchmarks.job import Options
from benchmarks.kinds import Kind
from benchmarks.oracle import Expected, compare, expected
from benchmarks.process import Contender, peak_mib
from benchmarks.sampling import Progress, Sampler, speed
from schemas.topics import BALANCES, EXPOSURE_USER
from schemas.venues import VENUES

# A contender that shows nothing new for so long, with its sources committed, may be done.
QUIET_SECONDS: Final = 1.0
_COMMIT_SECONDS: Final = 60.0


class Plan(NamedTuple):
    """What to run: `warm_up` is the share of the records that is not measured."""

    dataset: Dataset
    slow_dataset: Dataset
    rounds: int
    warm_up: float
    commit_ms: int
    deadline_seconds: float
    runs: list[tuple[Kind, str]]


def throughput(bench: Bench, plan: Plan, name: str = "bench") -> list[dict[str, Any]]:
    """All runs of all rounds, compared with what must come out; `name` begins the raw topics'."""
    sources = {}
    for slow in {kind.slow for kind, _ in plan.runs}:
        dataset = plan.slow_dataset if slow else plan.dataset
        raw = f"{name}{'-slow' if slow else ''}.{VENUES[dataset.venue].raw_topic}"
        bench.cluster.create_raw(raw)
        load(bench.cluster.bootstrap, raw, dataset)
        sources[slow] = raw, dataset, expected(bench.cluster, raw)
    results = []
    for number in range(plan.rounds):
        # Every second round backwards: who comes after whom must not matter.
        for kind, guarantee in plan.runs[:: -1 if number % 2 else 1]:
            raw, dataset, wanted = sources[kind.slow]
            options = bench.options(raw, kind, guarantee, plan.commit_ms)
            bench.cluster.create_outputs(options.prefix)
            result = one_run(bench, kind, options, wanted, plan)
            results.append({"round": number + 1, "users": dataset.users, **result})
            bench.forget(options)
            print(
                f"round {number + 1}  {kind.name:16} {guarantee:14} {result['rate']:9,.0f} /s",
                flush=True,
            )
    return results


def one_run(
    bench: Bench, kind: Kind, options: Options, wanted: Expected, plan: Plan
) -> dict[str, Any]:
    """One contender over the whole raw topic; raises where its outputs are not right."""
    with bench.running(kind, options) as contender:
        sampler = Sampler(
            bench.cluster, options, contender_pid=contender.pid, broker_pid=bench.broker_pid
        )
        sampler.start()
        progress = Progress(bench.cluster, options)
        try:
            _wait_for_all(bench, options, contender, sampler, progress, wanted, plan)
        finally:
            sampler.stop()
        _wait_for_commits(bench, options, contender, wanted)
        peak = peak_mib(contender.pid)
    once = options.guarantee == "exactly_once"
    counts = compare(bench.cluster, options, wanted, whole=True, once=once)
    measured = speed(sampler.samples, progress, options, int(wanted.versions * plan.warm_up))
    return {
        "contender": kind.name,
        "guarantee": options.guarantee,
        "coalesces": kind.coalesces,
        "rate": measured.rate,
        "records": measured.records,
        "seconds": measured.seconds,
        "cpu_us_per_record": measured.contender_cpu / measured.records * 1e6,
        "broker_cpu_us_per_record": measured.broker_cpu / measured.records * 1e6,
        "peak_mib": peak,
        "repeated": counts["repeated"],
        "exposures": counts["exposures"],
        "changelog": _changelog_records(bench, options),
    }


def _wait_for_all(
    bench: Bench,
    options: Options,
    contender: Contender,
    sampler: Sampler,
    progress: Progress,
    wanted: Expected,
    plan: Plan,
) -> None:
    """Wait until every change can be read; looks into the outputs only once they stand still."""
    raw_ends = {raw: sum(bench.cluster.ends(raw).values()) for raw in options.raws}
    for _ in until(plan.deadline_seconds, f"{options.group} was not done"):
        contender.check()
        sampler.check()
        if any(bench.cluster.committed(options.group, r) < end for r, end in raw_ends.items()):
            continue
        if _is_quiet(sampler) and progress.read_on() >= wanted.versions:
            return


def _is_quiet(sampler: Sampler) -> bool:
    samples = sampler.samples[:]
    since = time.monotonic() - QUIET_SECONDS
    late = [sample for sample in samples if sample.at >= since]
    return len(late) > 1 and len(late) < len(samples) and late[0].ends == late[-1].ends


def _wait_for_commits(
    bench: Bench, options: Options, contender: Contender, wanted: Expected
) -> None:
    """Nothing counts as done that is not committed as well."""
    topic = options.topic(BALANCES)
    for _ in until(_COMMIT_SECONDS, f"{options.group} did not commit {topic}"):
        contender.check()
        if bench.cluster.committed(options.group, topic) >= len(wanted.balances):
            return


def _changelog_records(bench: Bench, options: Options) -> int:
    """How many records the changelog got: whoever coalesces rows writes fewer."""
    outputs = {options.topic(BALANCES), options.topic(EXPOSURE_USER)}
    names = [n for n in bench.cluster.named(options.group) if "changelog" in n and n not in outputs]
    return sum(1 for name in names for _ in bench.cluster.read(name))
