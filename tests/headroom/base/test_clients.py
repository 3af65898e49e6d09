"""What Kafka says of the ends of topics, while a transaction is open and after it."""

from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
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
