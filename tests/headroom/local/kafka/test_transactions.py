"""A committed transaction stays whole where the broker is killed in the middle of committing it."""

import asyncio
import logging
import os
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from headroom.local.kafka import KafkaNode

# Enough of them that the broker is busy with them for a while: it sends markers every 50 ms.
PARTITIONS = 250
ATTEMPTS = 4
# What a coordinator says that finds a transaction decided and its markers not written.
MARKERS_LEFT = "Sending txn markers for"
COMMIT_SECONDS_MAX = 60.0
READ_SECONDS_MAX = 30.0

# Longer than a start: a node that comes back is taken for the one that was killed, until then.
SESSION_MS = 10_000

# A broker that is away is no news here.
quiet = logging.getLogger("quiet")
quiet.setLevel(logging.CRITICAL)


class PatientNode(KafkaNode):
    """A node whose controller waits longer for one that was killed."""

    def _write_settings(self, place, port):
        super()._write_settings(place, port)
        with place.server_properties.open("a") as file:
            file.write(f"broker.session.timeout.ms={SESSION_MS}\n")


def commit(producer):
    """Commit, however often that has to be asked for."""
    deadline = time.monotonic() + COMMIT_SECONDS_MAX
    while True:
        try:
            return producer.commit_transaction(5.0)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def committed_records(bootstrap, count):
    """How many records of the topic can be read; waits until `count` can."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "reader",
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings, logger=quiet)
    consumer.assign([TopicPartition("t", number, 0) for number in range(PARTITIONS)])
    found, deadline = 0, time.monotonic() + READ_SECONDS_MAX
    while found < count and time.monotonic() < deadline:
        found += sum(message.error() is None for message in consumer.consume(1_000, 0.2))
    consumer.close()
    return found


async def killed_while_committing(node, producer, data):
    """Kill a node as soon as its coordinator has written anything down about a commit."""
    logs = list(data.glob("__transaction_state-*/*.log"))

    def written():
        return sum(os.stat(log).st_size for log in logs)  # noqa: PTH116 - the quickest there is

    before = written()
    async with asyncio.TaskGroup() as both:
        both.create_task(asyncio.to_thread(commit, producer))
        async with asyncio.timeout(10):
            while written() == before:
                await asyncio.sleep(0)
        node.kill()
        await node.start()


async def test_a_kill_between_the_decision_to_commit_and_its_markers_takes_nothing_back(tmp_path):
    """Kafka 4.3.0 to 4.4.0 forget the markers of partitions without a leader (KAFKA-20734).

    There it fails three times of four: the moment without leaders is a short one.
    """
    async with PatientNode(data_dir=tmp_path) as node:
        admin = AdminClient({"bootstrap.servers": node.bootstrap}, logger=quiet)
        for created in admin.create_topics([NewTopic("t", PARTITIONS, 1)]).values():
            created.result(10)
        settings = {"bootstrap.servers": node.bootstrap, "transactional.id": "writer"}
        producer = Producer(settings, logger=quiet)
        await asyncio.to_thread(producer.init_transactions, 20)
        for attempt in range(1, ATTEMPTS + 1):
            producer.begin_transaction()
            for number in range(PARTITIONS):
                producer.produce("t", b"value", partition=number)
            await asyncio.to_thread(producer.flush, 10)
            await killed_while_committing(node, producer, tmp_path / "data")
            count = attempt * PARTITIONS
            assert await asyncio.to_thread(committed_records, node.bootstrap, count) == count
            if MARKERS_LEFT in node.log_path.read_text():
                return
    pytest.fail("the broker was never killed at the right moment")
