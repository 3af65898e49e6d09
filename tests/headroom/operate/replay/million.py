"""`make chaos PART=replay`: a million frames replayed, twice, then killed, then beside live ones.

`ARGS=--helpers=1`: and once more by as many processes more.
Prints what was measured; status 1 where a replay is not equal to the live tables.
"""

import argparse
import contextlib
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.dataset import Dataset, load
from headroom.operate.generations import app_name
from schemas.headers import RawHeaders
from schemas.times import rfc3339
from tests.headroom.commands import HEADROOM, environment, started, until
from tests.headroom.operate.replay.scene import RAW, Scene, scene

PACE_SECONDS = 0.02
_LATE_SECONDS = 60.0


def measured(scene: Scene, name: str, folder: Path, helpers: int = 0) -> dict[str, float]:
    """A replay to its end: how long it took with all, how fast it read, its greatest memory.

    `cpu_us` is the time of processors that a frame took in all its processes together, `load` how
    many processes wanted one in the last minute.
    """
    begun, spent = time.monotonic(), _cpu_seconds()
    with ThreadPoolExecutor(1) as pool:
        comparing = pool.submit(scene.compared, name)
        if helpers:
            until(lambda: comparing.done() or scene.state_of(name) is not None)
        with helping(scene, name, folder, helpers):
            found = comparing.result()
            seconds = time.monotonic() - begun
    assert found["equal"], found["differences"][:3]
    assert found["versions_compared"]
    cpu_us = (_cpu_seconds() - spent) * 1e6 / sum(scene.ends(RAW).values())
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    told = {"rate": found["rate"], "seconds": seconds, "peak_mib": peak_kib / 1024}
    return told | {"cpu_us": cpu_us, "load": os.getloadavg()[0]}


def _cpu_seconds() -> float:
    """Of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def helping(scene: Scene, name: str, folder: Path, count: int) -> Iterator[None]:
    """So many helpers beside the block, each of which ends by itself after it."""
    if not count:
        yield
        return
    words = ("replay", "help", name)
    with started(folder / f"help-{count}", *words, **scene.house.settings) as helper:
        with helping(scene, name, folder, count - 1):
            yield
        assert helper.process.wait(60) == 0, helper.output
        print("  " + helper.output.splitlines()[0], flush=True)


def killed(scene: Scene, name: str, folder: Path, kills: int) -> None:
    """A replay that is killed in the middle, again and again, and then goes on to its end."""
    total = sum(scene.ends(RAW).values())
    for number in range(kills):
        target = total * (number + 1) / (kills + 1)
        words = ("replay", "--generation", name)
        with started(folder / f"{name}-{number}", *words, **scene.house.settings) as command:
            until(
                lambda target=target: scene.read_of(name) >= target,
                seconds=600,
                pause_seconds=0.01,
                why=lambda c=command: c.output,
            )
            command.process.send_signal(signal.SIGKILL)
            command.process.wait()
        at = sum(scene.committed(app_name(name), RAW).values())
        assert at < total, "the kill came too late"
        print(f"  killed at {at:,} of {total:,}", flush=True)
    found = scene.compared(name)
    assert found["equal"], found["differences"][:3]


def latencies(scene: Scene, seconds: float) -> list[float]:
    """How long it takes from raw to `balances.latest.v1`, frame by frame, at a steady pace."""
    producer = Producer({"bootstrap.servers": scene.house.bootstrap, "linger.ms": 0})
    reader = Consumer(
        {
            "bootstrap.servers": scene.house.bootstrap,
            "group.id": "headroom-read",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 5,
        }
    )
    ends = scene.ends(("balances.latest.v1",))
    reader.assign([TopicPartition(*place, end) for place, end in ends.items()])
    epoch, sent, found = time.time_ns(), dict[int, float](), list[float]()
    stop = threading.Event()

    def send() -> None:
        number = 0
        until_seconds = time.monotonic() + seconds
        while time.monotonic() < until_seconds:
            number += 1
            account = f"pace-{number % 50}"
            update = '{"currency":"btc","balance":"1","available":"1","held":"0"}'
            frame = (
                f'{{"sequence":{number},"recipient":"private.enterprise.users.balances",'
                f'"payload":{{"user_id":"{account}","updates":[{update}]}}}}'
            )
            now = rfc3339(time.time_ns())
            headers = RawHeaders("sfox", "f", epoch, number, now).encode()
            sent[number] = time.monotonic()
            producer.produce(RAW[0], frame.encode(), account.encode(), headers=headers)
            producer.poll(0)
            time.sleep(PACE_SECONDS)
        producer.flush(30)
        stop.set()

    thread = threading.Thread(target=send)
    thread.start()
    deadline = time.monotonic() + seconds + _LATE_SECONDS
    while (not stop.is_set() or len(found) < len(sent)) and time.monotonic() < deadline:
        message = reader.poll(0.1)
        value = None if message is None or message.error() else message.value()
        if value is not None and f'"epoch":{epoch}'.encode() in value:
            number = int(value.partition(b'"sequence":')[2].partition(b",")[0])
            found.append(time.monotonic() - sent[number])
    thread.join()
    reader.close()
    return found


def told(name: str, found: list[float]) -> str:
    """The middle and the slow end of what was measured."""
    hundredths = statistics.quantiles(found, n=100)
    p50_ms, p99_ms = hundredths[49] * 1000, hundredths[98] * 1000
    return f"{name}: {len(found)} frames, p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms"


def beside(scene: Scene, seconds: float) -> None:
    """The latency of the live worker, alone and beside a replay."""
    latencies(scene, 3.0)
    print(told("alone", latencies(scene, seconds)), flush=True)
    words = [*HEADROOM, "replay", "--generation", "beside"]
    replay = subprocess.Popen(
        words,
        env=environment(**scene.house.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        group = app_name("beside")
        until(lambda: sum(scene.committed(group, RAW).values()) > 0, seconds=120)
        found = latencies(scene, seconds)
        running = replay.poll() is None
        print(told("beside a replay", found) + ("" if running else " (it ended before)"))
    finally:
        replay.kill()
        replay.wait()


def main(options: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="headroom-replay-") as name,
        scene(Path(name) / "house") as lived,
    ):
        lived.replay_seconds = options.patience
        load(lived.house.bootstrap, RAW[0], Dataset(options.records, options.users))
        begun = time.monotonic()
        until(lambda: lived.is_folded("first"), seconds=900)
        print(f"live: {options.records / (time.monotonic() - begun):,.0f} frames/s", flush=True)
        runs = {"one": 0, "two": 0} | ({"helped": options.helpers} if options.helpers else {})
        for name_of, helpers in runs.items():
            found = measured(lived, name_of, Path(name), helpers)
            print(f"{name_of}: " + ", ".join(f"{k} {v:,.0f}" for k, v in found.items()), flush=True)
            lived.replay("drop", name_of)
        killed(lived, "killed", Path(name), options.kills)
        print("killed: equal", flush=True)
        beside(lived, options.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make chaos PART=replay")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--helpers", type=int, default=0)
    parser.add_argument("--patience", type=float, default=1_200.0, help="seconds for one replay")
    parser.add_argument("--seconds", type=float, default=15.0, help="of the latency's measuring")
    sys.exit(main(parser.parse_args()))
