"""Everything that lies in topics, read once and without a group: by position, to where they end."""

import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from headroom.base.errors import OperatorError
from schemas.times import record_time_ns, rfc3339
from schemas.words import Words

STALLED_SECONDS: Final = 60.0
_FETCH_BYTES: Final = 4 * 1024 * 1024
_POLL_MS: Final = 500

PassBy = Callable[[str, int, int, str], object]
"""Called for a record that is passed by: topic, partition, offset, reason."""

log = logging.getLogger("headroom.reading")
_words: defaultdict[str, Words] = defaultdict(Words)


class Span(msgspec.Struct, frozen=True):
    """From one moment to before another, in milliseconds since 1970; None is open."""

    since_ms: int | None = None
    until_ms: int | None = None

    def holds(self, time_ms: int) -> bool:
        """Whether a moment lies in it."""
        return (self.since_ms is None or self.since_ms <= time_ms) and (
            self.until_ms is None or time_ms < self.until_ms
        )


class Outside(OperatorError):
    """A time or an offset that the topics do not hold."""


class Stalled(OperatorError):
    """Kafka gave no record for a while although there must be more: is it still up?"""


def foreign(topic: str, partition: int, offset: int, why: str) -> None:
    """Tell of a record that nobody of us wrote, and that is passed by; each kind once a minute."""
    text = (
        f"{topic}: passed by a record that nobody of us wrote "
        f"(partition {partition}, offset {offset}): {why}"
    )
    line = _words[topic].say(text, int(time.monotonic()))
    if line is not None:
        place = {"topic": topic, "partition": partition, "offset": offset}
        log.warning("%s", line, extra=place)


def reader(kafka: Mapping[str, Any], *, read_committed: bool = True) -> AIOKafkaConsumer:
    """A consumer without a group; `kafka` are aiokafka's own settings."""
    return AIOKafkaConsumer(
        **kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if read_committed else "read_uncommitted",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )


async def written_ends(
    kafka: Mapping[str, Any], places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Where partitions end, with all that was written: open transactions are no end.

    A transaction that was committed a moment ago counts as open for a few milliseconds: Kafka
    writes its markers after it has answered. Whoever must see it reads to here, and waits there.
    """
    async with reader(kafka, read_committed=False) as consumer:
        consumer.assign(places)
        found: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return found


async def records(
    kafka: Mapping[str, Any],
    topic: str,
    *,
    partitions: int,
    span: Span = Span(),  # noqa: B008 - frozen
) -> AsyncIterator[ConsumerRecord]:
    """The committed records that Kafka took within `span`, up to where the topic ends now.

    In order within a partition; across partitions as they come. Memory does not grow with them.
    Raises `Stalled`, KafkaError, and `Outside` where `span` ends before all that the topic holds.
    """
    places = [TopicPartition(topic, number) for number in range(partitions)]
    async with reader(kafka) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        if span.until_ms is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(places, 0))
            times = [at.timestamp for at in found.values() if at is not None]
            if times and span.until_ms <= min(times):
                first = rfc3339(record_time_ns(min(times)))
                raise Outside(f"{topic} holds nothing before {first}")
        if span.since_ms is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(places, span.since_ms))
            starts = {p: ends[p] if at is None else at.offset for p, at in found.items()}
        async for _, batch in batches(consumer, starts, ends):
            for record in batch:
                if span.holds(record.timestamp):
                    yield record


async def batches(
    consumer: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    *,
    stalled_seconds: float = STALLED_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
    pass_by: PassBy = foreign,
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """The records of assigned partitions from an offset to before another, as they come.

    Each batch comes with its partition. `pass_by` gets topic, partition, offset and reason
    of a record that aiokafka cannot read (see `_some`). Raises `Stalled` where nothing comes for
    `stalled_seconds`.
    """
    for place, offset in starts.items():
        consumer.seek(place, offset)
    left = {place for place in starts if starts[place] < ends[place]}
    consumer.pause(*(starts.keys() - left))
    heard = monotonic()
    while left:
        before = {place: await consumer.position(place) for place in left}
        found = await _some(consumer, before, pass_by)
        for place, batch in found.items():
            yield place, [record for record in batch if record.offset < ends[place]]
        after = {place: await consumer.position(place) for place in left}
        # By position: the last offsets may hold no record (compaction, a transaction's marker).
        left = {place for place in left if after[place] < ends[place]}
        consumer.pause(*(after.keys() - left))
        if after != before:
            heard = monotonic()
        elif monotonic() - heard > stalled_seconds:
            raise Stalled(f"{len(left)} partitions have no more records, and must have")


async def _some(
    consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int], pass_by: PassBy
) -> dict[TopicPartition, list[ConsumerRecord]]:
    """Records that come next in the partitions at these positions, past what aiokafka cannot read.

    aiokafka 0.14 decodes the names of headers as UTF-8, and raises out of every fetch of a
    partition where a stranger has written another one, for ever. What it had taken of other
    partitions by then is lost, and they stand behind it.
    """
    try:
        return await consumer.getmany(*positions, timeout_ms=_POLL_MS)  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        for place, at in positions.items():
            consumer.seek(place, at)
    for place in positions:
        try:
            found = await consumer.getmany(place, timeout_ms=_POLL_MS)
        except UnicodeDecodeError:
            return {place: await _up_to_unreadable(consumer, place, pass_by)}
        if found:
            return found  # type: ignore[no-any-return]
    return {}


async def _up_to_unreadable(
    consumer: AIOKafkaConsumer, place: TopicPartition, pass_by: PassBy
) -> list[ConsumerRecord]:
    """The records before the one that cannot be read; the next one is that behind it."""
    found: list[ConsumerRecord] = []
    passed_by = None
    while True:
        try:
            some = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=1)
        except UnicodeDecodeError:
            # It is the next record, wherever that lies: offsets before it may hold none.
            passed_by = await consumer.position(place)
            consumer.seek(place, passed_by + 1)
            continue
        found += some.get(place, [])
        if passed_by is not None:
            pass_by(place.topic, place.partition, passed_by, "a header's name is not UTF-8")
            return found
        if not some:
            return found
