"""The part `http`: questions and events of two workers, while changes come in at a steady pace.

wrk asks about one user after the other: those that the asked worker holds, and those that the other
one does (a hop). As fast as it can, for what a question costs: the workers' CPU seconds less those
that the changes alone cost them; and one question at a time, for how long one takes. Then readers
of all events. A run with rules measures the changes alone: what rules cost the agents.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import quote

import msgspec

from benchmarks.bench import Bench, bench, until
from benchmarks.dataset import BAD_EVERY, Dataset, frames, produce, raw_producer
from benchmarks.kinds import ROOT
from benchmarks.latency import appended_ms
from benchmarks.process import Contender, ContenderFailed, cpu_seconds

HEADROOM, RULES, BASELINE = "headroom", "headroom, rules", "baseline"
_RAW: Final = "raw.sfox.balances.v1"
_FORWARDED: Final = "X-Headroom-Forwarded"
_LUA: Final = """\
local paths, at = {}, 0
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
"""
_RULES: Final = """\
[[rule]]
name = "low"
condition = "balance_below"
warning = "10"
assets = ["BTC", "ETH"]

[[rule]]
name = "held"
condition = "held_above"
warning = "1000000"
breach = "2000000"
"""
_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1_000.0}
_LAND_SECONDS: Final = 120.0


def questions(options: argparse.Namespace) -> list[dict[str, Any]]:
    """This build, with rules and without, and another checkout's where one is named."""
    if shutil.which("wrk") is None:
        raise ContenderFailed("there is no wrk: apt-get install wrk")
    names = [HEADROOM, RULES, *([BASELINE] if options.baseline else [])]
    results = []
    for name in names:
        # A broker each: the contract's topics have one name.
        with bench(keep=options.keep) as running:
            results += _Run(running, options, name).measured()
    return results


class _Run:
    """Two workers of one build, and what is asked of them."""

    def __init__(self, running: Bench, options: argparse.Namespace, name: str) -> None:
        self._running, self._options, self._name = running, options, name
        self._folder = running.folder
        self._root = Path(options.baseline).absolute() if name == BASELINE else ROOT
        self._workers: list[Contender] = []

    def measured(self) -> list[dict[str, Any]]:
        """All figures of this build."""
        self._headroom("topics", "apply")
        dataset = Dataset(10**9, self._options.users, self._options.seed)
        made = frames(dataset)
        with contextlib.ExitStack() as stack:
            urls = [stack.enter_context(self._worker(number)) for number in range(2)]
            producer = raw_producer(self._running.cluster.bootstrap)
            for frame in islice(made, self._options.users):
                produce(producer, _RAW, frame)
            producer.flush()
            held = [self._held(url) for url in urls]
            stack.enter_context(_paced(self._running, made, self._options.rate))
            quiet = self._cpu_of(lambda: time.sleep(self._options.seconds))
            found = [{"what": "a change", "us": 1e6 * quiet / self._options.rate}]
            if self._name != RULES:
                for what, users in (("owner", held[0]), ("hop", held[1])):
                    found.append({"what": what, **self._asked(urls[0], users, quiet)})
                if _tells_events(urls[0]):
                    found.append({"what": "events", **self._read(urls[0])})
        for one in found:
            print(f"{self._name:16} {one}", flush=True)
        return [{"contender": self._name, **one} for one in found]

    def _asked(self, url: str, users: list[str], quiet: float) -> dict[str, float]:
        paths = self._folder / "paths"
        paths.write_text("".join(f"/v1/users/{quote(u, safe='')}/balances\n" for u in users))
        said: list[str] = []
        busy = self._cpu_of(lambda: said.append(self._wrk(url, paths, connections=16)))
        alone = self._wrk(url, paths, connections=1)
        rate = _number(said[0], r"Requests/sec:\s+([\d.]+)")
        return {
            "rate": rate,
            "per_cpu_second": rate / max(busy - quiet, 0.001),
            "p50": percentile_ms(alone, 50),
            "p99": percentile_ms(alone, 99),
        }

    def _wrk(self, url: str, paths: Path, *, connections: int) -> str:
        script = self._folder / "ask.lua"
        script.write_text(_LUA)
        duration = f"{max(1, int(self._options.seconds))}s"
        given = ["-t1", f"-c{connections}", f"-d{duration}", "--latency", "-s", str(script)]
        done = subprocess.run(
            ["wrk", *given, url],
            env={**os.environ, "BENCH_PATHS": str(paths)},
            capture_output=True,
            text=True,
            check=True,
        )
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            raise ContenderFailed(done.stdout)
        return done.stdout

    def _read(self, url: str) -> dict[str, float]:
        """How long it takes from a frame to the event of it, or of a later one of its user."""
        file, log = self._folder / "told", self._folder / "readers.log"
        given = [url, str(self._options.readers), str(self._options.seconds), str(file)]
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.readers", *given]
        with Contender(command, log, {"PYTHONPATH": str(ROOT)}) as readers:
            for _ in until(_LAND_SECONDS + self._options.seconds, "the readers have read"):
                if file.exists():
                    break
                readers.check()
            begun = readers.said("reading") or 0
        told = msgspec.json.decode(file.read_bytes(), type=list[tuple[float, str, int]])
        delays = delays_of(told, appended_ms(self._running, _RAW), begun)
        cuts = quantiles(delays, n=100)
        return {"p50": median(delays), "p99": cuts[98], "rate": len(told) / self._options.seconds}

    def _cpu_of(self, work: Any) -> float:
        """The workers' CPU seconds in a second of some work."""
        begun, before = time.monotonic(), self._cpu()
        work()
        return (self._cpu() - before) / (time.monotonic() - begun)

    def _cpu(self) -> float:
        for worker in self._workers:
            worker.check()
        return sum(cpu_seconds(worker.pid) for worker in self._workers)

    @contextlib.contextmanager
    def _worker(self, number: int) -> Iterator[str]:
        """A worker's URL, once it answers."""
        log = self._folder / f"worker-{number}.log"
        command: list[str | Path] = [sys.executable, "-P", "-m", "headroom", "work", "--port", "0"]
        with Contender(command, log, self._settings(number)) as worker:
            self._workers.append(worker)
            url = ""
            for _ in until(_LAND_SECONDS, "a worker is ready"):
                worker.check()
                found = re.search(r"^ready (\S+)$", log.read_text("utf-8", "replace"), re.MULTILINE)
                if found:
                    url = found[1]
                    break
            yield url

    def _held(self, url: str) -> list[str]:
        """The users that a worker holds itself, once all have a row and nobody moves them."""
        found: list[str] = []
        # The first frame of some cannot be read.
        users = self._options.users - self._options.users // BAD_EVERY
        for _ in until(_LAND_SECONDS, "everybody has a row"):
            with contextlib.suppress(OSError):
                if _json(f"{url}/v1/overview", passed_on=False)["users"] >= users:
                    break
        while True:
            after = quote(found[-1] if found else "", safe="")
            page = _json(f"{url}/v1/users?limit=1000&after={after}", passed_on=True)
            found += page["users"]
            if page["next"] is None:
                return found

    def _settings(self, number: int) -> dict[str, str]:
        rules = self._folder / "rules.toml"
        rules.write_text(_RULES)
        return {
            # The build's own modules first.
            "PYTHONPATH": f"{self._root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "HEADROOM_KAFKA_BOOTSTRAP": self._running.cluster.bootstrap,
            "HEADROOM_PARTITIONS": str(self._running.cluster.partitions),
            "HEADROOM_DATA_DIR": str(self._folder / f"data-{number}"),
            "HEADROOM_LOG_LEVEL": "WARNING",
            **({"HEADROOM_ALERTS_FILE": str(rules)} if self._name == RULES else {}),
        }

    def _headroom(self, *words: str) -> None:
        command = [sys.executable, "-P", "-m", "headroom", *words]
        subprocess.run(
            command, env={**os.environ, **self._settings(0)}, check=True, stdout=subprocess.DEVNULL
        )


