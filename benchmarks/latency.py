"""The part `latency`: frames at a steady pace, and when what follows from them can be read.

From the broker's own time of a raw record's append to the moment at which a `read_committed`
reader outside has in hand: its exposure, or its row's record in the changelog (`table`; the local
row is written right after the broker's word for it). A newer version stands for all before it.
"""

import argparse
import threading
import time
from collections.abc import Iterator
from itertools import islice
from statistics import quantiles
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.bench import Bench, until
from benchmarks.dataset import Dataset, Frame, frames, produce, raw_producer
from benchmarks.job import Options
from benchmarks.kinds import AT_LEAST_ONCE, EXACTLY_ONCE, KINDS, Kind
from benchmarks.process import cpu_seconds
from schemas.topics import EXPOSURE_USER

_NAMES: Final = ("headroom", "headroom-every", "streams", "streams-latest")
# Before this share of the time a JVM is still compiling itself.
_WARM_UP: Final = 0.25
_LAND_SECONDS: Final = 60.0
_MUST_BE: Final = {
    (AT_LEAST_ONCE, "table"): "p99 < 50",
    (EXACTLY_ONCE, EXPOSURE_USER): "p99 < 400",
}


class _Versioned(msgspec.Struct):
    user: str
    version: int


class Watcher(threading.Thread):
    """Reads topics as they grow, and notes when which version of a user was there."""

    def __init__(self, bootstrap: str, topics: list[str], partitions: int) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, list[tuple[float, str, int]]] = {topic: [] for topic in topics}
        self._over = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench-watcher",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "fetch.queue.backoff.ms": 1,
            }
        )
        self._consumer.assign([TopicPartition(t, p, 0) for t in topics for p in range(partitions)])

    def run(self) -> None:
        """Read until stopped."""
        decode = msgspec.json.Decoder(_Versioned).decode
        while not self._over.is_set():
            messages = self._consumer.consume(500, 0.002)
            now_ms = time.time() * 1_000
            for message in messages:
                if message.error() is None and message.value():
                    row = decode(message.value())
                    self.seen[message.topic()].append((now_ms, row.user, row.version))
        self._consumer.close()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self.join()


def latency(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every contender in every guarantee once."""
    chosen = options.contenders.split(",")
    results = []
    for number, guarantee in enumerate(options.guarantees.split(",")):
        for name in _NAMES:
            kind = KINDS[name]
            if name not in chosen or guarantee not in kind.guarantees:
                continue
            raw = f"paced{number}-{name}.raw.sfox.balances.v1"
            told = bench.options(raw, kind, guarantee, options.commit_ms)
            results += one_latency(bench, kind, told, options)
            print(f"{name:16} {guarantee:14} p99 {results[-1]['p99']:.1f} ms", flush=True)
    return results


def one_latency(
    bench: Bench, kind: Kind, told: Options, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Pace the frames through one contender; the percentiles to table and to exposure."""
    bench.cluster.create_raw(told.raw)
    bench.cluster.create_outputs(told.prefix)
    exposure, changelog = told.topic(EXPOSURE_USER), f"{told.group}-users-changelog"
    with bench.running(kind, told) as contender:
        for _ in until(_LAND_SECONDS, f"{told.group} made no changelog"):
            contender.check()
            if changelog in bench.cluster.named(told.group):
                break
        watcher = Watcher(told.bootstrap, [exposure, changelog], told.partitions)
        watcher.start()
        try:
            appended: dict[str, list[int]] = {}
            count = options.users + int(options.rate * options.seconds)
            made = frames(Dataset(count, options.users, options.seed))
            # Everybody once: it is ready when it has shown all of them. Then the pace begins.
            busy = broker_busy = 0.0
            for part in (islice(made, options.users), made):
                busy, broker_busy = cpu_seconds(contender.pid), cpu_seconds(bench.broker_pid)
                _pace(told, part, options.rate)
                appended = appended_ms(bench, told.raw)
                wanted = sum(map(len, appended.values()))
                for _ in until(_LAND_SECONDS, f"{told.group} did not show everything"):
                    contender.check()
                    if all(_newest(watcher.seen[t]) >= wanted for t in (exposure, changelog)):
                        break
            busy = cpu_seconds(contender.pid) - busy
            broker_busy = cpu_seconds(bench.broker_pid) - broker_busy
        finally:
            watcher.stop()
    results = []
    for to, topic in (("table", changelog), (EXPOSURE_USER, exposure)):
        delays = _delays(watcher.seen[topic], appended, _WARM_UP * options.seconds * 1_000)
        cuts = quantiles(delays, n=100)
        results.append(
            {
                "contender": kind.name,
                "guarantee": told.guarantee,
                "paced": options.rate,
                "to": to,
                "p50": cuts[49],
                "p99": cuts[98],
                "max": max(delays),
                "samples": len(delays),
                "cpu_us_per_record": 1e6 * busy / (count - options.users),
                "broker_cpu_us_per_record": 1e6 * broker_busy / (count - options.users),
                "must_be": _MUST_BE.get((told.guarantee, to), ""),
            }
        )
    bench.forget(told)
    return results


def _pace(told: Options, made: Iterator[Frame], rate: int) -> None:
    """Send frames at their times; late ones at once, so that the mean holds."""
    producer = raw_producer(told.bootstrap)
    start = time.monotonic()
    for number, frame in enumerate(made):
        while number > (time.monotonic() - start) * rate:
            producer.poll(0)
            time.sleep(0.001)
        produce(producer, told.raw, frame)
    producer.flush()


def appended_ms(bench: Bench, raw: str) -> dict[str, list[int]]:
    """When each user's sound frames were appended, in their order; milliseconds since 1970."""
    found: dict[str, list[int]] = {}
    for message in bench.cluster.read(raw):
        # The dataset's unsound frames are of nobody: they have the key of one, and no snapshot.
        if b'"collateral_wallet"' in message.value():
            user = f"sfox:{message.key().decode()}"
            found.setdefault(user, []).append(message.timestamp()[1])
    return found


def _newest(seen: list[tuple[float, str, int]]) -> int:
    return sum({user: version for _, user, version in seen[:]}.values())


def _delays(
    seen: list[tuple[float, str, int]], appended: dict[str, list[int]], warm_up_ms: float
) -> list[float]:
    """Of each raw record the milliseconds until it, or a later one of its user, was there."""
    # Everybody's first frame is the one that waited for the contender to be ready.
    first = min(times[1] for times in appended.values() if len(times) > 1) + warm_up_ms
    reached: dict[str, int] = {}
    delays = []
    for at_ms, user, version in seen:
        for number in range(reached.get(user, 0), version):
            since = appended[user][number]
            if since >= first:
                delays.append(at_ms - since)
        reached[user] = max(version, reached.get(user, 0))
    return delays
