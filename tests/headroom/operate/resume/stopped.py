"""A Kafka whose workers a test starts and stops, and what operators do to it meanwhile."""

import asyncio
import itertools
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from headroom.base.clients import Clients
from headroom.base.known_topics import KnownTopic, entry
from headroom.base.settings import load
from headroom.operate.generations import read_book, write
from headroom.operate.resume.picture import look
from headroom.operate.resume.plan import Choice
from headroom.operate.resume.run import run_resume
from schemas.codec import encode
from schemas.headers import Headers
from schemas.topics import FEEDS, TOPICS, UNCONFIRMED
from tests.headroom import commands
from tests.headroom.commands import Ended, headroom, started, until
from tests.headroom.house import House
from tests.headroom.operate.replay.scene import EPOCH, PARTITIONS, Scene
from tests.processors.pipeline import status

GROUP = "headroom"
SFOX, HERCLE = "raw.sfox.balances.v1", "raw.hercle.balances.v1"
Place = tuple[str, int]


def partition_of(key: str) -> int:
    """Where a key lies in every topic."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def names_in(partition: int, count: int, prefix: str = "acc") -> list[str]:
    """Accounts whose frames lie in this partition of raw."""
    names = (f"{prefix}{number}" for number in itertools.count())
    found = (name for name in names if partition_of(name) == partition)
    return list(itertools.islice(found, count))


class Keyed(House):
    """A house whose frames lie where producers of ours put them."""

    def produce(self, topic: str, *records: tuple[bytes | None, bytes, Headers]) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        for key, value, headers in records:
            producer.produce(topic, value, key=key, headers=headers)
        assert producer.flush(30) == 0


class Stopped(Scene):
    """The contract's topics, and no worker but within `working`."""

    def __init__(self, house: House, folder: Path) -> None:
        super().__init__(house)
        self._folder = folder
        self._numbers = itertools.count(1)

    @contextmanager
    def working(self, *, deaf: tuple[str, ...] = ()) -> Iterator[None]:
        """A worker that is ready; it is stopped in the end. It reads nothing of `deaf` topics."""
        program = commands.HEADROOM
        if deaf:
            program = (
                sys.executable,
                "-m",
                "tests.headroom.operate.resume.deaf_worker",
                ",".join(deaf),
            )
        place, words = self._folder / f"worker-{next(self._numbers)}", ("work", "--port", "0")
        with started(place, *words, program=program, **self.house.settings) as worker:
            self.house.worker = worker
            until(lambda: "ready " in worker.output, why=lambda: worker.output)
            (self.house.url,) = re.findall(r"ready (\S+)", worker.output)
            self.remember()
            yield
            assert worker.stop() == 0, worker.output

    def remember(self) -> None:
        """Have the book know the topics as they are, those that it does not know yet."""
        book = asyncio.run(read_book(self.house.kafka, partitions=PARTITIONS))
        picture = look(self.clients, book, partitions=PARTITIONS)
        new = [
            entry(KnownTopic(name, id_))
            for name, id_ in picture.found.items()
            if name not in book.topics and id_ is not None
        ]
        asyncio.run(write(self.house.kafka, *new))

    def wait_for(self, *topics: str) -> None:
        """Wait until some topics alone are read to their ends."""

        def is_read() -> bool:
            ends = self.clients.ends(topics, PARTITIONS, committed=False)
            done = self.committed(GROUP, topics)
            return all(done.get(place, 0) >= end for place, end in ends.items())

        until(is_read, why=lambda: self.house.worker.output[-3000:])

    # -- what operators do

    def delete_records(self, place: Place, before: int) -> None:
        """Have a partition begin at an offset."""
        asked = [TopicPartition(*place, before)]
        for answer in self.clients.admin.delete_records(asked).values():
            answer.result(10)

    def cut(self, place: Place, before: int) -> None:
        """The same of a compacted topic, which Kafka has to be told may lose records."""
        asked = [ConfigResource(ResourceType.TOPIC, place[0])]
        for policy in ("compact,delete", "compact"):
            entry_ = ConfigEntry(
                "cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET
            )
            asked[0] = ConfigResource(ResourceType.TOPIC, place[0], incremental_configs=[entry_])
            for answer in self.clients.admin.incremental_alter_configs(asked).values():
                answer.result(10)
            if policy != "compact":
                until(lambda: self._is_cut(place, before))

    def _is_cut(self, place: Place, before: int) -> bool:
        try:
            self.delete_records(place, before)
        except KafkaException as error:
            # The broker has yet to hear of the policy.
            if error.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return False
        return True

    def make_again(self, topic: str) -> None:
        """Delete a topic, and make it as it was."""
        admin = self.clients.admin
        admin.delete_topics([topic])[topic].result(10)
        until(lambda: topic not in self.topics())
        config = TOPICS[topic].settings(replication_factor=1)
        made = NewTopic(topic, PARTITIONS, 1, config=config)
        admin.create_topics([made])[topic].result(10)
        until(lambda: topic in self.topics())

    def forget_commits(self) -> None:
        """Delete the group, once nobody is in it."""
        until(lambda: not self.clients.group(GROUP).members)
        self.clients.admin.delete_consumer_groups([GROUP])[GROUP].result(10)

    # -- what there is to see

    def resume(self, *words: str) -> Ended:
        """The command, and its end."""
        return headroom("resume", *words, seconds=120.0, **self.house.settings)

    def resumed(self, choice: str, *words: str) -> dict[str, Any]:
        """What was done."""
        done = self.resume("--from", choice, "--json", *words)
        assert done.status == 0, done
        found: dict[str, Any] = json.loads(done.out)
        return found

    def resume_here(self, choice: Choice) -> None:
        """The same in this process."""
        settings = load({f"HEADROOM_{n}": str(v) for n, v in self.house.settings.items()})
        asyncio.run(run_resume(settings, choice, [], asyncio.Event(), as_json=True))

    def killed_while_resuming(self, choice: Choice, patch: pytest.MonkeyPatch) -> None:
        """All is sent, and nothing is committed; what is open stays so."""

        class Killed:
            def __init__(self, producer: Any) -> None:
                self._producer = producer

            def __getattr__(self, name: str) -> Any:
                return getattr(self._producer, name)

            def commit_transaction(self) -> None:
                assert self._producer.flush(30) == 0
                raise RuntimeError("killed")

        made = Clients.producer
        with patch.context() as patched:
            patched.setattr(Clients, "producer", lambda *a, **more: Killed(made(*a, **more)))
            self.resume_here(choice)

    def wrong(self) -> list[dict[str, Any]]:
        """What the report says is wrong."""
        done = self.resume("--json")
        assert done.status == 0, done
        found: list[dict[str, Any]] = json.loads(done.out)["wrong"]
        return found

    def last(self, topic: str) -> dict[str, Any]:
        """The last word of a compacted topic on each key."""
        begins = self.clients.begins([topic], PARTITIONS)
        return {
            record.key().decode(): record.value() and json.loads(record.value())
            for record in self.read(topic, begins)
        }

    def reaches(self, user: str, state: str) -> None:
        """Wait until a user of sFOX's is answered to be so, while the connection vouches for it."""
        key = b"sfox/1"
        found: list[Any] = []

        def is_so() -> bool:
            self.house.produce(FEEDS, (key, encode(status(epoch=EPOCH)), []))
            found[:] = [self.asked(user)["freshness"]]
            return bool(found[0]["state"] == state)

        until(is_so, why=lambda: str(found))

    def doubtful(self) -> dict[str, str]:
        """The accounts that are in doubt, and why."""
        told = self.last(UNCONFIRMED)
        return {key: one["doubt"]["reason"] for key, one in told.items() if one is not None}

    def identities(self, topic: str = "balances.v1") -> list[str]:
        """The identities of all that a topic tells, in no order."""
        begins = self.clients.begins([topic], PARTITIONS)
        found = self.read(topic, begins)
        return [dict(record.headers())["ce_id"].decode() for record in found]

    def sums(self) -> tuple[str, str]:
        """What all users hold of BTC: by the sums, and by the users."""
        held = sum(
            Decimal(one["totals"]["BTC"]["total"])
            for one in self.last("balances.latest.v1").values()
            if one is not None and "BTC" in one["totals"]
        )
        told = self.last("exposure.asset.v1")["BTC"]["total"]
        return str(Decimal(told).normalize()), str(Decimal(held).normalize())


@contextmanager
def stopped(folder: Path, **settings: object) -> Iterator[Stopped]:
    """Such a Kafka of its own."""
    node = commands.node()
    house = Keyed(next(node), folder, **settings)
    try:
        assert headroom("topics", "apply", **house.settings).status == 0
        yield Stopped(house, folder)
    finally:
        node.close()
