"""Helpers of a replay, as far as that needs no Kafka: who may help, where, and until when."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from headroom.base import known_topics
from headroom.base.clients import Group, Place
from headroom.base.errors import OperatorError
from headroom.base.settings import load
from headroom.operate.generations import Generation, Live
from headroom.operate.generations.book import Book, Unknown, entry, no_entry
from headroom.operate.replay import promote
from headroom.operate.replay.asked import Asked
from headroom.operate.replay.begin import IsGoing, IsLive, OtherRaw, known
from headroom.operate.replay.help import NoHelp, _Helped, helpable
from headroom.operate.replay.place import (
    HELPERS_SECONDS_MAX,
    Busy,
    forget_helpers,
    helping_place,
    without_helpers,
    workplace,
)
from headroom.operate.replay.rebuild import _Run, job_of
from headroom.operate.replay.terms import VERSION, otherwise, terms_of
from processors.engine.progress import Progress
from schemas.codec import decode, encode
from tests.headroom.operate.replay.made import RAW, generation

TERMS = {VERSION: "1", "HEADROOM_GUARANTEE": "exactly_once", "HEADROOM_ALERTS_FILE": "none"}
RULE = """
[[rule]]
name = "near"
condition = "utilisation_above"
assets = "all"
users = ["sfox:f", "sfox:e", "sfox:d", "sfox:c", "sfox:b", "sfox:a"]
breach = "0.9"
"""


def book_with(*said: Generation | Live) -> Book:
    book = Book()
    for one in said:
        book.take(*entry(one))
    return book


def helped(**changed: object) -> Generation:
    return generation(**{"state": "replaying", "terms": TERMS, **changed})


# -- who may help


def test_a_generation_in_the_making_can_be_helped_with_on_its_terms() -> None:
    for state in ("carrying", "replaying", "complete"):
        found = helpable(book_with(helped(state=state)), "g", TERMS, 1)
        assert found.state == state


@pytest.mark.parametrize(
    ("said", "error", "why"),
    [
        ([], Unknown, "there is no generation 'g'; there are: first"),
        ([Live("g"), helped()], IsLive, "g is the live generation"),
        ([Live("first", promoting="g"), helped()], IsLive, "g is the live generation"),
        ([helped(is_going=True)], IsGoing, "is being removed: `headroom replay drop g`"),
        ([helped(made_ns=2)], NoHelp, "was dropped, and another one begun"),
        ([helped(terms={})], NoHelp, "an earlier version made it"),
        ([helped(terms=TERMS | {VERSION: "2"})], NoHelp, "made by version 2, and this is 1"),
        (
            [helped(terms=TERMS | {"HEADROOM_GUARANTEE": "at_least_once"})],
            NoHelp,
            "HEADROOM_GUARANTEE is at_least_once there, exactly_once here",
        ),
        ([helped(terms=TERMS | {"LATER": "x"})], NoHelp, "LATER is x there, None here"),
    ],
)
def test_who_cannot_help_is_told_why(
    said: list[Generation | Live], error: type[OperatorError], why: str
) -> None:
    with pytest.raises(error, match=why):
        helpable(book_with(*said), "g", TERMS, 1)


def test_nobody_helps_with_what_was_made_of_other_topics() -> None:
    book = book_with(helped())
    book.take(*known_topics.entry(known_topics.KnownTopic(RAW, "a").replaced("b", 1)))
    with pytest.raises(OtherRaw):
        helpable(book, "g", TERMS)


def test_what_is_being_removed_is_neither_gone_on_with_nor_promoted() -> None:
    book = book_with(generation(is_going=True))
    with pytest.raises(IsGoing):
        known(book, "g", Asked())
    with pytest.raises(IsGoing):
        promote._promotable(book, "g")


def test_the_entry_of_an_earlier_version_names_no_terms() -> None:
    said = msgspec.json.decode(encode(generation()))
    del said["terms"], said["is_going"]
    found = decode(msgspec.json.encode(said), Generation)
    assert (found.terms, found.is_going) == ({}, False)


def test_terms_are_those_settings_that_decide_what_comes_of_a_frame(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"

    def terms(**changed: str) -> dict[str, str]:
        names = {f"HEADROOM_{name}": text for name, text in changed.items()}
        return terms_of(load({"HEADROOM_KAFKA_BOOTSTRAP": "k:1", **names}))

    mine = terms()
    assert otherwise(mine, terms(DATA_DIR="/x", STORE="memory", KAFKA_BOOTSTRAP="l:1")) is None
    for name, text in (("GUARANTEE", "at_least_once"), ("HERCLE_ASSET_LIMITS", "asset")):
        told = otherwise(terms(**{name: text}), mine)
        assert told is not None
        assert told.startswith(f"HEADROOM_{name} is {text} there, ")
    rules.write_text(RULE)
    ruled = terms(ALERTS_FILE=str(rules))
    told = otherwise(mine, ruled)
    assert told is not None
    assert told.startswith("HEADROOM_ALERTS_FILE is none there, ")
    # How it is written does not matter, only what it says.
    rules.write_text("# the same\n" + RULE.replace('"sfox:b", "sfox:a"', '"sfox:a", "sfox:b"'))
    assert terms(ALERTS_FILE=str(rules)) == ruled
    # The same in every process, whatever the order of its sets.
    assert ruled["HEADROOM_ALERTS_FILE"] == "41cbbce91cf2f345"
    rules.write_text(RULE.replace("0.9", "0.8"))
    assert terms(ALERTS_FILE=str(rules)) != ruled


# -- where, and beside whom


class Members:
    """A consumer group; after `looks` nobody is there any more."""

    def __init__(self, *members: str, looks: int = 10_000) -> None:
        self.members, self.looks, self.now = members, looks, 0.0

    def group(self, name: str) -> Group:
        assert name == "headroom-generation.g"
        self.looks -= 1
        return Group(self.members if self.looks >= 0 else ())

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self) -> None:
        clients: Any = self
        waiting = without_helpers(clients, "g", "me", clock=lambda: self.now, sleep=self.sleep)
        asyncio.run(waiting)


def names_at(folder: Path, count: int, clients: Any) -> list[str]:
    """The names of so many helpers that work at once."""
    if not count:
        return []
    with helping_place(folder, "g", clients) as place:
        place.folder(7)
        return [place.instance, *names_at(folder, count - 1, clients)]


def test_each_helper_has_a_folder_and_a_name_and_comes_back_to_them(tmp_path: Path) -> None:
    clients: Any = Members("headroom-replay-1")
    first = names_at(tmp_path, 3, clients)
    assert len(set(first)) == 3
    assert names_at(tmp_path, 2, clients) == first[:2]
    with workplace(tmp_path, "g", Members(*first)) as place:  # type: ignore[arg-type]
        assert place.instance not in first
        kept = list(tmp_path.glob("helping/*/generations/g/7"))
        assert len(kept) == 3
        forget_helpers(tmp_path, "other")
        assert list(tmp_path.glob("helping/*/generations/g/7")) == kept
        forget_helpers(tmp_path, "g")
    assert not list(tmp_path.glob("helping/*/generations/*"))


def test_helpers_are_no_hindrance_for_who_replays_and_another_replay_is(tmp_path: Path) -> None:
    clients: Any = Members()
    with helping_place(tmp_path, "g", clients) as helper:
        beside: Any = Members(helper.instance)
        with workplace(tmp_path, "g", beside) as place:
            assert not place.instance.startswith("headroom-replay-helper-")
            both: Any = Members(helper.instance, place.instance)
            with helping_place(tmp_path, "g", both), pytest.raises(Busy, match="another process"):
                workplace(tmp_path, "g", both).__enter__()
            elsewhere = workplace(tmp_path / "elsewhere", "g", both)
            with pytest.raises(Busy) as refused:
                elsewhere.__enter__()
    told = "the generation g is worked on elsewhere: "
    assert str(refused.value) == told + place.instance


def test_helpers_are_waited_for_and_nobody_else_is() -> None:
    leaving = Members("headroom-replay-helper-1", "me", looks=3)
    leaving.wait()
    assert leaving.now == pytest.approx(0.6)
    staying = Members("headroom-replay-helper-1")
    with pytest.raises(Busy, match="elsewhere: headroom-replay-helper-1"):
        staying.wait()
    assert staying.now == pytest.approx(HELPERS_SECONDS_MAX, abs=0.5)
    stranger = Members("headroom-replay-helper-1", "worker")
    with pytest.raises(Busy, match="worker"):
        stranger.wait()
    assert stranger.now == 0.0


# -- until when


class _Followed:
    """A book that is followed, as far as it was told."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.waiting = asyncio.Event()

    async def until(self, condition: Any = lambda: True) -> None:
        while not condition():
            self.changed.clear()
            self.waiting.set()
            await self.changed.wait()


