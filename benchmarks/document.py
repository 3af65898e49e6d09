"""`docs/benchmarks.md`, made of nothing but a results file."""

import re
import tomllib
from importlib.metadata import version
from typing import Any, Final

from benchmarks.kinds import ROOT
from benchmarks.report import TEXTS
from benchmarks.streams.java import JARS_LOCK

DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"
_BENCH_LOCK: Final = ROOT / "requirements-bench.lock"
_TITLES: Final = {
    "throughput": "Throughput",
    "users": "More users",
    "mixed": "Frames of both venues",
    "restore": "Restoring a table",
    "latency": "Latency at a steady pace",
    "normalise": "Normalising a frame",
    "producer": "A producer, from a venue's socket into Kafka",
    "http": "Questions and events over HTTP",
}
_HEADING: Final = re.compile(r"^## (.+)\n((?:(?!## ).*\n?)*)", re.MULTILINE)
_INTRODUCTION: Final = """\
# Benchmarks

Made by `make bench` from a results file; how, and why so, is in
[decision 10](decisions/0010-benchmarks.md). One job in all contenders: raw frames → `balances.v1` →
a row for each user in a durable local table with a changelog → `exposure.user.v1`, acks=all, one
process and one processing thread each, on a broker of its own. Every output of every run was
compared with what must come out. Ratios are of medians over alternating rounds; figures of other
machines differ, ratios less so.
"""


def versions() -> dict[str, str]:
    """What was measured, by its version."""
    jars = tomllib.loads(JARS_LOCK.read_text("utf-8"))["dependencies"]
    found = {jar["artifactId"]: jar["version"] for jar in jars}
    locked = dict(
        line.split(" ")[0].split("==")
        for line in _BENCH_LOCK.read_text("utf-8").splitlines()
        if "==" in line and not line.startswith(" ")
    )
    return {
        "headroom": version("headroom"),
        "faust-streaming": version("faust-streaming"),
        "confluent-kafka": version("confluent-kafka"),
        "quixstreams": locked["quixstreams"],
        "quixstreams' confluent-kafka": locked["confluent-kafka"],
        "kafka-streams": found["kafka-streams"],
        "rocksdbjni": found["rocksdbjni"],
    }


def document(results: dict[str, Any], before: str = "") -> str:
    """The page, part by part, each with its machine, day and command.

    What was not measured is told as it was in the page `before`.
    """
    pages = [_INTRODUCTION]
    told_before = dict(_HEADING.findall(before))
    for part, title in _TITLES.items():
        if part not in results:
            if title in told_before:
                pages.append(f"## {title}\n\n{told_before[title].strip()}\n")
            continue
        told = results[part]
        at = told["machine"]
        used = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
        # A folder of this machine is nobody's business.
        words = " ".join(word.rpartition("/")[2] for word in told["command"])
        pages.append(
            f"## {title}\n\n"
            f"{told['at']}, {at['cores']} cores of {at['cpu']}, {at['memory_gib']} GiB; "
            f'`make bench ARGS="{words}"`; {used}.\n\n'
            f"{TEXTS[part](told['runs'])}\n"
        )
    return "\n".join(pages)
