"""librdkafka's clients for what is much at once: reading whole partitions, writing, offsets.

They block; whoever has an event loop calls them in a thread.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from headroom.base.errors import OperatorError
from headroom.base.reading import STALLED_SECONDS, Stalled
from headroom.base.settings import KafkaSettings
from processors.engine.librdkafka import (
    IN_BULK,
    IN_TRANSACTIONS,
    OTHER_EPOCH,
    SENDING,
    librdkafka_log,
    patiently,
    properties,
)
from processors.engine.marks import Commit, mark, read_commit

T = TypeVar("T")

CALL_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 60.0
_READ_AT_ONCE: Final = 10_000
_WAIT_SECONDS: Final = 0.5
_READING: Final[Mapping[str, Any]] = {
    **IN_BULK,
    # What retention or somebody's hands took is not there to be read: whoever compares sees it. A
    # changelog that was cut is read by the replay, which is the way on from there.
    "auto.offset.reset": "earliest",
    # Whatever is read is there; a new assignment waits for the fetch that is under way.
    "fetch.wait.max.ms": 5,
}
Place = tuple[str, int]
"""A topic and the number of one of its partitions."""


class InUse(OperatorError):
    """A consumer group has members: nobody else may say where it stands."""


class Group(msgspec.Struct, frozen=True):
    """Who is in a consumer group: the names that its members gave themselves."""

    members: tuple[str, ...]


class Clients:
    """Makes clients of one Kafka."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._access = {**properties(kafka.arguments()), **kafka.properties()}
        self._admin: AdminClient | None = None
        self._consumer: Consumer | None = None

    @property
    def admin(self) -> AdminClient:
        """One for all questions."""
        if self._admin is None:
            self._admin = AdminClient(self._access, logger=librdkafka_log)
        return self._admin

    def producer(self, transactional_id: str, *, seconds_max: float) -> Producer:
        """A producer of transactions; whoever had this id before is fenced.

        A transaction that is not ended within `seconds_max` is void.
        """
        made = Producer(
            {
                **self._access,
                **SENDING,
                **IN_TRANSACTIONS,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(seconds_max * 1000),
            },
            logger=librdkafka_log,
        )
        made.init_transactions(CALL_SECONDS)
        return made

    # -- reading

    def read(self, spans: Mapping[Place, tuple[int, int]]) -> Iterator[Message]:
        """The committed records of partitions from an offset to before another.

        In order within a partition. Raises `Stalled`, KafkaException.
        """
        left = {place: until for place, (start, until) in spans.items() if start < until}
        if not left:
            return
        # Making a client takes longer than reading a small partition: one is enough.
        consumer, self._consumer = self._consumer or self._new_consumer(), None
        try:
            # Else a topic that is new to the client waits for its next look round, a second away.
            consumer.list_topics(timeout=CALL_SECONDS)
            consumer.assign([TopicPartition(*place, spans[place][0]) for place in left])
            silent_seconds = 0.0
            while left:
                # It waits for as many as were asked for: so for one, and then for none.
                found = consumer.consume(1, _WAIT_SECONDS)
                found += consumer.consume(_READ_AT_ONCE, 0) if found else []
                silent_seconds = 0.0 if found else silent_seconds + _WAIT_SECONDS
                if silent_seconds > STALLED_SECONDS:
                    raise Stalled(f"{len(left)} partitions have no more records, and must have")
                yield from _before(left, found)
        finally:
            consumer.unassign()
            self._consumer = consumer

    def _new_consumer(self) -> Consumer:
        conf = {**self._access, **_READING, "group.id": "headroom-read"}
        return Consumer(conf, logger=librdkafka_log)

    def close(self) -> None:
        """Let go of the connections."""
        if self._consumer is not None:
            self._consumer.close()

    # -- offsets

    def begins(self, topics: Collection[str], partitions: int) -> dict[Place, int]:
        """The first offsets that there still are."""
        return _offsets(self._asked(_places(topics, partitions), OffsetSpec.earliest()))

    def ends(
        self, topics: Collection[str], partitions: int, *, committed: bool = True
    ) -> dict[Place, int]:
        """The ends of what is committed, or of all that was written.

        A transaction that was committed a moment ago may count as open still: Kafka writes its
        markers after it has answered.
        """
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        return _offsets(self._asked(_places(topics, partitions), OffsetSpec.latest(), isolation))

    def at(self, topics: Collection[str], partitions: int, time_ms: int) -> dict[Place, int | None]:
        """The first offsets of that time or later; None where there is none."""
        spec = OffsetSpec.for_timestamp(time_ms)
        found = _offsets(self._asked(_places(topics, partitions), spec))
        return {place: None if offset < 0 else offset for place, offset in found.items()}

    def times_ms(self, topics: Collection[str], partitions: int) -> tuple[int, int] | None:
        """The times of the first record and of the last; None where there is no record."""
        places = _places(topics, partitions)
        newest = self._asked(places, OffsetSpec.max_timestamp())
        last_ms = max((answer.timestamp for answer in newest.values()), default=-1)
        if last_ms < 0:
            return None
        oldest = self._asked(places, OffsetSpec.for_timestamp(0))
        return min(a.timestamp for a in oldest.values() if a.offset >= 0), last_ms

    def _asked(
        self,
        places: Iterable[Place],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[Place, Any]:
        asked = {TopicPartition(*place): spec for place in places}

        def ask() -> dict[Place, Any]:
            answers = self.admin.list_offsets(
                asked, isolation_level=isolation, request_timeout=CALL_SECONDS
            )
            found = {(tp.topic, tp.partition): a.result() for tp, a in answers.items()}
            if any(answer.offset == OFFSET_INVALID for answer in found.values()):
                raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
            return found

        def anew() -> dict[Place, Any]:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() in OTHER_EPOCH:
                    self._admin = None
                raise

        return patiently(anew, seconds=_PATIENCE_SECONDS)

    # -- groups

    # Their coordinator may just be reading what it knows of them: that passes.

    def group(self, name: str) -> Group:
        """A consumer group; one that nobody has heard of has no members."""

        def ask() -> Group:
            found = self.admin.describe_consumer_groups([name])[name].result(CALL_SECONDS)
            return Group(tuple(m.group_instance_id or m.client_id for m in found.members))

        return self._of_a_group(ask) or Group(())

    def forget_group(self, name: str) -> None:
        """Delete a consumer group, if there is one."""
        self._of_a_group(
            lambda: self.admin.delete_consumer_groups([name])[name].result(CALL_SECONDS)
        )

    def _of_a_group(self, ask: Callable[[], T]) -> T | None:
        try:
            return patiently(ask, seconds=_PATIENCE_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
            return None

    def committed(
        self, group: str, topics: Collection[str], partitions: int, *, stable: bool = True
    ) -> dict[Place, int]:
        """Where a group stands; places where it has never been are left out.

        With `stable` it waits for transactions that may still move it.
        """
        found = self.commits(group, topics, partitions, stable=stable)
        return {place: commit.offset for place, commit in found.items()}

    def commits(
        self, group: str, topics: Collection[str], partitions: int, *, stable: bool = True
    ) -> dict[Place, Commit]:
        """The same, with what each commit says."""
        wanted = [TopicPartition(*place) for place in _places(topics, partitions)]
        return self._commits(ConsumerGroupTopicPartitions(group, wanted), stable=stable)

    def all_commits(self, group: str) -> dict[Place, Commit]:
        """Every commit of a group."""
        return self._commits(ConsumerGroupTopicPartitions(group), stable=False)

    def _commits(
        self, wanted: ConsumerGroupTopicPartitions, *, stable: bool
    ) -> dict[Place, Commit]:
        asked, group = [wanted], wanted.group_id

        def ask() -> dict[Place, Commit]:
            found = self.admin.list_consumer_group_offsets(asked, require_stable=stable)
            places = found[group].result(CALL_SECONDS).topic_partitions or ()
            for place in places:
                if place.error is not None:
                    raise KafkaException(place.error)
            return {(p.topic, p.partition): _commit(p) for p in places if p.offset >= 0}

        return patiently(ask, seconds=_PATIENCE_SECONDS)

    def nobody_of(self, group: str) -> Any:  # noqa: ANN401 - librdkafka has no types
        """Who says where a group stands that has no members."""
        outsider = Consumer({**self._access, "group.id": group})
        try:
            return outsider.consumer_group_metadata()
        finally:
            outsider.close()

    def is_settled(self, topics: Collection[str], partitions: int) -> bool:
        """Whether no transaction is open on any of these topics."""
        everything = self.ends(topics, partitions, committed=False)
        return self.ends(topics, partitions) == everything

    def move(self, group: str, offsets: Mapping[Place, int], *, ours: bool = False) -> None:
        """Let a group that nobody is in stand somewhere else; raises `InUse`.

        `ours`: it is one of Headroom's own, and its commits say so.
        """
        moved = [
            TopicPartition(*place, at, metadata=mark(at, left_rows=False) if ours else "")
            for place, at in offsets.items()
        ]
        asked = [ConsumerGroupTopicPartitions(group, moved)]

        def ask() -> None:
            places = self.admin.alter_consumer_group_offsets(asked)[group].result(CALL_SECONDS)
            for place in places.topic_partitions or ():
                if place.error is not None:
                    raise KafkaException(place.error)

        try:
            patiently(ask, seconds=_PATIENCE_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP):
                raise InUse(f"the group {group} has members: stop them first") from None
            raise


def _commit(place: Any) -> Commit:  # noqa: ANN401 - librdkafka has no types
    try:
        said = place.metadata
    except UnicodeDecodeError:
        # It is read beyond its end, where nobody of us wrote it: ours end with a zero.
        said = None
    return read_commit(place.offset, said)


def _places(topics: Collection[str], partitions: int) -> list[Place]:
    return [(topic, number) for topic in topics for number in range(partitions)]


def _offsets(answers: dict[Place, Any]) -> dict[Place, int]:
    return {place: answer.offset for place, answer in answers.items()}


def _before(left: dict[Place, int], found: list[Message]) -> Iterator[Message]:
    """The records of these that lie before their partitions' ends; `left` loses what is read."""
    for message in found:
        place = message.topic(), message.partition()
        error = message.error()
        if error is None:
            until = left.get(place)
            if until is None:
                continue
            if message.offset() < until:
                yield message
            if message.offset() >= until - 1:
                del left[place]
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            # Behind the last record there may be a transaction's marker alone.
            if left.get(place, message.offset() + 1) <= message.offset():
                del left[place]
        elif not error.retriable():
            raise KafkaException(error)
