"""One broker of three is killed, whichever it is; then two, and they come back."""

import asyncio
import itertools
import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from headroom.local.kafka.probe import free_port
from headroom.operate.topics.acls import of_producer, of_worker
from schemas.topics import EXPOSURE_USER
from schemas.venues import VENUES
from tests.operators.process import Process, until
from tests.processors.test_several import account, message
from tests.secured.conftest import World

pytestmark = [pytest.mark.kafka, pytest.mark.long]
HERCLE = VENUES["hercle"].raw_topic
USERS = 5


class Sent:
    """Frames of Hercle's, whose amounts only grow, and whether the newest of each is told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self.last = 0

    def send(self, count: int) -> None:
        """Send so many to each user; waits until Kafka has them."""
        for number in itertools.islice(self._numbers, count):
            self.last = number
            for user in range(USERS):
                frame = message([account(f"d{user}", number, number)])
                self._world.root.produce(HERCLE, frame, f"d{user}".encode())
        assert self._world.root.flush(60) == 0

    def all_told(self) -> bool:
        """Whether the newest amount of each user is in what a worker tells, once."""
        return self._told() == {f"hercle:d{user}": str(self.last) for user in range(USERS)}

    def _told(self) -> dict[str, str]:
        reader = Consumer(
            {
                "bootstrap.servers": self._world.cluster.bootstrap,
                "group.id": "watching",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        found: dict[str, str] = {}
        versions: dict[str, int] = {}
        try:
            reader.assign([TopicPartition(EXPOSURE_USER, number, 0) for number in range(8)])
            ends = 0
            while ends < 8:
                for record in reader.consume(1_000, 1.0) or []:
                    if record.error() is not None:
                        ends += 1
                        continue
                    document = json.loads(record.value() or b"{}")
                    user = document["user"]
                    if not user.startswith("hercle:d"):
                        continue
                    assert document["version"] > versions.get(user, 0), "a version came twice"
                    versions[user] = document["version"]
                    found[user] = document["assets"]["BTC"]["total"]
        except KafkaException:
            return {}
        finally:
            reader.close()
        return found


@pytest.fixture
def worker(world: World) -> Iterator[Process]:
    place = world.place("steady", *of_worker(), HTTP_PORT=0)
    process = place.start("work")
    assert process.line(r"^ready (\S+)$"), process.output
    yield process
    place.end()


def test_nobody_stops_for_one_broker_and_everybody_goes_on_after_two(
    world: World, worker: Process
) -> None:
    """Nothing is lost or told twice; a producer keeps what Kafka does not take."""
    port = free_port()
    rights = of_producer("sfox")
    venue = {"SFOX_URL": f"ws://127.0.0.1:{port}/ws", "SFOX_API_KEY": "sandbox-sfox-key"}
    place = world.place("lasting", *rights, **venue)
    place.start("sandbox", "sfox", "--port", str(port), "--users", "5", "--rate", "20")
    producer = place.start("produce", "sfox")
    sent = Sent(world)
    sent.send(20)
    assert until(sent.all_told, 60), worker.output
    for node in world.cluster.nodes:
        node.kill()
        sent.send(20)
        more = world.has_more(VENUES["sfox"].raw_topic)
        assert until(sent.all_told, 90), worker.output
        assert until(more, 60), producer.output
        assert (worker.status, producer.status) == (None, None)
        asyncio.run(world.cluster.start())
        assert until(world.all_in_sync, 60)
    for node in world.cluster.nodes[:2]:
        node.kill()
    asyncio.run(world.cluster.start())
    assert until(world.all_in_sync, 60)
    sent.send(20)
    assert until(sent.all_told, 90), worker.output
    assert (worker.status, producer.status) == (None, None)
    assert producer.stop() == 0
    assert worker.stop() == 0
    place.end()
