"""What befalls the line to a venue: the producer comes back, and no old number is called today's.

Each case counts as well: all frames that the venue's journal says were sent are in raw.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from producers.settings import Deadlines
from tests.freshness.hercle import Scene as HercleScene
from tests.freshness.hercle import hercle
from tests.freshness.producing import CALM, Sfox, producing
from tests.freshness.system import Eyes, System, until
from tests.freshness.test_sfox import ONE, THREE, TWO, Scene

pytestmark = pytest.mark.slow

HASTY = Deadlines(
    open_seconds=1.5, answer_seconds=1.5, ping_seconds=0.7, pong_seconds=0.7, close_seconds=0.5
)


class Case(msgspec.Struct, frozen=True):
    """A fault of the line; `stays`: nobody gets through until it is turned off."""

    name: str
    numbers: dict[str, int] = {}
    stays: bool = False
    words: str = ""
    deadlines: Deadlines = CALM

    def __str__(self) -> str:
        return "-".join([self.name, *map(str, self.numbers.values())])


CASES = [
    Case("cut"),
    Case("close", {"code": 1001}),
    Case("close", {"code": 1012}),
    Case("close", {"code": 1013}),
    Case("close", {"code": 4001}),
    Case("cut-inside"),
    Case("refuse", stays=True, words="Connect"),
    Case("half-open", deadlines=HASTY),
    Case("silence", stays=True, deadlines=HASTY),
    Case("unavailable", stays=True, words="503"),
    Case("too-many-requests", stays=True, words="429"),
]
GOODBYES = [Case("goodbye"), Case("goodbye-return"), Case("redirect")]
NO_WAY_IN = [
    Case("redirect-loop", stays=True, words="more than 5 redirects"),
    Case("long-polling", stays=True, words="the hub offers no WebSockets"),
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def frames(journal: Path) -> list[dict[str, Any]]:
    """The journal's lines of frames, in the order of sending."""
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "frame" in line]


async def all_in_raw(system: System, venue: str, journal: Path) -> list[str]:
    """Every frame of the journal is in raw, byte for byte; all of them, in the order of sending."""
    sent = [line["frame"] for line in frames(journal)]
    raw = {record.value for record in await system.records(f"raw.{venue}.balances.v1")}
    assert [text for text in sent if text.encode() not in raw] == []
    return sent


@asynccontextmanager
async def sfox(system: System, journal: Path, deadlines: Deadlines) -> AsyncIterator[Scene]:
    """A scene in which all accounts are live and right."""
    async with (
        Sfox(21, journal=journal) as venue,
        producing(system, "sfox", [venue.line(deadlines)]) as producer,
        Eyes(system, venue.users) as eyes,
    ):
        scene = Scene(venue, producer, eyes)
        await scene.all_live()
        eyes.forget()
        yield scene
        await producer.stop()


def change_unseen(scene: Scene) -> None:
    """All accounts change, and nobody is told."""
    for account in scene.venue.accounts.values():
        scene.sandbox._market.move(account)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_sfox(system: System, journal: Path, case: Case) -> None:
    async with sfox(system, journal, case.deadlines) as scene:
        eyes, venue = scene.eyes, scene.venue
        scene.sandbox.order(case.name, **case.numbers)
        if case.name == "cut-inside":
            await venue.tell(TWO)
        if case.stays:
            await eyes.reaches(TWO, "disconnected", "connection_lost")
            change_unseen(scene)
            await until(lambda: case.words in str(eyes.seen[TWO][-1].reason))
            eyes.forget()
            await eyes.more(TWO, 10)
            assert all(eyes.live(user) == [] for user in venue.users)
            scene.sandbox.clear(case.name)
        scene.producer.pauses.over.set()
        for user in venue.users:
            await eyes.reaches(user, "unconfirmed", "reconnected")
        eyes.forget()
        change_unseen(scene)
        await eyes.more(ONE, 5)
        assert all(eyes.live(user) == [] for user in venue.users)
        await scene.all_live()
        assert all(eyes.live(user) == [venue.holding(user)] for user in venue.users)
        if case.name in {"unavailable", "too-many-requests"}:
            assert 30 <= max(scene.producer.pauses.asked) <= 33
    await all_in_raw(system, "sfox", journal)


@pytest.mark.parametrize("case", [*CASES, *GOODBYES, *NO_WAY_IN], ids=str)
async def test_hercle(system: System, unique: str, journal: Path, case: Case) -> None:
    first = msgspec.structs.replace(case.deadlines, silence_seconds=30.0)
    async with hercle(system, unique, first=first, journal=journal) as scene:
        eyes, venue, one = scene.eyes, scene.venue, scene.one
        struck = venue.users if case.name == "refuse" else [one]
        whom = {} if case.name == "refuse" else {"user": venue.names[0]}
        connections = scene.sandbox.connections
        scene.sandbox.order(case.name, **case.numbers, **whom)
        if case.stays:
            await eyes.reaches(one, "disconnected", "connection_lost")
            venue.move(*struck)
            await until(lambda: case.words in str(eyes.seen[one][-1].reason))
            await scene.stays_in_doubt()
            if case.name != "refuse":
                await scene.neighbours_are_well()
            scene.sandbox.clear(case.name)
        scene.producer.pauses.over.set()
        await until(lambda: scene.sandbox.connections > connections)
        venue.move(*struck)
        await scene.right(*struck)
        if case.name in {"unavailable", "too-many-requests"}:
            assert 30 <= max(scene.producer.pauses.asked) <= 33
        if case.name != "refuse":
            await scene.neighbours_are_well()
        await scene.producer.stop()
    await all_in_raw(system, "hercle", journal)


