"""docs/consumers, run as they stand against a real Kafka with venues, producers and a worker."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from benchmarks.streams.java import COMPILER_LOCK
from headroom.local.kafka.jars import CONSOLE_LOCK, ensure
from headroom.local.kafka.java import find_java
from schemas.headers import RawHeaders, cloud_event
from schemas.topics import BALANCES
from schemas.venues import VENUES
from tests.headroom.commands import headroom, until
from tests.headroom.house import House, house
from tests.producers import topics

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[2] / "docs/consumers"
FRAMES = 40
EPOCH = 1_710_367_000_000_000_000


def frame(number: int) -> bytes:
    amount = f'"{number}.10"'
    update = f'{{"currency":"btc","balance":{amount},"available":{amount},"held":"0"}}'
    return (
        f'{{"sequence":{number},"recipient":"private.enterprise.users.balances",'
        f'"timestamp":1710367225302228171,"payload":{{"user_id":"user-{number % 5}",'
        f'"updates":[{update}]}}}}'
    ).encode()


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000000000Z"


def earlier() -> str:
    """A moment before all frames, also around midnight."""
    return f"{datetime.now(UTC) - timedelta(hours=12):%Y-%m-%dT%H:%M}"


class Told:
    """A house, and frames of five users in it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.bootstrap = house.bootstrap
        self.sent = 0
        self.frames = 0

    def send(self, frames: int) -> None:
        records = []
        for number in range(self.sent, self.sent + frames):
            headers = RawHeaders("sfox", "f", EPOCH, number + 1, now()).encode()
            records.append((f"user-{number % 5}".encode(), frame(number), headers))
        self.sent += frames
        self.frames += frames
        self.house.produce("raw.sfox.balances.v1", *records)

    def hercle(self, number: int, *, deleted: bool) -> None:
        """What Hercle says of Ann, who holds nothing; the last time, that she is gone."""
        data = {"userId": "ann", "sequence": number, "assets": [], "deleted": deleted}
        event = {"subject": VENUES["hercle"].feed, "data": data}
        message = {"type": 1, "target": "executionEvents", "arguments": [event]}
        headers = RawHeaders("hercle", "f", EPOCH, number, now()).encode()
        self.frames += 1
        self.house.produce(
            "raw.hercle.balances.v1", (b"ann", json.dumps(message).encode(), headers)
        )

    def couple(self, number: int) -> None:
        """What Hercle says in one message of two accounts, which are gone."""
        data = [
            {"userId": name, "sequence": number, "assets": [], "deleted": True}
            for name in ("bob", "eve")
        ]
        event = {"subject": VENUES["hercle"].feed, "data": data}
        message = {"type": 1, "target": "executionEvents", "arguments": [event]}
        headers = RawHeaders("hercle", "f", EPOCH, number, now()).encode()
        self.frames += 2
        self.house.produce("raw.hercle.balances.v1", (None, json.dumps(message).encode(), headers))

    def total(self) -> Decimal:
        words = ("query", "asset", "BTC", "--json", "--url", self.house.url)
        done = headroom(*words, **self.house.settings)
        return Decimal(json.loads(done.out)["total"]) if done.status == 0 else Decimal(-1)


def expected(frames: int) -> Decimal:
    """The newest frame of each of five users."""
    return sum((Decimal(f"{n}.10") for n in range(frames - 5, frames)), Decimal(0))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with house(tmp_path_factory.mktemp("house")) as its:
        made = Told(its)
        made.send(FRAMES)
        until(lambda: made.total() == expected(FRAMES), why=lambda: its.worker.output)
        yield made


