"""A wrong normaliser, its fix, a replay, and the replay made live: with frames coming in."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from headroom.generations import app_name, topics_of
from tests.headroom.commands import started, until
from tests.headroom.replay.scene import Scene, accounts, scene
from tests.headroom.replay.wrong_worker import MISREAD, STRAY, UNREAD

WRONG = (sys.executable, "-m", "tests.headroom.replay.wrong_worker")
RIGHT_NAMES = [f"user-{number:02}" for number in range(30)]
NAMES = [*RIGHT_NAMES, f"{MISREAD}1", f"{MISREAD}2", f"{UNREAD}1", f"{STRAY}1"]
DIFFERENT = {f"sfox:{MISREAD}1", f"sfox:{MISREAD}2"}
ONLY_HERE = {f"sfox:{UNREAD}1", f"sfox:{STRAY}1"}
ONLY_THERE = {f"sfox:{STRAY}1-ghost"}
UNLIKE = DIFFERENT | ONLY_HERE | ONLY_THERE
OF_USERS = ("balances.latest.v1", "exposure.user.v1")


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


def promoted(wronged: Scene, name: str) -> None:
    """Promote while frames come in, and wait until the worker answers from it."""
    ready = wronged.house.worker.output.count("ready ")
    done = wronged.replay("promote", name, "--allow-missing")
    assert done.status == 0, done.err
    assert f"{name} is live" in done.out
    until(
        lambda: wronged.house.worker.output.count("ready ") > ready,
        why=lambda: wronged.house.worker.output[-3000:],
    )


@pytest.mark.timeout(300)
def test_the_right_one_is_promoted_and_the_wrong_one_again(wronged: Scene) -> None:
    topics = ("balances.v1", *OF_USERS, "exposure.asset.v1", "deadletters.v1")
    # Frames that the replay has not seen, and one that the live tables have not either.
    wronged.sfox(accounts(100, *NAMES[:20]))
    wronged.wait()
    before, versions = wronged.ends(topics), last(wronged, "balances.latest.v1")
    promoted(wronged, "right")
    told = {topic: wronged.read(topic, before) for topic in topics}
    for topic in OF_USERS:
        written = Counter(record.key().decode() for record in told[topic])
        assert written == Counter(UNLIKE), topic
    assert {r.key().decode() for r in told["balances.v1"]} == DIFFERENT | ONLY_HERE
    assert all(("headroom.generation", b"right") in r.headers() for r in told["balances.v1"])
    assert told["deadletters.v1"] == []
    for record in told["balances.latest.v1"]:
        key, value = record.key().decode(), record.value()
        version = int(dict(record.headers())["ce_id"].rpartition(b"/")[2])
        assert (value is None) == (key in ONLY_THERE)
        assert version > (versions.get(key) or {"version": 0})["version"]
    answer = wronged.asked(f"sfox:{MISREAD}1")
    assert answer["accounts"][0]["assets"]["BTC"]["held"] == "0"
    # It goes on: by the same worker's code, which is the wrong one still.
    wronged.sfox(accounts(200, *RIGHT_NAMES))
    wronged.wait("right")
    found = wronged.audit()
    assert found.findings == []
    # And back: what the other has missed is read by it first. Nobody vanishes for good.
    promoted(wronged, "first")
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


def test_a_worker_that_hangs_holds_a_promotion_up_for_its_session_alone(wronged: Scene) -> None:
    """Then it is out of the group, and whatever it still has in hand is void."""
    wronged.compared("hung")
    process = wronged.house.worker.process
    process.send_signal(signal.SIGSTOP)
    try:
        done = wronged.replay("promote", "hung", "--allow-missing")
        assert done.status == 0, done.err
    finally:
        process.send_signal(signal.SIGCONT)
    wronged.sfox(accounts(30, *RIGHT_NAMES))
    wronged.wait("hung")
    assert wronged.asked(f"sfox:{RIGHT_NAMES[0]}")["version"] > 0
    promoted(wronged, "first")
