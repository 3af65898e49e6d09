"""An operator's hands: what Kafka's own tools can do to topics and groups."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from processors.engine.librdkafka import patiently
from tests.operators import wire

GROUP = "headroom"
PARTITIONS = 2
QUIET = {"log_level": 0}
"""A client that says nothing while its Kafka is away: the act is why."""
_SECONDS = 30.0


class Hands:
    """All that is done to a Kafka, beside writing to it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})

    def topics(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_SECONDS).topics)

    def delete_topic(self, topic: str) -> None:
        _done(self._admin.delete_topics([topic]))
        _until(lambda: topic not in self.topics(), f"{topic} stays")

    def delete_records(self, topic: str, before: Mapping[int, int] | None = None) -> None:
        """Delete what lies before these offsets (None: all that is there).

        Kafka does so only where a topic may be deleted from: a compacted one is set so for it.
        """
        policy = self._policy(topic)
        if "delete" not in policy:
            self.configure(topic, cleanup_policy=f"{policy},delete")
        places = before or dict.fromkeys(range(PARTITIONS), OFFSET_END)
        wanted = [TopicPartition(topic, one, offset) for one, offset in places.items()]

        def deleted() -> bool:
            try:
                _done(self._admin.delete_records(wanted))
            except KafkaException as error:
                # The broker has yet to hear of the policy.
                if error.args[0].code() != KafkaError.POLICY_VIOLATION:
                    raise
                return False
            return True

        _until(deleted, f"no records of {topic} can be deleted")
        if "delete" not in policy:
            self.configure(topic, cleanup_policy=policy)

    def delete_group(self) -> None:
        """Delete the group with all that it has committed, once nobody is in it."""
        self.empty()
        _done(self._admin.delete_consumer_groups([GROUP]))

    def delete_offsets(self, topic: str) -> None:
        self.empty()
        wire.delete_offsets(self.bootstrap, GROUP, topic, PARTITIONS)

    def reset_offsets(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Have the group stand elsewhere, as `kafka-consumer-groups --reset-offsets` does."""
        self.empty()
        places = [TopicPartition(topic, one, offset) for one, offset in offsets.items()]
        wanted = ConsumerGroupTopicPartitions(GROUP, places)
        _done(self._admin.alter_consumer_group_offsets([wanted]))

    def empty(self, group: str = GROUP) -> None:
        """Wait until nobody is in the group: who was killed is, for its session."""

        def is_empty() -> bool:
            [future] = self._admin.describe_consumer_groups([group]).values()
            return future.result(_SECONDS).state.name in {"EMPTY", "DEAD"}

        _until(is_empty, "somebody stays in the group")

    def configure(self, topic: str, **settings: str) -> None:
        """Set settings of a topic; `_` stands for the dots."""
        self._set(ResourceType.TOPIC, topic, settings)

    def _policy(self, topic: str) -> str:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        [future] = self._admin.describe_configs([resource]).values()
        return str(future.result(_SECONDS)["cleanup.policy"].value)

    def configure_cluster(self, **settings: str) -> None:
        """Set settings of the one broker that there is."""
        self._set(ResourceType.BROKER, "1", settings)

    def _set(self, kind: ResourceType, name: str, settings: Mapping[str, str]) -> None:
        entries = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in settings.items()
        ]
        resource = ConfigResource(kind, name, incremental_configs=entries)
        _done(self._admin.incremental_alter_configs([resource]))

    def add_partitions(self, topic: str, total: int) -> None:
        _done(self._admin.create_partitions([NewPartitions(topic, total)]))

    def ends(self, topic: str) -> dict[int, int]:
        """Each partition's end."""
        return {one: end for one, (_, end) in self._bounds(topic).items()}

    def begins(self, topic: str) -> dict[int, int]:
        """Each partition's beginning."""
        return {one: begin for one, (begin, _) in self._bounds(topic).items()}

    def _bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "operators", **QUIET})
        try:
            places = [TopicPartition(topic, one) for one in range(PARTITIONS)]
            asking = [partial(consumer.get_watermark_offsets, one, _SECONDS) for one in places]
            # A node that has just come back leads nothing yet.
            return {
                one.partition: patiently(ask, seconds=_SECONDS)
                for one, ask in zip(places, asking, strict=True)
            }
        finally:
            consumer.close()

    def committed(self, topic: str) -> dict[int, int]:
        """Where the group stands in each partition; -1001 where it has no commit."""
        places = [TopicPartition(topic, one) for one in range(PARTITIONS)]
        wanted = ConsumerGroupTopicPartitions(GROUP, places)
        [future] = self._admin.list_consumer_group_offsets([wanted]).values()
        return {one.partition: one.offset for one in future.result(_SECONDS).topic_partitions}


def _done(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result(_SECONDS)


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
