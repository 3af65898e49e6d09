"""`headroom seek`: a stopped group of another team stands at another time, and no other does."""

import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
from tests.headroom.commands import Ended, headroom, until

STAMPS_MS = (1_000_000, 2_000_000, 3_000_000)


class Team:
    """A topic with three records of known times, and a group that has read them all."""

    def __init__(self, bootstrap: str, name: str, folder: Path) -> None:
        self.bootstrap, self.topic, self.group = bootstrap, f"{name}.topic", f"{name}-team"
        self.settings = {"KAFKA_BOOTSTRAP": bootstrap, "DATA_DIR": folder}
        self.clients = Clients(KafkaSettings(bootstrap))
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for created in admin.create_topics([NewTopic(self.topic, 1, 1)]).values():
            created.result(10)
        producer = Producer({"bootstrap.servers": bootstrap})
        for stamp in STAMPS_MS:
            producer.produce(self.topic, b"x", timestamp=stamp)
        assert producer.flush(30) == 0
        self.clients.move(self.group, {(self.topic, 0): 3})

    def seek(self, *words: str, group: str | None = None) -> Ended:
        return headroom("seek", group or self.group, *words, **self.settings)

    def stands(self) -> dict[Any, int]:
        return self.clients.committed(self.group, [self.topic], 1)


@pytest.fixture
def team(kafka: Any, unique: str, tmp_path: Path) -> Team:
    return Team(kafka.bootstrap, unique, tmp_path)


def test_it_stands_at_the_first_record_of_that_time_or_later(team: Team) -> None:
    done = team.seek("--to", "1970-01-01T00:20Z")  # 1,200 s
    assert (done.status, done.out) == (0, f"{team.topic}/0  3 -> 1\n"), done.err
    assert team.stands() == {(team.topic, 0): 1}


def test_a_dry_run_moves_nothing(team: Team) -> None:
    done = team.seek("--to", "1970-01-01T00:20Z", "--dry-run")
    assert (done.status, done.out) == (0, f"{team.topic}/0  3 -> 1\n"), done.err
    assert team.stands() == {(team.topic, 0): 3}


def test_a_group_that_has_members_stays_where_it_is(team: Team) -> None:
    member = Consumer({"bootstrap.servers": team.bootstrap, "group.id": team.group})
    member.subscribe([team.topic])
    try:
        until(lambda: bool(member.poll(0.1) or member.assignment()))
        until(lambda: bool(team.clients.group(team.group).members))
        team.seek("--to", "1970-01-01T00:20Z").is_one_line("has members: stop them first")
        # Kafka itself refuses it, too: whoever joins in between is safe.
        with pytest.raises(Exception, match="has members"):
            team.clients.move(team.group, {(team.topic, 0): 0})
        assert team.stands() == {(team.topic, 0): 3}
    finally:
        member.close()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--to", "1970-01-01T00:01Z"), "holds 1970-01-01T00:16:40.000000000Z to"),
        (("--to", "1s ago"), "and not 20"),
        (("--to", "2999-01-01"), "has not come yet"),
        (("--to", "1970-01-01T00:20Z", "--topic", "no-such-topic"), "no topic no-such-topic"),
        (("--to", "soon"), "is no time"),
        ((), "--to"),
    ],
)
def test_what_cannot_be_is_one_line(team: Team, words: tuple[str, ...], problem: str) -> None:
    team.seek(*words).is_one_line(problem)
    assert team.stands() == {(team.topic, 0): 3}


@pytest.mark.parametrize("group", ["headroom", "headroom-generation.x"])
def test_headrooms_own_groups_are_not_moved(team: Team, group: str) -> None:
    team.seek("--to", "1970-01-01T00:20Z", group=group).is_one_line("Headroom's own")


def test_a_group_that_never_read_anything_needs_a_topic(team: Team) -> None:
    fresh = f"{team.group}-{time.time_ns()}"
    team.seek("--to", "1970-01-01T00:20Z", group=fresh).is_one_line("name it a --topic")
    done = team.seek("--to", "1970-01-01T00:20Z", "--topic", team.topic, group=fresh)
    assert (done.status, done.out) == (0, f"{team.topic}/0  nowhere -> 1\n"), done.err
    assert team.clients.committed(fresh, [team.topic], 1) == {(team.topic, 0): 1}
