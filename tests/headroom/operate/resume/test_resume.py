"""Records, offsets and topics are lost under a real worker; `headroom resume`, and it goes on."""

import json
from pathlib import Path

import pytest

from headroom.base.clients import InUse
from schemas.topics import CONTRIBUTIONS
from tests.headroom.commands import headroom, until
from tests.headroom.operate.resume.stopped import (
    GROUP,
    HERCLE,
    SFOX,
    names_in,
    partition_of,
    stopped,
)

# The machine that runs this may be busy: each has a Kafka of its own, and several workers.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.long
def test_records_that_were_deleted_before_they_were_read_leave_their_accounts_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped(tmp_path) as its:
        lost, others = names_in(3, 3), names_in(5, 2)
        with its.working():
            its.sfox([*lost, *others], sound=True)
            its.wait()
        its.sfox([lost[0], lost[1], *others], sound=True)
        (end,) = (at for place, at in its.ends((SFOX,)).items() if place == (SFOX, 3))
        its.delete_records((SFOX, 3), end)
        its.sfox([lost[2]], sound=True)
        (wrong,) = its.wrong()
        assert (wrong["topic"], wrong["partition"], wrong["what"]) == (SFOX, 3, "records_gone")
        assert "2 offsets were deleted before they were read" in wrong["words"]
        report = its.resume()
        assert report.status == 0
        assert "--from beginning" in report.out
        its.resume("--from", "end").is_one_line(SFOX, "--from beginning")

        with pytest.raises(RuntimeError, match="killed"):
            its.killed_while_resuming("beginning", monkeypatch)
        assert wrong in its.wrong()

        done = its.resumed("beginning")
        assert done["doubtful"] == 3
        assert {"topic": SFOX, "partition": 3, "offset": end} in done["stands"]
        assert its.wrong() == []
        with its.working():
            its.wait()
            # The last one has had a frame since.
            reasons = its.doubtful()
            assert set(reasons) == {f"sfox:{name}" for name in lost[:2]}
            assert f"{SFOX}[3] from 3 to 5" in reasons[f"sfox:{lost[0]}"]
            its.reaches(f"sfox:{lost[0]}", "unconfirmed")
            its.reaches(f"sfox:{others[0]}", "live")
            its.sfox([lost[0]], sound=True)
            its.wait()
            its.reaches(f"sfox:{lost[0]}", "live")
            assert set(its.doubtful()) == {f"sfox:{lost[1]}"}
            identities = its.identities()
            assert len(set(identities)) == len(identities)
            assert its.audit().findings == []


@pytest.mark.long
def test_a_raw_topic_that_was_made_again_has_other_frames_under_other_names(
    tmp_path: Path,
) -> None:
    with stopped(tmp_path) as its:
        names = names_in(3, 3)
        with its.working():
            its.sfox(names, sound=True)
            its.send("sfox", [(names[0], b"{broken")])
            its.hercle("ann")
            its.hercle_at_once("ann", "bob", "bad")
            its.wait()
            held = {name: its.asked(f"sfox:{name}")["version"] for name in names}
        before = its.identities()
        assert not any("~" in one for one in before)
        its.sfox(names[:1], sound=True)  # nobody reads this one
        for topic in (SFOX, HERCLE):
            its.make_again(topic)
        assert {(one["topic"], one["what"]) for one in its.wrong()} == {
            (SFOX, "topic_replaced"),
            (HERCLE, "topic_replaced"),
        }
        done = its.resumed("beginning")
        assert done["doubtful"] == 6
        assert [one["incarnation"] for one in done["topics"]] == [2, 2]
        assert its.wrong() == []
        # The very places of before.
        its.sfox([*names[:2], names[0]], sound=True)
        its.send("sfox", [(names[0], b"{broken")])
        its.hercle_at_once("ann", "bob", "bad")
        with its.working():
            its.wait()
            now = {name: its.asked(f"sfox:{name}")["version"] for name in names}
            assert [now[name] - held[name] for name in names] == [2, 1, 0]
            assert set(its.doubtful()) == {f"sfox:{names[2]}", "sfox:" + names[0], "hercle:bad"}
            listed = json.loads(headroom("deadletters", "list", "--json", **its.house.settings).out)
        new = [one for one in its.identities() if one not in before]
        assert all(
            one.startswith(("raw.sfox.balances.v1~2/", "raw.hercle.balances.v1~2/")) for one in new
        )
        assert len(its.identities()) == len(before) + len(new)
        assert len(set(new)) == len(new) == 5
        origins = [one["origin"] for one in listed["letters"]]
        assert len(set(origins)) == 4
        assert sum("~2/" in one for one in origins) == 2
        found = its.audit()
        assert found.findings == []
        assert found.lost == 0


