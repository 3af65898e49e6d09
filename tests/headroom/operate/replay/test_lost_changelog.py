"""The changelog of the live tables is lost: the workers stop, and a replay is the way on."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroom.operate.generations import read_book, read_by, tables_of, topics_of
from schemas.topics import BALANCES_LATEST, EXPOSURE_ASSET, EXPOSURE_USER
from tests.headroom import commands
from tests.headroom.commands import started, until
from tests.headroom.operate.replay.scene import PARTITIONS, Scene, accounts, scene

NAMES = [f"user-{number:02}" for number in range(12)]
USERS = "headroom-users-changelog"
DOCUMENTS = (BALANCES_LATEST, EXPOSURE_USER, EXPOSURE_ASSET)


def versions(scene: Scene, topic: str) -> dict[bytes, int]:
    """The version of the last document of each key."""
    return {record.key(): json.loads(record.value())["version"] for record in scene.read(topic)}


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A system whose worker has worked, and was stopped; then the users' changelog was deleted."""
    with scene(tmp_path_factory.mktemp("house")) as its:
        # One after the other: a replay takes them at once, and tells each user fewer times.
        for _ in range(4):
            its.sfox(accounts(100, *NAMES), sound=True)
            its.wait()
        assert its.house.worker.stop() == 0
        asyncio.run(commands.without(its.house.bootstrap, USERS))
        yield its


@pytest.mark.timeout(300)
@pytest.mark.long
def test_a_replay_that_is_promoted_is_the_way_on(lost: Scene, tmp_path: Path) -> None:
    settings, words = lost.house.settings, ("work", "--port", "0")
    refused = commands.headroom(*words, **settings)
    assert (refused.status, len(refused.err.splitlines())) == (1, 1), refused.err
    assert f"{USERS} is gone" in refused.err
    assert "see `headroom replay`" in refused.err
    done = lost.replay("--generation", "new")
    assert done.status == 0, done.err
    before = {topic: versions(lost, topic) for topic in DOCUMENTS}
    done = lost.replay("promote", "new")
    assert done.status == 0, done.err
    # Who keeps the newest version of a document must not keep one of before.
    for topic, known in before.items():
        assert known
        assert all(version >= known[key] for key, version in versions(lost, topic).items()), topic
    book = asyncio.run(read_book(lost.house.kafka, partitions=PARTITIONS))
    assert read_by("new").keys() <= book.topics.keys()
    with started(tmp_path / "worker", *words, **settings) as worker:
        until(lambda: "ready " in worker.output, why=lambda: worker.output)
        lost.sfox(accounts(40, *NAMES), sound=True)
        lost.wait("new")
        assert worker.stop() == 0
    found = lost.audit()
    assert not found.findings, found.findings[:5]
    assert found.lost == 0
    done = lost.replay("drop", "first")
    assert done.status == 0, done.err
    book = asyncio.run(read_book(lost.house.kafka, partitions=PARTITIONS))
    assert not book.topics.keys() & topics_of("first").keys()
    assert tables_of("new").keys() <= book.topics.keys()
    checked = commands.headroom("topics", "check", **settings)
    assert (checked.status, checked.out) == (0, ""), checked
