"""Whatever anybody writes into any topic: counted, told once, passed by; in a changelog a stop.

One Kafka, one worker, every kind of record in every topic at once; the unit tests of each reader
tell them apart.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from urllib.request import urlopen

import pytest

from headroom.audit import audit
from producers.epochs import greatest_epoch
from schemas import topics
from schemas.topics import TOPICS
from schemas.venues import VENUES
from tests.headroom.commands import Ended, headroom
from tests.headroom.house import house
from tests.headroom.replay.scene import PARTITIONS, Scene
from tests.strangers.records import KINDS, Odd, take_any_time, write

RAW = [venue.raw_topic for venue in VENUES.values()]
# What the worker's agents read, raw aside: what they pass by is counted.
SOURCES = [topics.BALANCES, topics.CONTRIBUTIONS, topics.MOVES, topics.ADOPTIONS]
# What it follows.
FOLLOWED = [topics.FEEDS, topics.ACCOUNTS, topics.GENERATIONS]
USERS = [str(number) for number in range(40)]
LINES_PER_TOPIC_MAX = 12


def kinds(topic: str) -> list[Odd]:
    """What Kafka takes there: a compacted topic wants keys."""
    compacted = TOPICS[topic].cleanup == "compact"
    return [one for one in KINDS.values() if not (compacted and one.key is None)]


class Visited(Scene):
    """A scene that strangers have been to: in each topic every kind, in one partition."""

    def visit(self) -> None:
        bootstrap = self.house.bootstrap
        take_any_time(bootstrap, TOPICS)
        for number, topic in enumerate(TOPICS):
            odd = kinds(topic)
            if topic == topics.GENERATIONS:
                odd += [Odd(key=b"live"), Odd(key=b"live", value=b"{}"), Odd(key=b"generation/x")]
            if topic == topics.FEEDS:
                odd += [Odd(key=b"sfox/"), Odd(key=b"hercle/1", value=b'{"epoch": 1}')]
            asyncio.run(write(bootstrap, topic, number % PARTITIONS, odd))

    def metrics(self) -> str:
        with urlopen(f"{self.house.url}/metrics") as answer:  # noqa: S310 - our own worker
            text: str = answer.read().decode()
            return text

    def total(self) -> Decimal:
        """What is told of all users' bitcoin."""
        done = self.command("query", "asset", "btc", "--json", "--url", self.house.url)
        return Decimal(json.loads(done.out)["total"])

    def command(self, *words: str, **settings: object) -> Ended:
        """A command that has to do its work."""
        done = headroom(*words, **{**self.house.settings, **settings})
        assert done.status == 0, done
        return done


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    with house(tmp_path_factory.mktemp("house") / "data") as its:
        made = Visited(its)
        made.sfox(USERS, sound=True)
        made.wait()
        made.visit()
        yield made


def test_a_worker_goes_on(scene: Visited) -> None:
    worker = scene.house.worker
    scene.sfox(USERS, sound=True)
    scene.wait()
    assert worker.process.poll() is None
    assert worker.output.count("ready ") == 1
    metrics = scene.metrics()
    for topic in SOURCES:
        counted = f'headroom_foreign_records_total{{topic="{topic}"}} {float(len(kinds(topic)))}'
        assert counted in metrics.splitlines()
    for topic in [*SOURCES, *FOLLOWED]:
        told = [line for line in worker.output.splitlines() if f" {topic}: passed by" in line]
        assert 0 < len(told) <= LINES_PER_TOPIC_MAX, (topic, told)
        assert all(re.search(r"partition \d, offset \d+", line) for line in told)


def test_each_raw_record_has_one_outcome(scene: Visited) -> None:
    """Strangers' too: a dead letter with a reason, and headers that whoever reads it can have."""
    letters = [
        dict(record.headers() or [])
        for record in scene.read(topics.DEAD_LETTERS)
        if record.partition() != list(TOPICS).index(topics.DEAD_LETTERS) % PARTITIONS
        or (record.offset() >= 0 and record.key() != b"k")
    ]
    assert letters
    found = asyncio.run(audit(scene.house.kafka))
    print([str(one) for one in found.findings][:40])
    assert found.raw == found.normalised + found.dead_lettered


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "list"),
        ("accounts", "move", "sfox:39", "ann"),
        ("deadletters", "list", "--limit", "1000"),
        ("deadletters", "list", "--json"),
        ("deadletters", "show", f"{RAW[0]}/0/0"),
        ("deadletters", "retry", f"{RAW[0]}/0/0"),
        ("topics", "check"),
    ],
)
def test_commands_go_on(scene: Visited, words: tuple[str, ...]) -> None:
    done = headroom(*words, **scene.house.settings)
    print(done)
    assert "Traceback" not in done.err


def test_a_producer_begins(scene: Visited) -> None:
    for topic in RAW:
        asyncio.run(greatest_epoch(scene.house.kafka, topic))
