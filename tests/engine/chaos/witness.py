"""The oracle's own way to Kafka: the plain client, topics in and out, and when all is quiet.

Part of the oracle: nothing here is shared with what is judged.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.engine.chaos.fold import Seen

SOURCES = ("raw", "mid", "shares")
TOPICS = {
    "raw": "delete",
    "mid": "delete",
    "dead": "delete",
    "shares": "delete",
    "out": "compact",
    "sums": "compact",
}
_CALL_SECONDS = 10.0
_WRITE_SECONDS_MAX = 90.0
_POLL_SECONDS = 0.1
_SLICES_PER_SECOND = 50


class Unreachable(Exception):
    """Kafka did not do in time what it was asked for."""


class Witness:
    """Writes `NAME.raw`; reads whatever the group NAME made of it."""

    def __init__(self, bootstrap: str, name: str, partitions: int) -> None:
        self._name = name
        self._partitions = partitions
        self._access = {"bootstrap.servers": bootstrap}
        self._admin = AdminClient(self._access)
        # Whatever happens to the broker: every record once, in order.
        self._producer = Producer(
            {**self._access, "acks": "all", "enable.idempotence": True, "message.timeout.ms": 0}
        )
        # They join no group: they ask what one has committed, and read what they are told to.
        reading = {
            **self._access,
            "group.id": name,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        }
        self._reader = Consumer({**reading, "isolation.level": "read_committed"})
        # Where topics end, open transactions included: behind one of a hung worker may lie records
        # that count, and that nobody can read yet.
        self._onlooker = Consumer({**reading, "isolation.level": "read_uncommitted"})
        self.written: dict[str, tuple[bytes, bytes | None]] = {}

    def create(self) -> None:
        """Create the topics; the changelogs are the engine's own affair."""
        wanted = [
            NewTopic(self.topic(topic), self._partitions, 1, config={"cleanup.policy": policy})
            for topic, policy in TOPICS.items()
        ]
        for created in self._admin.create_topics(wanted).values():
            created.result(_CALL_SECONDS)

    def forget(self, changelogs: Iterable[str]) -> None:
        """Delete everything that was created."""
        topics = [*map(self.topic, TOPICS), *map(self.changelog, changelogs)]
        for deleted in self._admin.delete_topics(topics).values():
            deleted.result(_CALL_SECONDS)

    def topic(self, topic: str) -> str:
        return f"{self._name}.{topic}"

    def changelog(self, table: str) -> str:
        return f"{self._name}-{table}-changelog"

    # -- writing

    def write(self, records: list[tuple[bytes, bytes | None]], seconds: float) -> None:
        """Write raw records, evenly over some time; returns when Kafka has all of them."""
        begun = time.monotonic()
        slices = max(1, int(seconds * _SLICES_PER_SECOND))
        each = -(-len(records) // slices)
        for number in range(slices):
            for key, value in records[number * each : (number + 1) * each]:
                self._producer.produce(self.topic("raw"), value, key, on_delivery=self._has)
            pause = begun + (number + 1) * seconds / slices - time.monotonic()
            self._producer.poll(max(0.0, pause))
        if self._producer.flush(_WRITE_SECONDS_MAX):
            raise Unreachable("Kafka did not take the raw records")

    def _has(self, error: Any, message: Any) -> None:
        if error is not None:
            raise KafkaException(error)
        self.written[f"{message.partition()}/{message.offset()}"] = (message.key(), message.value())

    # -- reading

    def read(self, topics: Iterable[str], seconds: float) -> dict[str, list[Seen]]:
        """All committed records of each topic, partition by partition.

        Waits for transactions that are still open; raises `Unreachable` where they stay so.
        """
        ends = {(topic, at): end for topic in topics for at, end in self._ends(topic).items()}
        self._reader.assign([TopicPartition(*place, 0) for place in ends])
        behind = {place for place, end in ends.items() if end}
        found: dict[tuple[str, int], list[Seen]] = {place: [] for place in ends}
        deadline = time.monotonic() + seconds
        while behind:
            if time.monotonic() > deadline:
                raise Unreachable(f"not readable to their ends: {sorted(behind)}")
            for message in self._reader.consume(5_000, _POLL_SECONDS):
                error, place = message.error(), (message.topic(), message.partition())
                if error is None:
                    found[place].append(_seen(message))
                elif error.code() != KafkaError._PARTITION_EOF:
                    if not error.retriable():
                        raise KafkaException(error)
                    continue
                # At a partition's end the offset is where the next record would be.
                if message.offset() + (error is None) >= ends[place]:
                    behind.discard(place)
        self._reader.unassign()
        records: dict[str, list[Seen]] = {}
        for place in sorted(found):
            records.setdefault(place[0], []).extend(found[place])
        return records

    def _ends(self, topic: str) -> dict[int, int]:
        ends = {}
        for number in range(self._partitions):
            place = TopicPartition(topic, number)
            ends[number] = _again(lambda place=place: self._end(place))
        return ends

    def _end(self, place: TopicPartition) -> int:
        _, end = self._onlooker.get_watermark_offsets(place, timeout=_CALL_SECONDS)
        return int(end)

    # -- quiet

    def wait_until_quiet(self, seconds: float) -> dict[str, int]:
        """Wait until the group has done everything; what is left of each source if it has not.

        The sources are asked in the order of the topology: what a source that is done has led to
        lies in the next one by then.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = {}
            for source in SOURCES:
                left[source] = self._lag(self.topic(source))
                if left[source]:
                    break
            if not any(left.values()):
                return {}
            if time.monotonic() > deadline:
                return left
            time.sleep(_POLL_SECONDS)

    def _lag(self, topic: str) -> int:
        ends = self._ends(topic)
        asked = [TopicPartition(topic, number) for number in ends]
        answers = _again(lambda: self._reader.committed(asked, timeout=_CALL_SECONDS))
        done = {answer.partition: max(0, answer.offset) for answer in answers}
        return sum(max(0, end - done[number]) for number, end in ends.items())


def _again(call: Callable[[], Any]) -> Any:
    """Call until Kafka answers: it may be away, or a transaction be open on what was asked."""
    deadline = time.monotonic() + _WRITE_SECONDS_MAX
    while True:
        try:
            return call()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _seen(message: Any) -> Seen:
    source = dict(message.headers() or []).get("source", b"").decode()
    return Seen(message.partition(), message.offset(), message.key(), message.value(), source)