class _Helping(_Helped):
    """A helper whose agents do nothing until it is over; `begun` is whether they work."""

    def __init__(self, state: str) -> None:
        settings: Any = None
        super().__init__(settings, helped(state=state), TERMS)
        self._followed: Any = _Followed()
        self.begun = asyncio.Event()
        self.say(*entry(self._generation))

    def say(self, key: bytes, value: bytes | None) -> None:
        self._take(key, value, None)
        self._followed.changed.set()

    async def _work_along(self, place: Any, over: asyncio.Event) -> None:
        self.begun.set()
        await over.wait()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (entry(helped(state="complete")), None),
        (no_entry("g"), Unknown),
        (entry(helped(is_going=True)), IsGoing),
        (entry(helped(made_ns=2)), NoHelp),
        (entry(helped(terms=TERMS | {VERSION: "2"})), NoHelp),
    ],
)
async def test_a_helper_ends_when_the_book_says_that_it_is_over(
    said: tuple[bytes, bytes | None], error: type[OperatorError] | None
) -> None:
    helping, stop = _Helping("carrying"), asyncio.Event()
    nowhere: Any = None
    working = asyncio.create_task(helping.work_along(nowhere, stop))
    # Its group is empty until whoever began it has moved it.
    await helping._followed.waiting.wait()
    assert not helping.begun.is_set()
    helping.say(*entry(helped(state="replaying")))
    await helping.begun.wait()
    helping.say(*entry(helped(state="replaying", rate=2.0)))
    assert not working.done()
    helping.say(*said)
    await working
    if error is None:
        assert helping.check().state == "complete"
    else:
        with pytest.raises(error):
            helping.check()