def python(name: str, *words: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, HERE / name, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


def finished(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def lines_of(process: "subprocess.Popen[str]", number: int) -> list[str]:
    """The next lines of something that goes on; it is ended."""
    assert process.stdout is not None
    found = [process.stdout.readline().rstrip("\n") for _ in range(number)]
    assert all(found), process.communicate()[1]
    return found


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_latest_py_has_the_table_and_stays_live(told: Told) -> None:
    assert finished(python("latest.py", told.bootstrap, "--once")) == (
        f"5 users hold {expected(FRAMES)} BTC\n"
    )
    process = python("latest.py", told.bootstrap)
    try:
        assert lines_of(process, 1)[0].startswith("5 users hold")
        told.send(5)
        changed = lines_of(process, 5)
    finally:
        end(process)
    assert {line.split(": version ")[0] for line in changed} == {f"sfox:user-{n}" for n in range(5)}


def test_a_user_who_is_gone_is_gone_from_every_map(told: Told, tmp_path: Path) -> None:
    """The venue deletes the last account: a tombstone, which takes the key away."""
    process = python("latest.py", told.bootstrap)
    try:
        assert lines_of(process, 1)[0].startswith("5 users hold")
        # One after the other: of two frames that are folded at once only the last is told.
        for number, line in enumerate(("version 1", "gone"), 1):
            told.hercle(number, deleted=line == "gone")
            assert lines_of(process, 1) == [f"hercle:ann: {line}"]
    finally:
        end(process)
    assert finished(python("latest.py", told.bootstrap, "--once")).startswith("5 users hold")
    assert finished(latest_java(told, tmp_path)) == "5 users\n"


def test_since_py_tells_every_snapshot_once(told: Told) -> None:
    sent = told.frames
    process = python("since.py", told.bootstrap, earlier())
    try:
        rows = lines_of(process, sent)
        # A repetition, as a worker in at_least_once would leave one after a crash.
        repeat(told, rows[0].split(" ")[0])
        told.send(1)
        rows += lines_of(process, 1)
        told.couple(50)
        couple = lines_of(process, 2)
        for line in couple:
            repeat(told, line.split(" ")[0])
        told.send(1)
        rows += [*couple, *lines_of(process, 1)]
    finally:
        end(process)
    assert sorted(line.split(" ")[0].count("/") for line in couple) == [3, 3]
    assert len({line.split(" ")[0] for line in rows}) == len(rows) == sent + 4


async def balances(told: Told) -> list[Any]:
    return await topics.records(told.bootstrap, BALANCES)


def repeat(told: Told, identity: str) -> None:
    """The record of this identity, written a second time to the same partition."""
    found = asyncio.run(balances(told))
    (record,) = [r for r in found if dict(r.headers)["ce_id"].decode() == identity]
    user = record.key.decode()
    headers = cloud_event(topic=BALANCES, subject=user, event_id=identity, time="x")
    producer = Producer({"bootstrap.servers": told.bootstrap})
    producer.produce(
        BALANCES, record.value, key=record.key, partition=record.partition, headers=headers
    )
    assert producer.flush(30) == 0


def test_since_py_begins_at_its_moment(told: Told) -> None:
    """One that has not come yet: what lies there is not told, what comes is."""
    before = {dict(r.headers)["ce_id"].decode() for r in asyncio.run(balances(told))}
    process = python("since.py", told.bootstrap, "2100-01-01")
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(lines_of, process, 1)
            until(lambda: told.send(1) or first.done())
            (line,) = first.result()
    finally:
        end(process)
    assert line.split(" ")[0] not in before


def test_latest_java_has_the_table(told: Told, tmp_path: Path) -> None:
    assert finished(latest_java(told, tmp_path)) == "5 users\n"


def latest_java(told: Told, folder: Path) -> "subprocess.Popen[str]":
    """Latest.java, compiled and started with `--once`."""
    class_path = os.pathsep.join(map(str, ensure(CONSOLE_LOCK)))
    compiler: list[Any] = [find_java(), "-jar", ensure(COMPILER_LOCK)[0], "-17", "-proc:none"]
    options = ["-encoding", "UTF-8", "-d", folder, "-cp", class_path]
    done = subprocess.run(
        [*compiler, *options, HERE / "Latest.java"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    command = [find_java(), "-cp", f"{folder}{os.pathsep}{class_path}", "Latest"]
    return subprocess.Popen(
        [*command, told.bootstrap, "--once"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_console_consumer_reads_as_the_page_says(told: Told) -> None:
    text = (HERE / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    words = shown.replace("\\\n", " ").replace("HOST:PORT", told.bootstrap).split()
    assert words[0] == "python"
    words = [sys.executable, *words[1:], "--max-messages", "5", "--timeout-ms", "30000"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) == 5
    for row in rows:
        headers, key, value = row.split("\t")
        assert f"ce_id:balances.latest.v1/{key}/" in headers
        # What is deleted has no value any more.
        assert value == "null" or json.loads(value)["user"] == key


def test_day_py_draws_what_was_held(told: Told, tmp_path: Path) -> None:
    drawn = finished(python("day.py", told.bootstrap, earlier(), cwd=tmp_path))
    assert drawn.startswith(f"{told.frames} snapshots\n")
    *_, last = [line for line in drawn.splitlines() if line]
    assert Decimal(last.split()[-1]) == told.total()
    # A day of which there is nothing.
    assert finished(python("day.py", told.bootstrap, "2001-01-01", cwd=tmp_path)) == "0 snapshots\n"
