"""What a person reads: ratios first, then the medians of every contender."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, Final

from benchmarks.kinds import AT_LEAST_ONCE, EXACTLY_ONCE

Run = dict[str, Any]
Key = tuple[str, str]
_PER_CPU: Final = "frames_per_cpu_second"
_STREAMS_EVERY: Final = ("streams", "streams-cached")


def medians(runs: Iterable[Run]) -> dict[Key, Run]:
    """Of every contender in every guarantee the median of each figure, and the spread of rates."""
    grouped: dict[Key, list[Run]] = {}
    for run in runs:
        grouped.setdefault((run["contender"], run["guarantee"]), []).append(run)
    found = {}
    for key, same in grouped.items():
        figures = {n: median(r[n] for r in same) for n, v in same[0].items() if _is_number(v)}
        rates = [run["rate"] for run in same]
        found[key] = figures | {"low": min(rates), "high": max(rates), "rounds": len(same)}
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def ratios(runs: Iterable[Run]) -> list[tuple[str, float, str]]:
    """What is claimed, as (what, ratio, what it must be); only of what was measured."""
    found = medians(runs)
    lines = []

    def rate(name: str, guarantee: str) -> float | None:
        return found[name, guarantee]["rate"] if (name, guarantee) in found else None

    for guarantee in (AT_LEAST_ONCE, EXACTLY_ONCE):
        every, latest = rate("headroom-every", guarantee), rate("headroom", guarantee)
        streams = _best(rate(name, guarantee) for name in _STREAMS_EVERY)
        peers = _best((streams, rate("quix", guarantee)))
        told = f"{guarantee}, every version sent"
        lines += _line(f"Headroom / Kafka Streams ({told})", every, streams)
        lines += _line(f"Headroom / Quix Streams ({told})", every, rate("quix", guarantee))
        lines += _line(f"Headroom / the better of them ({told})", every, peers, ">= 2.0")
        coalesced = rate("streams-latest", guarantee)
        told = f"{guarantee}, newest version sent"
        lines += _line(f"Headroom / Kafka Streams ({told})", latest, coalesced, ">= 2.0")
        lines += _line(
            f"Headroom / stock Faust ({guarantee} / at_least_once, every version sent)",
            every,
            rate("faust", AT_LEAST_ONCE),
            ">= 10",
        )
    for name in ("headroom-every", "headroom"):
        safe, fast = rate(name, EXACTLY_ONCE), rate(name, AT_LEAST_ONCE)
        lines += _line(f"{name}: exactly_once / at_least_once", safe, fast, ">= 0.8")
    ceiling = rate("plain", AT_LEAST_ONCE)
    lines += _line(
        "Headroom / plain loop without a table (at_least_once, every version sent)",
        rate("headroom-every", AT_LEAST_ONCE),
        ceiling,
    )
    return lines


def _best(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if known else None


def _line(
    what: str, one: float | None, other: float | None, wanted: str = ""
) -> list[tuple[str, float, str]]:
    return [] if one is None or other is None else [(what, one / other, wanted)]


COLUMNS: Final[tuple[tuple[str, Callable[[Run], str]], ...]] = (
    ("records/s", lambda m: f"{m['rate']:,.0f}"),
    ("low to high", lambda m: f"{m['low']:,.0f} to {m['high']:,.0f}"),
    ("CPU µs/record", lambda m: f"{m['cpu_us_per_record']:.0f}"),
    ("broker CPU µs/record", lambda m: f"{m['broker_cpu_us_per_record']:.0f}"),
    ("peak MiB", lambda m: f"{m['peak_mib']:.0f}"),
    ("changelog records", lambda m: f"{m['changelog']:,.0f}"),
    ("exposures", lambda m: f"{m['exposures']:,.0f}"),
)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table that is good Markdown and good to read in a terminal."""
    every = [header, *rows]
    widths = [max(len(row[at]) for row in every) for at in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *map(line, every[1:])])


def throughput_text(runs: list[Run]) -> str:
    """The ratios, then the table."""
    told = [(what, f"{ratio:.2f}", wanted) for what, ratio, wanted in ratios(runs)]
    rows = [
        (name, guarantee, *(show(figures) for _, show in COLUMNS))
        for (name, guarantee), figures in medians(runs).items()
    ]
    header = ("contender", "guarantee", *(name for name, _ in COLUMNS))
    first = table(("ratio of medians", "is", "must be"), told) + "\n\n" if told else ""
    return first + table(header, rows)


