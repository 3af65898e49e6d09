"""Replays beside a live worker on a real Kafka, by the commands that a person types."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from headroom.operate.generations import app_name, topics_of
from tests.headroom.commands import Started, headroom, started, until
from tests.headroom.operate.replay.scene import RAW, Scene, accounts, scene

pytestmark = pytest.mark.slow

FRAMES = 12_000
# So many that a replay can be killed in the middle of them.
FRAMES_TO_KILL_IN = 80_000
USERS = 200
NAMES = [f"user-{number:03}" for number in range(USERS)]
TOPICS_OF_KEYS = (
    "balances.v1",
    "balances.latest.v1",
    "exposure.user.v1",
    "unconfirmed.v1",
    "exposure.asset.v1",
    "exposure.base.v1",
    "deadletters.v1",
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two hundred users' frames, and four of Hercle's, one of which is of several accounts."""
    with scene(tmp_path_factory.mktemp("house")) as its:
        its.sfox(accounts(FRAMES, *NAMES))
        its.hercle("ann", "bob", "cid")
        its.hercle_at_once("dan", "eve", "cid")
        its.wait()
        yield its


def assert_equal(found: dict[str, Any], *, users: int = USERS + 5) -> None:
    assert found["equal"], found["differences"][:3]
    assert set(found["topics"]) == set(TOPICS_OF_KEYS)
    assert found["topics"]["balances.latest.v1"]["equal"] == users
    assert all(not counts["ahead"] for counts in found["topics"].values())
    assert (found["users"], found["differences"]) == ([], [])


def test_a_replay_equals_the_live_tables_twice_and_leaves_them_alone(lived: Scene) -> None:
    before = lived.ends(TOPICS_OF_KEYS)
    for name in ("one", "two"):
        found = lived.compared(name)
        assert_equal(found)
        assert found["versions_compared"]
        assert found["carried"] == 0
        assert found["topics"]["balances.v1"]["equal"] == USERS + 5
        assert found["topics"]["deadletters.v1"]["equal"] > 0
        # Some accounts' last frame is one that could not be read.
        assert found["topics"]["unconfirmed.v1"]["equal"] > 0
        assert found["rate"] > 0
    assert lived.ends(TOPICS_OF_KEYS) == before
    assert not lived.audit().findings
    # Asked again it compares again, and reads nothing.
    assert_equal(lived.compared("one"))


def test_a_second_one_of_the_same_name_at_once_is_refused(lived: Scene, tmp_path: Any) -> None:
    words = ("replay", "--generation", "busy")
    with started(tmp_path / "first", *words, **lived.house.settings) as command:
        until(lambda: app_name("busy") in lived.groups(), why=lambda: command.output)
        lived.replay("--generation", "busy").is_one_line("works on the generation busy")
        # Elsewhere there is no lock to see, but the group has a member.
        until(lambda: bool(lived.clients.group(app_name("busy")).members))
        elsewhere = {"DATA_DIR": tmp_path / "elsewhere"}
        # Or the first one may have ended by then.
        command.process.send_signal(signal.SIGSTOP)
        try:
            lived.replay("--generation", "busy", **elsewhere).is_one_line("worked on elsewhere")
        finally:
            command.process.send_signal(signal.SIGCONT)
        assert command.process.wait(60) == 0, command.output
    assert_equal(lived.compared("busy"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--generation", "first"), "first is the live generation"),
        (("--generation", "Bad.Name"), "no generation's name"),
        (("--generation", "new", "--from", "2001-01-01"), "raw holds frames from"),
        (("--generation", "new", "--to", "2001-01-01"), "raw holds frames from"),
        (("--generation", "new", "--from", "2h ago"), "raw holds frames from"),
        (("--generation", "new", "--from", f"{RAW[0]}/99/0"), "no partition of a raw topic"),
        (("--generation", "new", "--from", f"{RAW[0]}/0/999999999"), "holds the offsets"),
        (("--generation", "new", "--user", "nobody"), "has no account"),
        (("--generation", "new", "--user", "sfox:x", "--venue", "hercle"), "has no account"),
        (("--generation", "one", "--venue", "sfox"), "go on without options"),
        (("help", "unknown"), "there is no generation 'unknown'; there are: "),
        (("promote", "unknown"), "there is no generation 'unknown'; there are: "),
        (("promote", "first"), "first is the live generation already"),
        (("drop", "unknown"), "there is no generation 'unknown'"),
        (("drop", "first"), "cannot be dropped"),
        ((), "--generation is missing"),
    ],
)
def test_what_cannot_be_is_one_line_and_touches_nothing(
    lived: Scene, words: tuple[str, ...], problem: str
) -> None:
    if "one" in words:
        lived.compared("one")
    topics, groups, ends = lived.topics(), lived.groups(), lived.ends(("headroom-generations.v1",))
    lived.replay(*words).is_one_line(problem)
    assert (lived.topics(), lived.groups()) == (topics, groups)
    assert lived.ends(("headroom-generations.v1",)) == ends