async def test_a_silence_that_is_over_in_time_shows_as_a_gap(system: System, journal: Path) -> None:
    """SFOX's frames of that time never come: its next number tells, and nobody stays live."""
    async with sfox(system, journal, CALM) as scene:
        old = scene.venue.holding(ONE)
        scene.sandbox.order("silence")
        await scene.venue.tell(ONE)
        scene.sandbox.clear("silence")
        scene.eyes.forget()
        await scene.venue.tell(TWO)
        for user in (ONE, THREE):
            await scene.eyes.reaches(user, "unconfirmed", "reconnected")
        assert old not in scene.eyes.live(ONE)[1:]
        await scene.all_live()
    await all_in_raw(system, "sfox", journal)


@pytest.mark.parametrize("name", ["sfox", "hercle"])
async def test_a_line_that_dribbles_is_waited_for_and_not_called_silent(
    system: System, journal: Path, unique: str, name: str
) -> None:
    """The frames come late and whole; the pong behind them, too; the venue lives."""
    if name == "hercle":
        async with hercle(system, unique, first=HASTY, journal=journal) as scene:
            await dribbled(scene, scene.one, lambda: scene.venue.move(scene.one))
            await scene.right(scene.one)
            await scene.producer.stop()
    else:
        async with sfox(system, journal, HASTY) as scene:
            await dribbled(scene, ONE, lambda: change_unseen(scene))
            await scene.all_live()
    await all_in_raw(system, name, journal)


async def dribbled(scene: Any, user: str, change: Any) -> None:
    connections = scene.sandbox.connections
    scene.sandbox.order("dribble", rate=300)
    if isinstance(scene, HercleScene):
        change()
    else:
        await scene.venue.tell(user)
    await scene.eyes.reaches(user, "live", None, scene.venue.holding(user))
    assert scene.sandbox.connections == connections
    scene.sandbox.clear("dribble")


@pytest.mark.parametrize("name", ["sfox", "hercle"])
async def test_a_flood_is_carried_whole_and_in_its_order(
    system: System, journal: Path, unique: str, name: str
) -> None:
    """Nothing lost, nothing twice, on one connection; at the end the newest number."""
    if name == "hercle":
        async with hercle(system, unique, journal=journal) as scene:
            await flooded(scene)
            scene.venue.move(scene.one)
            await scene.right(scene.one)
            await scene.producer.stop()
    else:
        async with sfox(system, journal, CALM) as scene:
            await flooded(scene)
            await scene.all_live()
    sent = [text for text in await all_in_raw(system, name, journal) if text]
    raw = await system.records(f"raw.{name}.balances.v1")
    values = [record.value for record in raw]
    flood = [text.encode() for text in sent]
    assert len(flood) > 1_000
    assert len(values) == len(set(values)) or name == "hercle"


async def flooded(scene: Any) -> None:
    connections = scene.sandbox.connections
    ordered = scene.sandbox.order("flood", rate=3_000, seconds=1)
    await ordered.over.wait()
    assert scene.sandbox.connections == connections


@pytest.mark.parametrize("name", ["sfox", "hercle"])
async def test_10_megabytes_are_carried_and_say_that_the_number_is_not_known(
    system: System, journal: Path, unique: str, name: str
) -> None:
    """It is in raw and a dead letter; its account is unconfirmed until its next frame."""
    letters = await system.dead_letters()
    if name == "hercle":
        async with hercle(system, unique, journal=journal) as scene:
            scene.venue.order("large", megabytes=10)
            await until_dead(system, letters)
            scene.venue.move(scene.one)
            await scene.right(scene.one)
            await scene.producer.stop()
    else:
        async with sfox(system, journal, CALM) as scene:
            scene.sandbox.order("large", megabytes=10)
            await scene.venue.tell(ONE)
            await scene.eyes.reaches(ONE, "unconfirmed", "unreadable")
            scene.eyes.forget()
            change_unseen(scene)
            await scene.all_live()
            assert scene.eyes.live(ONE) == [scene.venue.holding(ONE)]
    sent = await all_in_raw(system, name, journal)
    assert max(map(len, sent)) > 10_000_000


async def until_dead(system: System, letters: int) -> None:
    while await system.dead_letters() == letters:
        pass


@pytest.mark.parametrize("name", ["sfox", "hercle"])
async def test_20_megabytes_are_refused_and_lost_with_a_word(
    system: System, journal: Path, unique: str, name: str
) -> None:
    """What no topic takes ends the connection; the account waits for its next frame."""
    if name == "hercle":
        async with hercle(system, unique, journal=journal) as scene:
            connections = scene.sandbox.connections
            scene.venue.order("large", megabytes=20)
            await until(lambda: scene.sandbox.connections > connections)
            scene.venue.move(scene.one)
            await scene.right(scene.one)
            await scene.neighbours_are_well()
            report = await scene.producer.stop()
    else:
        async with sfox(system, journal, CALM) as scene:
            scene.sandbox.order("large", megabytes=20)
            await scene.venue.tell(ONE)
            for user in scene.venue.users:
                await scene.eyes.reaches(user, "unconfirmed", "reconnected")
            await scene.all_live()
            report = await scene.producer.stop()
    assert report.reconnects == {"oversize": 1}
    (lost,) = [line for line in frames(journal) if line.get("fault") == "large"]
    assert len(lost["frame"]) > 20_000_000