def users_text(runs: list[Run]) -> str:
    """CPU per record by the number of users, and their ratio."""
    counts = sorted({run["users"] for run in runs})
    rows = []
    for key in dict.fromkeys((run["contender"], run["guarantee"]) for run in runs):
        same = [run for run in runs if (run["contender"], run["guarantee"]) == key]
        costs = [
            median(run["cpu_us_per_record"] for run in same if run["users"] == count)
            for count in counts
        ]
        told = (f"{cost:.0f}" for cost in costs)
        rows.append((*key, *told, f"{costs[-1] / costs[0]:.2f}", "<= 1.2"))
    header = (f"µs of CPU a record at {c:,} users" for c in counts)
    return table(("contender", "guarantee", *header, "ratio", "must be"), rows)


def mixed_text(runs: list[Run]) -> str:
    """Rates by whose frames they were, and their ratio to sFOX's."""
    rows = []
    for key in dict.fromkeys((run["contender"], run["guarantee"]) for run in runs):
        same = [run for run in runs if (run["contender"], run["guarantee"]) == key]
        plain: float | None = None
        for case in dict.fromkeys(run["frames"] for run in same):
            of_case = [run for run in same if run["frames"] == case]
            rate = median(run["rate"] for run in of_case)
            cpu = median(run["cpu_us_per_record"] for run in of_case)
            plain = rate if plain is None else plain
            told = f"{rate:,.0f}", f"{cpu:.0f}", f"{rate / plain:.2f}"
            rows.append((*key, case, *told, "" if rate is plain else ">= 0.7"))
    header = ("contender", "guarantee", "frames of", "records/s", "CPU µs/record", "ratio")
    return table((*header, "must be"), rows)


def restore_text(runs: list[Run]) -> str:
    """Rows a second and peak memory, Headroom's ratio first."""
    rates = {n: median(r["rate"] for r in runs if r["contender"] == n) for n in _names(runs)}
    peaks = {n: median(r["peak_mib"] for r in runs if r["contender"] == n) for n in _names(runs)}
    told = ""
    if {"headroom", "streams"} <= rates.keys():
        ratio = f"{rates['headroom'] / rates['streams']:.2f}"
        row = ("Headroom / Kafka Streams, restoring the same changelog", ratio, ">= 1.0")
        told = table(("ratio of medians", "is", "must be"), [row]) + "\n\n"
    rows = [(n, f"{rates[n]:,.0f}", f"{peaks[n]:.0f}", f"{runs[0]['rows']:,}") for n in rates]
    return told + table(("contender", "rows/s", "peak MiB", "rows"), rows)


def latency_text(runs: list[Run]) -> str:
    """Milliseconds from the raw record's append, by what was reached."""
    names = ("contender", "guarantee", "records/s", "to", "p50 ms", "p99 ms", "max ms")
    header = (*names, "CPU µs/record", "broker CPU µs/record", "must be")
    rows = [
        (
            *(run["contender"], run["guarantee"], f"{run['paced']:,}", run["to"]),
            *(f"{run[name]:.1f}" for name in ("p50", "p99", "max")),
            *(f"{run[f'{name}_us_per_record']:.0f}" for name in ("cpu", "broker_cpu")),
            run["must_be"],
        )
        for run in runs
    ]
    return table(header, rows)


def normalise_text(runs: list[Run]) -> str:
    """Microseconds for a frame, and how many times what one of sFOX costs with as many amounts."""
    rows = []
    for amounts in sorted({run["amounts"] for run in runs}):
        same = [run for run in runs if run["amounts"] == amounts]
        costs: dict[str, float] = {}
        for form in dict.fromkeys(run["form"] for run in same):
            costs[form] = median(run["us"] for run in same if run["form"] == form)
            size = next(run["bytes"] for run in same if run["form"] == form)
            ratio = costs[form] / costs["sfox"]
            told = f"{size:,.0f}", f"{costs[form]:.2f}", f"{ratio:.2f}"
            rows.append((f"{amounts}", form, *told, "" if form == "sfox" else "<= 1.5"))
    header = ("amounts", "frame of", "bytes", "µs", "ratio", "must be")
    first = "" if all(run["compiled"] for run in runs) else "Nothing is compiled.\n\n"
    return first + table(header, rows)