@contextlib.contextmanager
def _paced(running: Bench, made: Iterator[Any], rate: int) -> Iterator[None]:
    """Frames come in at a rate while the block runs."""
    over = threading.Event()

    def send() -> None:
        producer, begun = raw_producer(running.cluster.bootstrap), time.monotonic()
        for number, frame in enumerate(made):
            while number > (time.monotonic() - begun) * rate and not over.is_set():
                producer.poll(0)
                time.sleep(0.001)
            if over.is_set():
                break
            produce(producer, _RAW, frame)
        producer.flush()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def delays_of(
    told: list[tuple[float, str, int]], appended: dict[str, list[int]], begun_ms: int
) -> list[float]:
    """Of each frame since a moment the milliseconds until it, or a later one, was told."""
    reached: dict[str, int] = {}
    delays = []
    for at_ms, user, version in told:
        times = appended[user][reached.get(user, 0) : version]
        delays += [at_ms - since for since in times if since >= begun_ms]
        reached[user] = max(version, reached.get(user, 0))
    return delays


def _tells_events(url: str) -> bool:
    """Whether a build has the path: an earlier one has not."""
    try:
        with urllib.request.urlopen(f"{url}/v1/events?user=nobody", timeout=10):  # noqa: S310 - a worker of ours
            return True
    except urllib.error.HTTPError as error:
        return error.code != HTTPStatus.NOT_FOUND


def _json(url: str, *, passed_on: bool) -> Any:
    headers = {_FORWARDED: "1"} if passed_on else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - a worker of ours
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        return json.load(answer)


def percentile_ms(said: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    if found is None:
        raise ContenderFailed(said)
    return float(found[1]) * _MS[found[2]]


def _number(said: str, pattern: str) -> float:
    found = re.search(pattern, said)
    if found is None:
        raise ContenderFailed(said)
    return float(found[1])
