"""What Kafka says of the ends of topics, while a transaction is open and after it."""

import asyncio
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
from headroom.base.whole import worked_as
from tests.engine.loading import Loading
from tests.engine.proxy import Kind
from tests.headroom.commands import until


def test_an_end_is_that_of_what_is_committed_or_of_all_that_was_written(
    kafka: Any, unique: str
) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(unique, 1, 1)])[unique].result(10)
    clients = Clients(KafkaSettings(kafka.bootstrap))
    producer = clients.producer(f"{unique}-writer", seconds_max=60.0)
    producer.begin_transaction()
    producer.produce(unique, b"x")
    assert producer.flush(30) == 0
    assert clients.ends([unique], 1) == {(unique, 0): 0}
    assert clients.ends([unique], 1, committed=False) == {(unique, 0): 1}
    assert not clients.is_settled([unique], 1)
    producer.commit_transaction()
    # At once, however long Kafka takes with the marker: it is never before what was written.
    assert clients.ends([unique], 1, committed=False)[unique, 0] >= 1
    until(lambda: clients.is_settled([unique], 1))
    assert clients.ends([unique], 1) == {(unique, 0): 2}
    clients.close()


async def test_who_asks_for_groups_waits_until_their_broker_has_read_them(
    kafka: Any, unique: str
) -> None:
    """A broker that has just come refuses for a moment: nobody stops for that."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(unique, 1, 1)])[unique].result(10)
    Clients(KafkaSettings(kafka.bootstrap)).move(unique, {(unique, 0): 0}, ours=True)
    async with Loading(kafka.bootstrap, Kind.LIST_GROUPS, times=2) as broker:
        asked = {"bootstrap_servers": broker.bootstrap}
        assert await worked_as(asked, lambda name: name == unique) == unique
        assert broker.left == 0


async def test_who_asks_for_a_group_waits_until_its_broker_has_read_it(
    kafka: Any, unique: str
) -> None:
    async with Loading(kafka.bootstrap, Kind.DESCRIBE_GROUPS, times=2) as broker:
        clients = Clients(KafkaSettings(broker.bootstrap))
        assert (await asyncio.to_thread(clients.group, unique)).members == ()
        assert broker.left == 0
        clients.close()