def test_a_dry_run_tells_and_touches_nothing(lived: Scene) -> None:
    topics, groups, ends = lived.topics(), lived.groups(), lived.ends(("headroom-generations.v1",))
    done = lived.replay("--generation", "dry", "--venue", "hercle", "--dry-run")
    assert done.status == 0, done.err
    assert f"{RAW[0]}: 0 frames" in done.out
    assert f"{RAW[1]}: 4 frames" in done.out
    assert f"{USERS} accounts would be carried from first" in done.out
    assert "frames a second" in done.out
    assert (lived.topics(), lived.groups()) == (topics, groups)
    assert lived.ends(("headroom-generations.v1",)) == ends


def test_whoever_is_not_read_is_carried_and_the_sums_are_whole(lived: Scene) -> None:
    for name, words, carried in (
        ("venue", ("--venue", "hercle"), USERS),
        ("user", ("--user", "sfox:user-007"), USERS + 4),
    ):
        found = lived.compared(name, *words)
        assert_equal(found)
        assert found["carried"] == carried
        assert not found["versions_compared"]
        assert found["topics"]["exposure.asset.v1"]["equal"] > 0


def test_some_frames_make_the_past_of_some(lived: Scene) -> None:
    """Up to the middle of a topic: what is live has gone on since, and is not called different."""
    ends = lived.ends((RAW[0],))
    words = [f"--to={RAW[0]}/{place[1]}/{end // 2}" for place, end in ends.items()]
    found = lived.compared("half", *words)
    assert found["equal"], found["differences"][:3]
    assert found["topics"]["balances.latest.v1"]["ahead"] == USERS
    assert found["topics"]["balances.v1"]["equal"] == USERS + 5
    assert found["topics"]["exposure.asset.v1"]["ahead"] > 0


def test_dropping_takes_what_it_made_and_nothing_else(lived: Scene, tmp_path: Any) -> None:
    topics, groups, data = lived.topics(), lived.groups(), lived.house.settings["DATA_DIR"]
    folders = {path.name for path in (data / "generations").iterdir()}
    lived.compared("gone")
    made = lived.topics() - topics
    assert made == set(topics_of("gone"))
    assert lived.groups() - groups == {app_name("gone")}
    done = lived.replay("drop", "gone")
    assert (done.status, done.out) == (0, f"gone is dropped: {len(made)} topics\n"), done.err
    until(lambda: lived.topics() == topics)
    assert lived.groups() == groups
    assert {path.name for path in (data / "generations").iterdir()} == folders
    # Its name can come again, and nothing of it has stayed.
    assert_equal(lived.compared("gone"))


def begun(lived: Scene, name: str, place: Path) -> None:
    """A generation whose replay was stopped before it had read anything, or much."""
    with started(place, "replay", "--generation", name, **lived.house.settings) as command:
        until(
            lambda: lived.state_of(name) == "replaying",
            pause_seconds=0.01,
            why=lambda: command.output,
        )
        assert command.stop() == 0


