"""What waits for a Kafka that is slow to answer, and for how long."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from faust.types import TP

from processors.engine.fetcher import Fetcher


class Slow:
    """A client whose first answer does not come: a transaction on the offsets is open."""

    def __init__(self) -> None:
        self.asked = 0

    def unassign(self) -> None:
        """Nothing is read any more."""

    def committed(self, places: list[TopicPartition], **_: Any) -> list[TopicPartition]:
        self.asked += 1
        if self.asked == 1:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(one.topic, one.partition, 7) for one in places]


async def test_an_assignment_after_another_waits_for_commits_too() -> None:
    """Who was told to stop reading a moment ago asks for them, and that is no reason to end."""
    fetcher, client, place = Fetcher({}, group="g"), Slow(), TP("t", 0)
    fetcher._client = client
    await fetcher.stop()
    assert await fetcher.committed([place]) == {place: 7}
    assert client.asked == 2
