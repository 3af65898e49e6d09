"""A wrong normaliser, its fix, a replay, and the replay made live: with frames coming in."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from headroom.base.settings import load
from headroom.operate.generations import app_name, names_of, topics_of
from headroom.operate.replay import promote
from headroom.operate.replay.alone import NotAlone
from tests.headroom.commands import started, until
from tests.headroom.operate.replay.scene import PARTITIONS, RAW, Scene, accounts, pouring, scene
from tests.headroom.operate.replay.wrong_worker import MISREAD, STRAY, UNREAD

pytestmark = pytest.mark.slow

WRONG = (sys.executable, "-m", "tests.headroom.operate.replay.wrong_worker")
RIGHT_NAMES = [f"user-{number:02}" for number in range(30)]
NAMES = [*RIGHT_NAMES, f"{MISREAD}1", f"{MISREAD}2", f"{UNREAD}1", f"{STRAY}1"]
DIFFERENT = {f"sfox:{MISREAD}1", f"sfox:{MISREAD}2"}
ONLY_HERE = {f"sfox:{UNREAD}1", f"sfox:{STRAY}1"}
ONLY_THERE = {f"sfox:{STRAY}1-ghost"}
UNLIKE = DIFFERENT | ONLY_HERE | ONLY_THERE
OF_USERS = ("balances.latest.v1", "exposure.user.v1")
FIRST_GROUP = app_name("first")
ALLOWED = "--allow-missing"


@pytest.fixture(scope="module")
def wronged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """What a wrong normaliser has made of some accounts' frames."""
    with scene(tmp_path_factory.mktemp("house"), program=WRONG) as its:
        its.sfox(accounts(1_000, *NAMES))
        its.hercle("ann", "bob")
        its.wait()
        yield its


def last(scene: Scene, topic: str) -> dict[str, Any]:
    """The last word of a topic on each key."""
    return {
        record.key().decode(): None if record.value() is None else json.loads(record.value())
        for record in scene.read(topic)
    }


def test_a_replay_by_the_right_one_shows_exactly_who_differs(wronged: Scene) -> None:
    found = wronged.compared("right")
    assert not found["equal"]
    assert set(found["users"]) == UNLIKE
    for topic in ("balances.v1", *OF_USERS):
        keys = {d["key"]: d for d in found["differences"] if d["topic"] == topic}
        assert set(keys) == UNLIKE
        assert {key for key, d in keys.items() if d["there"] is None} == ONLY_HERE
        assert {key for key, d in keys.items() if d["here"] is None} == ONLY_THERE
        counts = found["topics"][topic]
        assert (counts["different"], counts["only_here"], counts["only_there"]) == (2, 2, 1)
        assert counts["equal"] == len(RIGHT_NAMES) + 2
    letters = {d["key"] for d in found["differences"] if d["topic"] == "deadletters.v1"}
    assert letters == {f"sfox:{UNREAD}1"}
    shown = wronged.replay("--generation", "right")
    assert f"balances.latest.v1  sfox:{MISREAD}1:" in shown.out
    assert 'accounts[0].assets.BTC.held: "0" here, "0.5" there' in shown.out
    assert f"sfox:{STRAY}1-ghost: only there" in shown.out


def test_who_would_vanish_is_named_and_nothing_is_touched(wronged: Scene) -> None:
    ends = wronged.ends(("headroom-generations.v1", "balances.latest.v1"))
    done = wronged.replay("promote", "right")
    done.is_one_line("1 users would vanish", *ONLY_THERE, "--allow-missing")
    assert wronged.ends(("headroom-generations.v1", "balances.latest.v1")) == ends
    assert wronged.house.worker.process.poll() is None


def test_a_generation_that_is_not_complete_is_not_promoted(wronged: Scene, tmp_path: Any) -> None:
    words = ("replay", "--generation", "begun")
    with started(tmp_path / "begun", *words, **wronged.house.settings) as command:
        until(lambda: app_name("begun") in wronged.groups(), why=lambda: command.output)
    wronged.replay("promote", "begun").is_one_line("begun is not complete")


def event_id(record: Any) -> bytes:
    found: bytes = dict(record.headers())["ce_id"]
    return found