@pytest.mark.long
def test_a_helper_that_is_killed_is_replaced_and_nothing_is_lost_or_repeated(
    lived: Scene, tmp_path: Path
) -> None:
    words, settings = ("replay", "help", "helped"), lived.house.settings
    begun(lived, "helped", tmp_path / "replay")
    with started(tmp_path / "killed", *words, **settings) as helper:
        until(lambda: lived.read_of("helped") > 0, pause_seconds=0.01, why=lambda: helper.output)
        helper.process.send_signal(signal.SIGKILL)
        helper.process.wait()
    assert lived.read_of("helped") < sum(lived.ends(RAW).values()), "the kill came too late"
    with started(tmp_path / "other", *words, **settings) as helper:
        refused = lived.replay("help", "helped", GUARANTEE="at_least_once")
        refused.is_one_line("HEADROOM_GUARANTEE is exactly_once there, at_least_once here")
        assert_equal(lived.compared("helped"))
        assert helper.process.wait(60) == 0, helper.output
        assert re.search(r"helped is complete; [1-9][0-9,]* frames were read here", helper.output)
    lived.replay(*words[1:]).is_one_line("helped is complete: nothing is left to help with")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_helpers_and_the_replay_are_killed_and_the_others_go_on(
    lived: Scene, tmp_path: Path
) -> None:
    """Also where nobody comes back to the folder of one: its partitions go to the others."""
    lived.sfox(accounts(FRAMES_TO_KILL_IN, *NAMES))
    lived.wait()
    total, settings, name = sum(lived.ends(RAW).values()), lived.house.settings, "shared"
    words = ("replay", "--generation", name)
    help_words, elsewhere = ("replay", "help", name), {"DATA_DIR": tmp_path / "elsewhere"}

    def shares_of_the_replay() -> bool:
        return any("helper" not in member for member in lived.shares_of(name))

    def kill(command: Started) -> None:
        command.process.send_signal(signal.SIGKILL)
        command.process.wait()

    begun(lived, name, tmp_path / "begun")
    with (
        started(tmp_path / "here", *help_words, **settings) as here,
        started(tmp_path / "there", *help_words, **settings | elsewhere) as there,
    ):
        until(lambda: len(lived.shares_of(name)) == 2)
        kill(there)
        with started(tmp_path / "replay", *words, **settings) as replay:
            # What the helper had that was killed is shared out anew once it is missed.
            until(shares_of_the_replay, pause_seconds=0.01, why=lambda: replay.output)
            kill(replay)
        assert lived.read_of(name) < total, "the kills came too late"
        assert_equal(lived.compared(name))
        assert here.process.wait(60) == 0, here.output
    # One that is dropped lets its helpers go.
    begun(lived, "gone", tmp_path / "gone")
    with started(tmp_path / "left", "replay", "help", "gone", **settings) as left:
        until(lambda: bool(lived.shares_of("gone")), why=lambda: left.output)
        assert lived.replay("drop", "gone").status == 0
        assert left.process.wait(60) == 2, left.output
        told = left.output.splitlines()[-1]
        assert "gone is being removed" in told or "no generation 'gone'" in told
    assert not list(settings["DATA_DIR"].glob("helping/*/generations/gone"))  # type: ignore[attr-defined]


@pytest.mark.long
def test_a_replay_that_is_killed_goes_on_where_it_was(lived: Scene, tmp_path: Any) -> None:
    lived.sfox(accounts(FRAMES_TO_KILL_IN, *NAMES))
    lived.wait()
    total = sum(lived.ends(RAW).values())

    killed_at = []
    for number, share in enumerate((0.1, 0.3, 0.5)):
        place = tmp_path / str(number)
        words = ("replay", "--generation", "killed")
        with started(place, *words, **lived.house.settings) as command:
            until(
                lambda share=share: lived.read_of("killed") > share * total,
                pause_seconds=0.01,
                why=lambda c=command: c.output,
            )
            command.process.send_signal(signal.SIGKILL)
            command.process.wait()
        killed_at.append(sum(lived.committed(app_name("killed"), RAW).values()))
    assert killed_at == sorted(killed_at)
    assert killed_at[-1] < total, "the kills came too late"
    assert_equal(lived.compared("killed"))


def test_what_raw_no_longer_holds_is_carried(lived: Scene) -> None:
    """Raw loses its beginning: who was quiet since then is taken from the live table."""
    lived.sfox(accounts(400, *NAMES[:100]))
    lived.wait()
    kept = {place: end - 40 for place, end in lived.ends((RAW[0],)).items()}
    deleted = [TopicPartition(*place, offset) for place, offset in kept.items()]
    for outcome in lived.clients.admin.delete_records(deleted).values():
        outcome.result(10)
    found = lived.compared("carried")
    assert_equal(found)
    assert 0 < found["carried"] < USERS + 5
    assert not found["versions_compared"]


def test_what_a_user_held_then(lived: Scene) -> None:
    user = "sfox:user-150"
    settings = lived.house.settings
    told = [r for r in lived.read("balances.v1") if r.key() == user.encode()]
    now = headroom("query", "user", user, "--at", "0s ago", "--json", **settings)
    assert now.status == 0, now.err
    assert told[-1].value() in now.out.encode()
    text = headroom("query", "user", user, "--at", "0s ago", **settings)
    assert f"{user}  at " in text.out
    assert "BTC" in text.out
    for words, problem in (
        (("--at", "2001-01-01"), "balances.v1 tells nothing before"),
        (("--at", "2999-01-01"), "has not come yet"),
        (("--at", "0s ago", "--url", "http://127.0.0.1:1"), "no --url"),
    ):
        headroom("query", "user", user, *words, **settings).is_one_line(problem)
    unknown = headroom("query", "user", "sfox:nobody", "--at", "0s ago", **settings)
    unknown.is_one_line("nothing is known of sfox:nobody")
