"""What Kafka says of partitions and topics: bounds, identities, settings. It blocks (threads)."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType
from faust.types import TP

from processors.engine.errors import FetchFailed
from processors.engine.librdkafka import OTHER_EPOCH, librdkafka_log, patiently
from processors.engine.positions import Bounds

T = TypeVar("T")

log = logging.getLogger(__name__)

# A broker that hung, or came back, leads its partitions in another epoch (KIP-320).
_CALL_SECONDS: Final = 10.0
_SECONDS_MAX: Final = 60.0


class Asking:
    """Asks through one client, that is made at the first question.

    While Kafka is away it asks again, for as long as `waits` says so. Raises `FetchFailed`.
    """

    def __init__(self, properties: Mapping[str, Any], *, waits: Callable[[], bool]) -> None:
        self._properties = properties
        self._waits = waits
        self._client: Any = None

    @property
    def _admin(self) -> Any:  # noqa: ANN401 - librdkafka has no types
        if self._client is None:
            self._client = AdminClient(dict(self._properties), logger=librdkafka_log)
        return self._client

    def close(self) -> None:
        """Let go of the connections."""
        self._client = None

    def bounds(self, partitions: Collection[TP]) -> dict[TP, Bounds]:
        """Where partitions begin and end now, those of open transactions included."""
        begins, ends = self.begins(partitions), self.ends(partitions)
        return {tp: Bounds(begins[tp], ends[tp]) for tp in partitions}

    def begins(self, partitions: Collection[TP]) -> dict[TP, int]:
        """The first offsets that partitions still have."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def ends(self, partitions: Collection[TP]) -> dict[TP, int]:
        """Where partitions end now, those of open transactions included."""
        return self._offsets(partitions, OffsetSpec.latest())

    def ends_at_once(self, partitions: Collection[TP], *, seconds: float) -> dict[TP, int]:
        """The same, asked once: without an answer in time nothing is said, nor is it waited for."""
        try:
            return self._list(partitions, OffsetSpec.latest(), seconds) if partitions else {}
        except KafkaException as error:
            log.info("Kafka does not say where changelogs end: %s", error.args[0])
            self._client = None  # see `_ask`
            return {}

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        """Kafka's own identities of topics (KIP-516)."""

        def ask() -> dict[str, str]:
            asked = self._admin.describe_topics(
                TopicCollection(sorted(topics)), request_timeout=_CALL_SECONDS
            )
            return {name: str(answer.result().topic_id) for name, answer in asked.items()}

        return self._ask(ask) if topics else {}

    def cleanup_policies(self, topics: Collection[str]) -> dict[str, str]:
        """The `cleanup.policy` of topics; those that nobody may look at are left out."""
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in sorted(topics)]

        def ask() -> dict[str, str]:
            found = {}
            answers = self._admin.describe_configs(asked, request_timeout=_CALL_SECONDS)
            for resource, answer in answers.items():
                try:
                    found[resource.name] = str(answer.result()["cleanup.policy"].value)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                        raise
                    log.warning("the settings of %s cannot be looked at", resource.name)
            return found

        return self._ask(ask) if topics else {}

    def committed_topics(self, group: str) -> set[str]:
        """The topics of which a consumer group has a commit, on any partition."""

        def ask() -> set[str]:
            asked = [ConsumerGroupTopicPartitions(group)]
            answers = self._admin.list_consumer_group_offsets(asked, request_timeout=_CALL_SECONDS)
            places = answers[group].result().topic_partitions or ()
            return {place.topic for place in places if place.offset >= 0}

        return self._ask(ask)

    def _offsets(self, partitions: Collection[TP], spec: OffsetSpec) -> dict[TP, int]:
        def ask() -> dict[TP, int]:
            return self._list(partitions, spec, _CALL_SECONDS)

        return self._ask(ask) if partitions else {}

    def _list(self, partitions: Collection[TP], spec: OffsetSpec, seconds: float) -> dict[TP, int]:
        answers = self._admin.list_offsets(
            {TopicPartition(*tp): spec for tp in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=seconds,
        )
        offsets = {
            TP(place.topic, place.partition): answer.result().offset
            for place, answer in answers.items()
        }
        # Without an offset, and without an error either: see `OTHER_EPOCH`.
        if any(offset < 0 for offset in offsets.values()):
            raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
        return offsets

    def _ask(self, ask: Callable[[], T]) -> T:
        def anew() -> T:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() in OTHER_EPOCH:
                    self._client = None
                raise

        try:
            return patiently(anew, seconds=_SECONDS_MAX, waits=self._waits)
        except KafkaException as error:
            raise FetchFailed(error) from error
