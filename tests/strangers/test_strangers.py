"""Whatever anybody writes into any topic: counted, told once, passed by; in a changelog a stop.

One Kafka, one worker, every kind of record in every topic at once; what each reader makes of a
record by itself is with the reader's own tests.
"""

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from headroom.audit import audit
from headroom.base.settings import Settings, load
from headroom.operate.accounts.bindings import read_bindings
from headroom.operate.deadletters.wanted import Wanted, letters, retried
from headroom.operate.generations import FIRST, read_book
from headroom.operate.generations.kind import changelog
from headroom.operate.past import look_back
from processors.names import ASSETS_TABLE, USERS_TABLE
from producers.epochs import greatest_epoch
from schemas import topics
from schemas.rejections import Reason
from schemas.topics import TOPICS
from tests.headroom.commands import Started, headroom, started, until
from tests.headroom.house import house
from tests.headroom.operate.replay.scene import EPOCH, PARTITIONS, RAW, Scene
from tests.strangers.records import KINDS, Odd, take_any_time, write

pytestmark = pytest.mark.long

# What the worker's agents read, raw aside: what they pass by is counted.
SOURCES = (topics.BALANCES, topics.CONTRIBUTIONS, topics.MOVES, topics.ADOPTIONS)
# What it follows.
FOLLOWED = (topics.FEEDS, topics.ACCOUNTS, topics.GENERATIONS)
USERS = [str(number) for number in range(40)]
LINES_PER_TOPIC_MAX = 16


def kinds(topic: str) -> list[Odd]:
    """What a stranger writes there; a compacted topic takes nothing without a key."""
    found = [
        one for one in KINDS.values() if one.key is not None or TOPICS[topic].cleanup != "compact"
    ]
    if topic == topics.GENERATIONS:
        found += [Odd(b"live"), Odd(b"live", b"{}"), Odd(b"generation/x"), Odd(b"generation/\xff")]
    if topic == topics.FEEDS:
        found += [Odd(b"sfox/"), Odd(b"hercle/1", b'{"epoch": 1}')]
    return found


class Visited(Scene):
    """A scene that strangers have been to: in each topic every kind, all in one partition."""

    def visit(self) -> None:
        take_any_time(self.house.bootstrap, TOPICS)
        asyncio.run(self._visit())

    async def _visit(self) -> None:
        visits = [
            write(
                self.house.bootstrap,
                topic,
                number % (TOPICS[topic].partitions or PARTITIONS),
                kinds(topic),
            )
            for number, topic in enumerate(TOPICS)
        ]
        await asyncio.gather(*visits)
        self.sent += sum(len(kinds(topic)) for topic in RAW)

    def asked_for(self, path: str) -> str:
        """A worker's answer."""

        async def ask() -> str:
            address = self.house.url + path
            async with aiohttp.ClientSession() as session, session.get(address) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.text()

        return asyncio.run(ask())

    def total(self) -> Decimal:
        """What is told of all users' bitcoin."""
        return Decimal(json.loads(self.asked_for("/v1/assets/btc/exposure"))["total"])

    def added(self) -> Decimal:
        """The same, of each user by itself."""
        users = json.loads(self.asked_for("/v1/users"))["users"]
        answers = [json.loads(self.asked_for(f"/v1/users/{user}/balances")) for user in users]
        return sum((Decimal(one["totals"]["BTC"]["total"]) for one in answers), Decimal(0))

    def settings(self) -> Settings:
        return load({"HEADROOM_KAFKA_BOOTSTRAP": self.house.bootstrap})


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    with house(tmp_path_factory.mktemp("house") / "data") as its:
        made = Visited(its)
        made.sfox(USERS, sound=True)
        made.wait()
        made.visit()
        yield made


def test_a_worker_goes_on(scene: Visited) -> None:
    """The same process, right numbers; each record counted, each kind told once with its place."""
    worker = scene.house.worker
    scene.sfox(USERS, sound=True)
    scene.wait()
    assert scene.total() == scene.added() > 0
    scene.asked_for("/v1/overview")
    scene.asked_for("/v1/feeds")
    metrics = scene.asked_for("/metrics").splitlines()
    for topic in SOURCES:
        count = float(len(kinds(topic)))
        assert f'headroom_foreign_records_total{{topic="{topic}"}} {count}' in metrics

    def told(topic: str) -> list[str]:
        return [line for line in worker.output.splitlines() if f" {topic}: passed by" in line]

    def is_told(topic: str) -> bool:
        return bool(told(topic))

    for topic in (*SOURCES, *FOLLOWED):
        until(partial(is_told, topic), why=lambda: worker.output)
        assert len(told(topic)) <= LINES_PER_TOPIC_MAX, told(topic)
        assert all(re.search(r"partition \d, offset \d+", line) for line in told(topic))
    counted = scene.asked_for("/metrics")
    for topic in FOLLOWED:
        assert f'headroom_foreign_records_total{{topic="{topic}"}} ' in counted
    assert worker.process.poll() is None
    assert worker.output.count("ready ") == 1


