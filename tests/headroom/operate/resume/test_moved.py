"""Somebody sets the group's offsets, or cuts the topics beside the work, under real workers."""

import asyncio
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from headroom.operate.accounts import read_bindings
from headroom.operate.generations import read_book
from headroom.operate.resume.moved import judged
from headroom.operate.resume.picture import look
from headroom.operate.resume.plan import What, wrongs
from schemas.topics import ACCOUNTS, BALANCES, CONTRIBUTIONS, MOVES
from tests.headroom.commands import headroom, until
from tests.headroom.operate.replay.scene import PARTITIONS
from tests.headroom.operate.resume.stopped import GROUP, SFOX, Place, Stopped, names_in, stopped

# The machine that runs this may be busy.
pytestmark = pytest.mark.timeout(300)


def reset(its: Stopped, offsets: dict[Place, int], said: str = "") -> None:
    """Set the group's offsets as Kafka's own tools do."""
    until(lambda: not its.clients.group(GROUP).members)
    places = [TopicPartition(*place, at, metadata=said) for place, at in offsets.items()]
    asked = [ConsumerGroupTopicPartitions(GROUP, places)]
    its.clients.admin.alter_consumer_group_offsets(asked)[GROUP].result(10)


def belongs(its: Stopped, folder: Path, account: str, user: str) -> None:
    """Say in every worker's file who has an account of sFOX's."""
    path = folder / "accounts.yaml"
    path.write_text(f"accounts:\n  - {{venue: sfox, account: {account}, user: {user}}}\n")
    its.house.settings["ACCOUNTS_FILE"] = path


def moved(its: Stopped) -> set[Place]:
    """Where a commit is wrong, and nothing else is; in this process, since it is asked often."""
    book = asyncio.run(read_book(its.house.kafka, partitions=PARTITIONS))
    bindings = asyncio.run(read_bindings(its.house.kafka, partitions=PARTITIONS))
    picture = look(its.clients, book, partitions=PARTITIONS)
    found = wrongs(judged(its.clients, picture, bindings.all, exact=True))
    assert {wrong.what for wrong in found} <= {What.MOVED}
    return {(wrong.topic, wrong.partition) for wrong in found}


@pytest.mark.long
def test_offsets_that_somebody_set_are_held_against_what_was_told(tmp_path: Path) -> None:
    """A commit that is right is believed, whoever made it; each other one stops the workers."""
    with stopped(tmp_path) as its:
        names = names_in(3, 3)
        with its.working():
            its.sfox(names, sound=True)
            its.send("sfox", [(names[0], b"{broken")])
            its.wait()
            assert (
                headroom("accounts", "move", f"sfox:{names[2]}", "ann", **its.house.settings).status
                == 0
            )
            its.wait()
        belongs(its, tmp_path, names[2], "ann")
        topics = (SFOX, BALANCES, MOVES, CONTRIBUTIONS)
        stood = its.committed(GROUP, topics)
        before = its.identities()
        # As versions did before marks were: nothing beside what left no rows.
        unmarked = {place: at for place, at in stood.items() if place[0] == SFOX}
        reset(its, unmarked)
        reset(its, {p: at for p, at in stood.items() if p[0] in topics[1:] and at > 0}, "rows")
        assert moved(its) == set()

        raw = (SFOX, 3)
        its.sfox(names, sound=True)
        for at in (0, stood[raw] + 3, stood[raw] + 1, stood[raw] - 1):
            reset(its, {raw: at})
            assert moved(its) == {raw}, at
        its.resume("--from", "beginning").is_one_line(SFOX, "--from told")
        refused = headroom("work", "--port", "0", **its.house.settings)
        assert refused.status == 1
        assert "its offsets were reset: see `headroom resume`" in refused.err
        others = {p for p, at in stood.items() if p[0] in topics[1:] and at > 0}
        assert {topic for topic, _ in others} == set(topics[1:])
        reset(its, dict.fromkeys(others, 0))
        assert moved(its) == {raw, *others}

        done = its.resumed("told")
        stands = {(one["topic"], one["partition"]): one["offset"] for one in done["stands"]}
        assert stands[raw] == stood[raw]
        assert done["doubtful"] == 0
        assert moved(its) == set()
        with its.working():
            its.wait()
            assert its.asked("ann")["version"] == 2
            identities = its.identities()
            assert len(set(identities)) == len(identities) == len(before) + 3
            told, held = its.sums()
            assert told == held


@pytest.mark.long
def test_bindings_that_were_deleted_are_written_again_from_the_rows(tmp_path: Path) -> None:
    """With the number of each account's last move, so that the next one counts."""
    with stopped(tmp_path) as its:
        names = names_in(3, 2)
        account = f"sfox:{names[0]}"
        with its.working():
            its.sfox(names, sound=True)
            its.wait()
            for user in ("ann", "bob"):
                moved_on = headroom("accounts", "move", account, user, **its.house.settings)
                assert moved_on.status == 0
        for place, end in its.ends((ACCOUNTS,)).items():
            if end:
                its.cut(place, end)
        listed = headroom("accounts", "list", **its.house.settings)
        listed.is_one_line(f"{ACCOUNTS}[", "begins at offset", "see `headroom resume`")
        checked = headroom("topics", "check", **its.house.settings)
        assert checked.status == 1
        assert f"topic {ACCOUNTS}: the beginning of partition" in checked.out
        done = its.resumed("told", "--topic", ACCOUNTS)
        assert done["written_again"] == 1
        listed = headroom("accounts", "list", **its.house.settings)
        assert listed.out.split() == [account, "bob"]
        checked = headroom("topics", "check", **its.house.settings)
        assert (checked.status, checked.out) == (0, "")
        belongs(its, tmp_path, names[0], "bob")
        with its.working():
            back = headroom("accounts", "move", account, account, **its.house.settings)
            assert back.status == 0
            its.wait()
            until(lambda: "BTC" in its.asked(account)["totals"], why=lambda: str(its.asked("bob")))