def test_offsets_that_the_group_lost_are_found_again_and_nothing_is_told_twice(
    tmp_path: Path,
) -> None:
    with stopped(tmp_path) as its:
        names = [f"user-{number}" for number in range(12)]
        with its.working():
            its.sfox(names * 8)
            its.hercle_at_once("ann", "bob", "bad")
            its.wait()
        its.sfox(names)
        stood = its.committed(GROUP, (SFOX, HERCLE))
        its.forget_commits()
        assert {one["what"] for one in its.wrong()} == {"commits_missing"}
        its.resume("--from", "beginning").is_one_line("--from told")
        its.resumed("told")
        now = its.committed(GROUP, (SFOX, HERCLE))
        assert {place: at for place, at in now.items() if place in stood} == stood
        with its.working():
            its.wait()
            identities = its.identities()
            assert len(set(identities)) == len(identities)
            found = its.audit()
            assert found.findings == []
            assert (found.raw, found.repeated, found.lost) == (12 * 9 + 1, 0, 0)
            assert its.doubtful().keys() == {"hercle:bad"} | {
                key for key in its.doubtful() if key.startswith("sfox:")
            }


@pytest.mark.long
def test_a_raw_topic_that_lost_its_end_goes_on_under_another_name(tmp_path: Path) -> None:
    """Nobody can cut a log's end off for a test: the group is ahead of it by as much instead."""
    with stopped(tmp_path) as its:
        names, others = names_in(3, 2), names_in(5, 2)
        with its.working():
            its.sfox([*names, *others] * 2, sound=True)
            its.wait()
        before, place = its.identities(), (SFOX, 3)
        end = its.ends((SFOX,))[place]
        # These have come since, in places that were read before.
        its.sfox([names[0], others[0]], sound=True)
        until(lambda: not its.clients.group(GROUP).members)
        its.clients.move(GROUP, {place: end + 7})
        assert [(one["partition"], one["what"]) for one in its.wrong()] == [(3, "log_shortened")]
        its.resume("--from", "beginning").is_one_line("--from end")
        done = its.resumed("end")
        assert {"topic": SFOX, "partition": 3, "offset": end} in done["stands"]
        assert done["doubtful"] == 2
        assert its.wrong() == []
        with its.working():
            its.wait()
            its.sfox([names[0], others[0]], sound=True)
            its.wait()
            assert its.doubtful().keys() == {f"sfox:{names[1]}"}
        new = sorted(one for one in its.identities() if one not in before)
        assert new == [
            f"{SFOX}/5/4",
            *(f"{SFOX}~2/{at}" for at in (f"3/{end}", f"3/{end + 1}", "5/5")),
        ]
        assert its.audit().findings == []


@pytest.mark.long
def test_shares_that_were_deleted_before_they_were_summed_are_told_again(tmp_path: Path) -> None:
    with stopped(tmp_path) as its:
        names = [f"user-{number}" for number in range(12)]
        with its.working():
            its.sfox(names, sound=True)
            its.wait()
            told, held = its.sums()
            assert told == held
        # The users' agent goes on, the sums' does not.
        with its.working(deaf=(CONTRIBUTIONS,)):
            its.sfox(names[:8], sound=True)
            its.wait_for(SFOX, "balances.v1")
            told, held = its.sums()
            assert told != held
        for place, end in its.ends((CONTRIBUTIONS,)).items():
            if end:
                its.delete_records(place, end)
        assert {one["topic"] for one in its.wrong()} == {CONTRIBUTIONS}
        done = its.resumed("end")
        assert done["retold"] >= 1
        assert its.wrong() == []
        with its.working():
            its.wait()
            told, held = its.sums()
            assert told == held
            assert its.audit().findings == []


@pytest.mark.long
def test_balances_that_were_deleted_before_they_were_folded_leave_their_users_in_doubt(
    tmp_path: Path,
) -> None:
    with stopped(tmp_path) as its:
        names = names_in(3, 2, "a") + names_in(5, 1, "b")
        users = [f"sfox:{name}" for name in names]
        with its.working():
            its.sfox(names, sound=True)
            its.wait()
        with its.working(deaf=("balances.v1",)):
            its.sfox(names, sound=True)
            its.wait_for(SFOX)
        place = ("balances.v1", partition_of(users[0]))
        its.delete_records(place, its.ends(("balances.v1",))[place])
        assert [(one["topic"], one["partition"]) for one in its.wrong()] == [place]
        concerned = {user for user in users if partition_of(user) == place[1]}
        assert its.resumed("told")["doubtful"] == len(concerned)
        with its.working():
            its.wait()
            assert set(its.doubtful()) == concerned
            its.sfox(names, sound=True)
            its.wait()
            assert its.doubtful() == {}


def test_nobody_goes_on_while_a_worker_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped(tmp_path) as its:
        with its.working():
            its.sfox(["a"], sound=True)
            its.wait()
            report = its.resume()
            assert report.status == 0
            assert "nothing is wrong" in report.out
            assert "its workers are running" in report.out
            monkeypatch.setattr("headroom.operate.replay.alone.ALONE_SECONDS_MAX", 0.0)
            with pytest.raises(InUse, match="the group headroom has members: stop them first"):
                its.resume_here("told")
        assert its.resume("--from", "told").out == "nothing is wrong: start the workers\n"


def test_what_cannot_be_asked_is_one_line(tmp_path: Path) -> None:
    headroom("resume", "--topic", SFOX).is_one_line("--topic says what --from is for")
    headroom("resume", "--from", "somewhere").is_one_line("beginning", "end", "told")
    nobody = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "DATA_DIR": tmp_path}
    headroom("resume", **nobody).is_one_line("no Kafka answers at 127.0.0.1:1")
