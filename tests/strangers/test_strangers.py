"""Whatever anybody writes into any topic: counted, told once, passed by; in a changelog a stop."""

import asyncio
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from headroom.audit import audit
from headroom.generations import FIRST
from headroom.generations.kind import changelog
from producers.epochs import greatest_epoch
from processors.agents import ASSETS_TABLE, USERS_TABLE
from schemas import topics
from schemas.topics import TOPICS
from schemas.venues import VENUES
from tests.headroom.commands import headroom, started, until
from tests.headroom.house import house
from tests.headroom.replay.scene import EPOCH, Scene
from tests.strangers.records import KINDS, Odd, take_any_time, write

RAW = [venue.raw_topic for venue in VENUES.values()]
# Of the worker's own sources, what is passed by is counted.
SOURCES = [topics.BALANCES, topics.CONTRIBUTIONS, topics.MOVES, topics.ADOPTIONS]
USERS = [str(number) for number in range(40)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with house(tmp_path_factory.mktemp("house") / "data") as its:
        yield Scene(its)


def kinds(topic: str) -> dict[str, Odd]:
    """What Kafka takes there: a compacted topic wants keys."""
    compacted = TOPICS[topic].cleanup == "compact"
    return {
        name: one for name, one in KINDS.items() if not (compacted and one.key is None)
    }


def metric(scene: Scene, name: str, **labels: str) -> float:
    with urlopen(f"{scene.house.url}/metrics") as answer:
        text = answer.read().decode()
    told = ",".join(f'{label}="{value}"' for label, value in labels.items())
    found = re.search(rf"^{name}{{{re.escape(told)}}} (\S+)$", text, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def test_nothing_that_a_stranger_writes_stops_anybody(scene: Scene) -> None:
    house, bootstrap = scene.house, scene.house.bootstrap
    take_any_time(bootstrap, TOPICS)
    scene.sfox(USERS, sound=True)
    scene.wait()
    before = house.worker.process.pid
    for number, topic in enumerate(TOPICS):
        asyncio.run(write(bootstrap, topic, number % 8, kinds(topic).values()))
    scene.sfox(USERS, sound=True)
    scene.wait()
    assert house.worker.process.pid == before
    assert house.worker.process.poll() is None
    for topic in SOURCES:
        assert metric(scene, "headroom_foreign_records_total", topic=topic) == len(kinds(topic))
    told = [line for line in house.worker.output.splitlines() if "nobody of us wrote" in line]
    print(house.worker.output[-5000:])
    assert len(told) < 60