@pytest.mark.parametrize("state", ["carrying", "replaying"])
async def test_a_helper_ends_when_it_is_told_to(state: str) -> None:
    helping, stop = _Helping(state), asyncio.Event()
    nowhere: Any = None
    working = asyncio.create_task(helping.work_along(nowhere, stop))
    if state == "replaying":
        await helping.begun.wait()
    stop.set()
    await working
    assert helping.begun.is_set() == (state == "replaying")


class _Shared(_Run):
    """A run that has one of two partitions; what Kafka knows of the other one is `told`."""

    def __init__(self, told: dict[Place, int]) -> None:
        self._job, self._partitions = job_of(generation()), 2
        progress = Progress()
        progress.start({(RAW, 0): 7})
        flight = SimpleNamespace(progress=progress)
        self._pipeline: Any = SimpleNamespace(
            app=SimpleNamespace(consumer=SimpleNamespace(flight=flight))
        )
        self._clients: Any = SimpleNamespace(committed=self._committed)
        self.told, self.asked = told, 0

    def _committed(self, group: str, *_: object, stable: bool) -> dict[Place, int]:
        assert (group, stable) == ("headroom-generation.g", False)
        self.asked += 1
        return self.told


async def test_what_others_work_on_is_asked_of_kafka() -> None:
    mine, other = (RAW, 0), (RAW, 1)
    run = _Shared({mine: 5, other: 9})
    assert await run._reached([mine], [RAW]) == {mine: 7}
    assert run.asked == 0
    assert await run._reached([mine, other], [RAW]) == {mine: 7, other: 9}
    run.told = {}
    assert await run._reached([mine, other], [RAW]) == {mine: 7, other: 0}