@pytest.mark.timeout(300)
def test_the_right_one_is_promoted_and_what_differs_is_told(wronged: Scene) -> None:
    topics = ("balances.v1", *OF_USERS, "exposure.asset.v1", "deadletters.v1")
    # Frames that the replay has not seen, and one that the live tables have not either.
    wronged.sfox(accounts(100, *NAMES))
    wronged.wait()
    before, versions = wronged.ends(topics), last(wronged, "balances.latest.v1")
    wronged.promoted("right", ALLOWED)
    told = {topic: wronged.read(topic, before) for topic in topics}
    for topic in OF_USERS:
        written = Counter(record.key().decode() for record in told[topic])
        assert written == Counter(UNLIKE), topic
    assert {r.key().decode() for r in told["balances.v1"]} == DIFFERENT | ONLY_HERE
    # Those that came since are among them.
    own = wronged.read(names_of("right", live=False).output("balances.v1"))
    corrected = {event_id(r) for r in own if r.key().decode() in DIFFERENT | ONLY_HERE}
    assert Counter(map(event_id, told["balances.v1"])) == Counter(corrected)
    assert all(("headroom.generation", b"right") in r.headers() for r in told["balances.v1"])
    assert told["deadletters.v1"] == []
    for record in told["balances.latest.v1"]:
        key, value = record.key().decode(), record.value()
        version = int(event_id(record).rpartition(b"/")[2])
        assert (value is None) == (key in ONLY_THERE)
        assert version > (versions.get(key) or {"version": 0})["version"]
    answer = wronged.asked(f"sfox:{MISREAD}1")
    assert answer["accounts"][0]["assets"]["BTC"]["held"] == "0"
    # It goes on: by the same worker's code, which is the wrong one still.
    wronged.sfox(accounts(200, *RIGHT_NAMES))
    wronged.wait("right")
    found = wronged.audit()
    assert found.findings == []


def test_who_came_later_does_not_vanish(wronged: Scene) -> None:
    """Whom the generation has yet to read of is not missing; who still is then, is."""
    # Versions that were raised once stay so: nobody counts to them again.
    assert not wronged.compared("again")["versions_compared"]
    wronged.sfox(["late-1"])
    wronged.wait("right")
    public = wronged.ends(("balances.v1",))
    with pouring(wronged, RIGHT_NAMES):
        wronged.promoted("again")
    wronged.wait("again")
    # Whichever read a frame, it was told of once.
    told = Counter(map(event_id, wronged.read("balances.v1", public)))
    assert set(told.values()) == {1}
    assert wronged.audit().findings == []
    assert wronged.asked("sfox:late-1")["accounts"]
    # And back to what is right still, after a frame that is misread meanwhile.
    wronged.sfox([f"{STRAY}1"], sound=True)
    wronged.wait("again")
    before = wronged.readies
    done = wronged.replay("promote", "right")
    assert (done.status, done.out) == (2, ""), done
    assert "1 users would vanish: sfox:stray-1-ghost" in done.err.splitlines()[-1]
    # Whoever stopped for it goes on as before.
    wronged.until_ready_again(before)
    wronged.sfox(accounts(20, *RIGHT_NAMES))
    wronged.wait("again")


@pytest.mark.timeout(300)
def test_the_wrong_one_is_live_again(wronged: Scene) -> None:
    # What it has missed is read by it first. Nobody vanishes for good.
    missed = sum(wronged.ends(RAW).values()) - sum(wronged.committed(FIRST_GROUP, RAW).values())
    done = wronged.promoted("first", ALLOWED)
    assert f"catch up first: 0 of {missed:,} frames" in done.err
    # A frame told of as another's, documents of two kinds of five users, a sum, and a doubt: of
    # the account that the wrong one cannot read at all, one frame is broken for both.
    assert "; 14 keys differed from again" in done.out
    doubt = last(wronged, "unconfirmed.v1")[f"sfox:{UNREAD}1"]
    # The first of its frames that is broken for both, or one that came since.
    assert doubt["user"] == f"sfox:{UNREAD}1"
    assert doubt["receipt"] >= 441
    wronged.sfox(accounts(60, *RIGHT_NAMES))
    wronged.wait()
    answer = wronged.asked(f"sfox:{MISREAD}1")
    assert answer["accounts"][0]["assets"]["BTC"]["held"] == "0.5"
    assert last(wronged, "balances.latest.v1")[f"sfox:{STRAY}1-ghost"] is not None
    public = {record.key(): record for record in wronged.read("balances.latest.v1")}
    for user in RIGHT_NAMES[:3]:
        wanted = wronged.asked(f"sfox:{user}")
        del wanted["freshness"]
        assert json.loads(public[f"sfox:{user}".encode()].value()) == wanted
    dropped = wronged.replay("drop", "right")
    assert dropped.status == 0, dropped.err
    until(lambda: not wronged.topics() & set(topics_of("right")))


