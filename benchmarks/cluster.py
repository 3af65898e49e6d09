"""What the harness asks of Kafka: topics, ends as a careful reader sees them, records, commits."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from benchmarks.job import OUTPUTS
from schemas.topics import TOPICS

_ASK_SECONDS: Final = 10.0
_READ_AT_ONCE: Final = 2_000
_PASSING: Final = ("UNKNOWN_TOPIC_OR_PART", "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE")
Ends = dict[tuple[str, int], int]


class Cluster:
    """One Kafka, seen from outside; `partitions` is how many every topic of the benchmark has."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.partitions = partitions
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, names: Iterable[str], settings: Mapping[str, str]) -> None:
        """Create topics."""
        topics = [NewTopic(n, self.partitions, 1, config=dict(settings)) for n in names]
        for done in self._admin.create_topics(topics).values():
            done.result(_ASK_SECONDS)
        # Who asks for a topic before every partition has its leader is told so for a while.
        wanted = {topic.topic for topic in topics}
        deadline = time.monotonic() + _ASK_SECONDS
        while not wanted <= self._led() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _led(self) -> set[str]:
        known = self._admin.list_topics(timeout=_ASK_SECONDS).topics
        return {
            name
            for name, topic in known.items()
            if topic.partitions and all(p.leader >= 0 for p in topic.partitions.values())
        }

    def create_raw(self, name: str) -> None:
        """Create a raw topic whose records carry the broker's own time of their arrival."""
        settings = TOPICS["raw.sfox.balances.v1"].settings(replication_factor=1)
        self.create([name], {**settings, "message.timestamp.type": "LogAppendTime"})

    def create_outputs(self, prefix: str) -> None:
        """Create what a contender writes to, with the product's own settings."""
        for name in OUTPUTS:
            settings = TOPICS[name].settings(replication_factor=1)
            self.create([prefix + name], {**settings, "message.timestamp.type": "LogAppendTime"})

    def delete(self, *beginnings: str) -> None:
        """Delete every topic whose name begins, or whose name's inner part begins, like this."""
        known = self._admin.list_topics(timeout=_ASK_SECONDS).topics
        found = [name for name in known if any(part in name for part in beginnings)]
        if found:
            for done in self._admin.delete_topics(found).values():
                done.result(_ASK_SECONDS)

    def named(self, part: str) -> list[str]:
        """The names of the topics that contain a text."""
        known = self._admin.list_topics(timeout=_ASK_SECONDS).topics
        return sorted(name for name in known if part in name)

    def ends(self, *topics: str, committed_only: bool = True) -> Ends:
        """The end offsets, as a `read_committed` reader may read them, of all partitions."""
        asked = {
            TopicPartition(topic, partition): OffsetSpec.latest()
            for topic in topics
            for partition in range(self.partitions)
        }
        level = IsolationLevel.READ_COMMITTED if committed_only else IsolationLevel.READ_UNCOMMITTED
        deadline = time.monotonic() + _ASK_SECONDS
        while True:
            answers = self._admin.list_offsets(asked, isolation_level=level)
            try:
                return {
                    (tp.topic, tp.partition): answer.result(_ASK_SECONDS).offset
                    for tp, answer in answers.items()
                }
            except KafkaException as error:
                # A topic that was just created has no leader for a moment.
                if error.args[0].name() not in _PASSING or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def committed(self, group: str, topic: str) -> int:
        """How many records of a topic a group has committed, over all partitions."""
        asked = [TopicPartition(topic, p) for p in range(self.partitions)]
        request = [ConsumerGroupTopicPartitions(group, asked)]
        try:
            answer = self._admin.list_consumer_group_offsets(request)[group].result(_ASK_SECONDS)
        except KafkaException:
            return 0  # no such group yet
        return sum(max(0, tp.offset) for tp in answer.topic_partitions or ())

    def read(self, topic: str, start: Ends | None = None) -> Iterator[Any]:
        """Every committed record of a topic up to its present end, from an offset on."""
        ends = self.ends(topic)
        first = {p: (start or {}).get((topic, p), 0) for p in range(self.partitions)}
        left = {p for p in first if first[p] < ends[topic, p]}
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
            }
        )
        consumer.assign([TopicPartition(topic, p, first[p]) for p in sorted(left)])
        try:
            while left:
                for message in consumer.consume(_READ_AT_ONCE, 0.2):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.name() != "_PARTITION_EOF":
                        raise KafkaException(error)
                    else:
                        # Behind the last record there may be a transaction's marker alone.
                        left.discard(message.partition())
        finally:
            consumer.close()
