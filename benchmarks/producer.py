"""The part `producer`: from a venue's socket into Kafka, beside a bare loop of the same libraries.

Also how fast a spool drains, and how much memory a producer needs while Kafka is away. The venue
(`benchmarks.venue`) runs on the same machine, as the broker does: what is compared ran in turns.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException

from benchmarks.bench import Bench, until
from benchmarks.cluster import Cluster
from benchmarks.kinds import ROOT
from benchmarks.process import Contender, cpu_seconds, peak_mib
from schemas.topics import TOPICS

_RAW: Final = "raw.sfox.balances.v1"
_BARE_TOPIC: Final = "bench-bare"
_BARE: Final = "bare"
_HEADROOM: Final = "headroom"
_BASELINE: Final = "baseline"
_AWAY_SECONDS: Final = 30
_AWAY_RATE: Final = 5_000
_ANSWER_SECONDS: Final = 60.0
# What the kernel counts CPU time in.
_TICK_SECONDS: Final = 0.01


def producer(running: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rounds of all contenders, every second one backwards; then the drain and the memory."""
    names = [_BARE, _HEADROOM, *([_BASELINE] if options.baseline else [])]
    _make_topics(running)
    runs = []
    for number in range(options.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            runs.append(_Run(running, options, name).through())
            print(runs[-1], flush=True)
    for one in (_away, _drain):
        runs.append(one(running, options))
        print(runs[-1], flush=True)
    return runs


def _make_topics(running: Bench) -> None:
    cluster = running.cluster
    for name in (_RAW, "headroom-feeds.v1", "feeds.v1"):
        cluster.create([name], TOPICS[name].settings(replication_factor=1))
    cluster.create([_BARE_TOPIC], TOPICS[_RAW].settings(replication_factor=1))


class _Run:
    """A venue and a contender, from the first frame to the last one in Kafka."""

    def __init__(self, running: Bench, options: argparse.Namespace, name: str) -> None:
        self._running = running
        self._options = options
        self._name = name
        self._cluster = running.cluster
        self._topic = _BARE_TOPIC if name == _BARE else _RAW
        self.spool = running.folder / "spool"

    def through(self) -> dict[str, Any]:
        """As fast as it goes."""
        options, count = self._options, self._options.producer_frames
        with self.started(count, options.frame_bytes) as (venue, contender):
            begun, cpu, before = time.monotonic(), cpu_seconds(contender.pid), self.written()
            os.kill(venue.pid, signal.SIGUSR1)
            self.wait(contender, before + count, options.deadline)
            seconds = time.monotonic() - begun
            cpu = cpu_seconds(contender.pid) - cpu
            return {
                "contender": self._name,
                "guarantee": "",
                "rate": round(count / seconds),
                "frames_per_cpu_second": round(count / max(cpu, _TICK_SECONDS)),
                "peak_mib": round(peak_mib(contender.pid), 1),
            }

    @contextmanager
    def started(
        self, frames: int, size: int, rate: int = 0
    ) -> Iterator[tuple[Contender, Contender]]:
        """The venue, which waits for its signal, and the contender, which is subscribed."""
        folder = self._running.folder
        environment = {"PYTHONPATH": str(ROOT)}
        log = folder / f"venue-{time.time_ns()}.log"
        count = ("--frames", str(frames), "--bytes", str(size), "--rate", str(rate))
        serving = [sys.executable, "-P", "-m", "benchmarks.venue", *count]
        with Contender(serving, log, environment) as venue:
            port = None
            for _ in until(60, "the venue is up"):
                venue.check()
                port = venue.said("port")
                if port is not None:
                    break
            command, settings = self._command(f"ws://127.0.0.1:{port}/ws")
            with Contender(command, log.with_suffix(f".{self._name}.log"), settings) as contender:
                for _ in until(60, "the contender is subscribed"):
                    contender.check()
                    if venue.said("subscribed"):
                        break
                yield venue, contender
        shutil.rmtree(self.spool, ignore_errors=True)

    @contextmanager
    def all_sent_behind_kafka(self, venue: Contender, contender: Contender) -> Iterator[None]:
        """Kafka stands still, and the venue has sent all of its frames; it goes on afterwards."""
        os.kill(self._running.broker_pid, signal.SIGSTOP)
        try:
            os.kill(venue.pid, signal.SIGUSR1)
            for _ in until(self._options.deadline, "the venue has sent all"):
                contender.check()
                if venue.said("sent"):
                    break
            time.sleep(1)
            yield
        finally:
            os.kill(self._running.broker_pid, signal.SIGCONT)

    def wait(self, contender: Contender, count: int, deadline: float) -> None:
        """Until so many records are there."""
        for _ in until(deadline, "all frames are in Kafka", poll_seconds=0.02):
            contender.check()
            if self.written() >= count:
                return

    def written(self) -> int:
        """How many records are there."""
        for _ in until(_ANSWER_SECONDS, "Kafka answers"):
            with suppress(KafkaException):
                return sum(self._cluster.ends(self._topic, committed_only=False).values())
            # One that has seen a broker come back goes on asking with what it knew before.
            self._cluster = Cluster(self._cluster.bootstrap, self._cluster.partitions)
        return 0

    def _command(self, url: str) -> tuple[list[str | Path], dict[str, str]]:
        bootstrap = self._running.cluster.bootstrap
        if self._name == _BARE:
            module = "benchmarks.contenders.socket_to_kafka"
            given = ["--bootstrap", bootstrap, "--url", url, "--topic", self._topic]
            return [sys.executable, "-P", "-m", module, *given], {"PYTHONPATH": str(ROOT)}
        root = ROOT if self._name == _HEADROOM else Path(self._options.baseline).absolute()
        return [sys.executable, "-P", "-m", "headroom", "produce", "sfox"], {
            "PYTHONPATH": str(root),
            "HEADROOM_KAFKA_BOOTSTRAP": bootstrap,
            "HEADROOM_SFOX_URL": url,
            "HEADROOM_SFOX_API_KEY": "bench-key-0123456789",
            "HEADROOM_DATA_DIR": str(self._running.folder / "data"),
            "HEADROOM_SPOOL_DIR": str(self.spool),
        }


def _away(running: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Kafka stands still while frames of 1 kB come at a rate: memory, and that all arrive."""
    run = _Run(running, options, _HEADROOM)
    count = _AWAY_RATE * (3 if options.quick else _AWAY_SECONDS)
    with run.started(count, 1_000, _AWAY_RATE) as (venue, contender):
        before = run.written()
        with run.all_sent_behind_kafka(venue, contender):
            peak = peak_mib(contender.pid)
        run.wait(contender, before + count, options.deadline)
        return {"contender": "kafka away", "guarantee": "", "rate": _AWAY_RATE, "peak_mib": peak}


def _drain(running: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """A spool that was filled while Kafka stood still, drained: from its first record on."""
    run = _Run(running, options, _HEADROOM)
    count = 20_000 if options.quick else options.spooled
    with run.started(count, options.frame_bytes) as (venue, contender):
        before = run.written()
        with run.all_sent_behind_kafka(venue, contender):
            pass
        already = 0
        for _ in until(options.deadline, "the drain begins", poll_seconds=0.01):
            already = run.written() - before
            if already > 0:
                break
        begun, cpu = time.monotonic(), cpu_seconds(contender.pid)
        run.wait(contender, before + count, options.deadline)
        seconds = time.monotonic() - begun
        cpu = cpu_seconds(contender.pid) - cpu
        drained = count - already
        return {
            "contender": "drain",
            "guarantee": "",
            "rate": round(drained / max(seconds, _TICK_SECONDS)),
            "frames_per_cpu_second": round(drained / max(cpu, _TICK_SECONDS)),
            "peak_mib": peak_mib(contender.pid),
        }