def producer_text(runs: list[Run]) -> str:
    """Headroom's producer beside a bare loop, and another checkout's where one was named."""
    found = {
        name: {
            figure: median(run[figure] for run in runs if run["contender"] == name)
            for figure in ("rate", _PER_CPU, "peak_mib")
            if all(figure in run for run in runs if run["contender"] == name)
        }
        for name in _names(runs)
    }
    rows = []
    for what, figure, other, wanted in (
        ("frames/s: Headroom / a bare loop", "rate", "bare", ">= 0.7"),
        ("frames a CPU second: Headroom / a bare loop", _PER_CPU, "bare", ""),
        ("frames a CPU second: Headroom / the baseline", _PER_CPU, "baseline", ">= 2"),
    ):
        if other in found:
            ratio = found["headroom"][figure] / found[other][figure]
            rows.append((what, f"{ratio:.2f}", _by_round(runs, figure, other), wanted))
    if "drain" in found:
        rows.append(("frames/s of the drain", f"{found['drain']['rate']:,.0f}", "", ">= 20,000"))
    if "kafka away" in found:
        peak = f"{found['kafka away']['peak_mib']:.0f}"
        rows.append(("peak MiB with Kafka away, 5,000 frames/s of 1 kB", peak, "", "< 150"))
    header = ("contender", "frames/s", "CPU µs/frame", "peak MiB")
    figures = [
        (
            name,
            f"{one['rate']:,.0f}",
            f"{1e6 / one[_PER_CPU]:.1f}" if _PER_CPU in one else "",
            f"{one['peak_mib']:.0f}",
        )
        for name, one in found.items()
    ]
    told = table(("figure", "is", "by round", "must be"), rows)
    return told + "\n\n" + table(header, figures)


def _by_round(runs: list[Run], figure: str, other: str) -> str:
    """The lowest and the highest ratio to another of what ran in the same round."""
    ours, theirs = (
        [run[figure] for run in runs if run["contender"] == n] for n in ("headroom", other)
    )
    ratios = sorted(one / two for one, two in zip(ours, theirs, strict=True))
    return f"{ratios[0]:.2f} to {ratios[-1]:.2f}"


def _names(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run["contender"] for run in runs))


def http_text(runs: list[Run]) -> str:
    """What is asked for first, then every figure."""
    found = {(run["contender"], run["what"]): run for run in runs}
    plain = found["headroom", "a change"]["us"]
    rows = [
        ("a change with rules / without, CPU", f"{ruled['us'] / plain:.2f}", "< 1.1")
        for key, ruled in found.items()
        if key == ("headroom, rules", "a change")
    ]
    for what, wanted in (("owner", "< 25"), ("hop", "< 40")):
        one, other = found["headroom", what], found.get(("baseline", what))
        rows.append((f"p99 ms of a question to the {what}", f"{one['p99']:.1f}", wanted))
        if other is not None:
            ratio = one["per_cpu_second"] / other["per_cpu_second"]
            rows.append((f"questions a CPU second, {what} / baseline", f"{ratio:.2f}", ">= 2"))
    rows.append(("p50 ms, frame to event", f"{found['headroom', 'events']['p50']:.0f}", "< 300"))
    figures = ("us", "rate", "per_cpu_second", "p50", "p99")
    told = [
        (
            *(run["contender"], run["what"]),
            *(f"{run[name]:,.1f}" if name in run else "" for name in figures),
        )
        for run in runs
    ]
    header = ("contender", "of", "CPU µs", "a second", "a CPU second", "p50 ms", "p99 ms")
    return table(("figure", "is", "must be"), rows) + "\n\n" + table(header, told)


TEXTS: Final[dict[str, Callable[[list[Run]], str]]] = {
    "throughput": throughput_text,
    "users": users_text,
    "mixed": mixed_text,
    "restore": restore_text,
    "latency": latency_text,
    "normalise": normalise_text,
    "producer": producer_text,
    "http": http_text,
}