def test_live_workers_that_do_not_stop_are_left_alone(
    wronged: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_alone(*_: object, **__: object) -> None:
        raise NotAlone("one of them is there still")

    monkeypatch.setattr(promote, "alone", not_alone)
    variables = {f"HEADROOM_{name}": str(said) for name, said in wronged.house.settings.items()}
    before, public = wronged.readies, wronged.ends(OF_USERS)
    with pytest.raises(NotAlone):
        asyncio.run(
            promote.run_promote(load(variables), "again", asyncio.Event(), allow_missing=True)
        )
    wronged.until_ready_again(before)
    assert wronged.ends(OF_USERS) == public
    wronged.sfox(accounts(20, *RIGHT_NAMES))
    wronged.wait()


def hang_half_way(wronged: Scene) -> None:
    """Stop the worker when its normaliser has told of frames that its users do not hold yet."""
    process, topic = wronged.house.worker.process, ("balances.v1",)

    def is_half_way() -> bool:
        before = wronged.ends(topic)
        wronged.sfox(accounts(2_000, *RIGHT_NAMES))
        until(lambda: wronged.ends(topic) != before, pause_seconds=0.001)
        process.send_signal(signal.SIGSTOP)
        done = wronged.clients.committed(FIRST_GROUP, topic, PARTITIONS, stable=False)
        if any(done.get(place, 0) < end for place, end in wronged.ends(topic).items()):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    until(is_half_way)


@pytest.mark.long
def test_a_worker_that_hangs_holds_a_promotion_up_for_its_session_alone(
    wronged: Scene, tmp_path: Any
) -> None:
    """Then it is out of the group, whatever it still has in hand is void, and the rest is done."""
    found = wronged.compared("hung")
    unlike = sum(
        counts["different"] + counts["only_here"] + counts["only_there"]
        for counts in found["topics"].values()
    )
    before = wronged.readies
    hang_half_way(wronged)
    try:
        give_up_in_the_middle(wronged, tmp_path)
        # Kafka forgets a group in which nobody was for a week.
        group, own = app_name("hung"), names_of("hung", live=False)
        wronged.clients.admin.delete_consumer_groups([group])[group].result(10)
        done = wronged.replay("promote", "hung", ALLOWED)
        assert done.status == 0, done.err
        assert left_rows(wronged, "hung") == set(range(PARTITIONS))
    finally:
        wronged.house.worker.process.send_signal(signal.SIGCONT)
    # Nobody differs for what was left half done.
    assert f"hung is live; {unlike:,} keys differed from first" in done.out
    told = Counter(map(event_id, wronged.read(own.output("balances.v1"))))
    assert set(told.values()) == {1}
    wronged.until_ready_again(before)
    wronged.sfox(accounts(30, *RIGHT_NAMES))
    wronged.wait("hung")
    assert wronged.asked(f"sfox:{RIGHT_NAMES[0]}")["version"] > 0
    missed = sum(wronged.ends(RAW).values()) - sum(wronged.committed(FIRST_GROUP, RAW).values())
    done = wronged.promoted("first", ALLOWED)
    assert f"catch up first: 0 of {missed:,} frames" in done.err


def left_rows(wronged: Scene, name: str) -> set[int]:
    """The partitions of which the commits say that a user's row was left: it cannot be gone."""
    asked = ConsumerGroupTopicPartitions(
        app_name(name), [TopicPartition("balances.v1", number) for number in range(PARTITIONS)]
    )
    found = wronged.clients.admin.list_consumer_group_offsets([asked])[app_name(name)].result(10)
    return {p.partition for p in found.topic_partitions if p.metadata.startswith("rows")}


def give_up_in_the_middle(wronged: Scene, folder: Path) -> None:
    """A promotion that is killed while it waits can be given up, and nothing else done before."""
    book = wronged.ends(("headroom-generations.v1",))
    words = ("replay", "promote", "hung", ALLOWED)
    with started(folder / "promoting", *words, **wronged.house.settings) as command:
        until(
            lambda: wronged.ends(("headroom-generations.v1",)) != book, why=lambda: command.output
        )
        command.process.send_signal(signal.SIGKILL)
    wronged.replay("promote", "again").is_one_line("hung is being promoted", "promote first")
    wronged.replay("drop", "hung").is_one_line("cannot be dropped")
    done = wronged.replay("promote", "first")
    assert (done.status, done.out) == (0, "first stays live; hung is not promoted\n"), done.err
    wronged.replay("promote", "first").is_one_line("first is the live generation already")