def test_each_raw_record_ends_in_one_outcome(scene: Visited) -> None:
    """A stranger's too: a dead letter with a reason, and what headers of its own can be carried."""
    found: dict[str, list[Any]] = {}

    async def read() -> None:
        async for one in letters(scene.house.kafka, Wanted(), partitions=PARTITIONS):
            found.setdefault(one.origin.topic, []).append(one)

    asyncio.run(read())
    for topic in RAW:
        assert len(found[topic]) == len(kinds(topic))
        assert {one.reason for one in found[topic]} <= set(Reason)
    carried = [one.headers for one in found[RAW[0]]]
    assert (("\N{REPLACEMENT CHARACTER}", b"1"), ("receipt", b"7")) in carried
    told = asyncio.run(audit(scene.house.kafka))
    assert any("name is not UTF-8" in one.problem for one in told.findings)
    assert told.raw == told.normalised + told.dead_lettered == scene.sent - len(RAW)
    assert not [one for one in told.findings if one.invariant == "I2" and "raw" in one.where]


def test_commands_and_producers_go_on(scene: Visited) -> None:
    kafka, partitions = scene.house.kafka, PARTITIONS
    assert asyncio.run(read_bindings(kafka, partitions=partitions)).all == {}
    assert asyncio.run(read_book(kafka, partitions=partitions)).live.name == FIRST
    assert asyncio.run(retried(kafka, partitions=partitions)) == {}
    past = asyncio.run(look_back(scene.settings(), "sfox:1", time.time_ns() // 10**6))
    assert past.balances.user == "sfox:1"
    assert [asyncio.run(greatest_epoch(kafka, topic)) for topic in RAW] == [EPOCH, 0]
    for words in (
        ("accounts", "list"),
        ("deadletters", "list", "--limit", "1000"),
        ("deadletters", "retry", "--reason", "too_deep"),
    ):
        done = headroom(*words, **scene.house.settings)
        assert done.status == 0, done
        assert "nobody of us wrote (partition" in done.err
    scene.sent += len(RAW)
    scene.wait()


def test_a_changelog_that_a_stranger_wrote_to_stops_a_worker_that_restores_it(
    scene: Visited, tmp_path: Path
) -> None:
    """One line says which row it is; once another one is there in its place, all goes on."""
    assert scene.house.worker.stop() == 0
    users, assets = (changelog(FIRST, table) for table in (USERS_TABLE, ASSETS_TABLE))
    for number, topic in enumerate((users, assets)):
        row = next(one for one in scene.read(topic) if one.value() is not None)
        place = topic, row.partition()
        last = [one for one in scene.read(topic) if one.key() == row.key()][-1]
        (offset,) = asyncio.run(write(scene.house.bootstrap, *place, [Odd(row.key())]))
        with without_tables(scene, tmp_path / f"{number}") as worker:
            until(partial(is_over, worker), why=lambda: worker.output)
            assert worker.process.returncode == 1
            (line,) = [one for one in worker.output.splitlines() if one.startswith("headroom: ")]
            assert f"{topic}[{row.partition()}] at offset {offset} holds a row" in line
            assert "headroom replay" in line
        asyncio.run(write(scene.house.bootstrap, *place, [Odd(row.key(), last.value())]))
    with without_tables(scene, tmp_path / "again") as worker:
        until(lambda: "ready " in worker.output, why=lambda: worker.output)
        (scene.house.url,) = re.findall(r"ready (\S+)", worker.output)
        assert scene.total() == scene.added() > 0
        assert worker.stop() == 0


def is_over(worker: Started) -> bool:
    return worker.process.poll() is not None


@contextmanager
def without_tables(scene: Visited, place: Path) -> Iterator[Started]:
    """A worker that is the same one to the group, and has lost its tables."""
    settings = scene.house.settings
    for found in Path(str(settings["DATA_DIR"]), "worker-0").iterdir():
        if found.is_dir():
            shutil.rmtree(found)
    with started(place, "work", "--port", "0", **settings) as worker:
        yield worker
