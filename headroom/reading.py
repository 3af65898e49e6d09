"""Everything that lies in a topic between two moments, read once and without a group."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from headroom.errors import OperatorError

STALLED_SECONDS: Final = 60.0
_FETCH_BYTES: Final = 4 * 1024 * 1024
_POLL_MS: Final = 500


class Span(msgspec.Struct, frozen=True):
    """From one moment to before another, in milliseconds since 1970; None is open."""

    since_ms: int | None = None
    until_ms: int | None = None

    def holds(self, time_ms: int) -> bool:
        """Whether a moment lies in it."""
        return (self.since_ms is None or self.since_ms <= time_ms) and (
            self.until_ms is None or time_ms < self.until_ms
        )


class Stalled(OperatorError):
    """Kafka gave no record for a while although there must be more."""


async def records(
    kafka: Mapping[str, Any],
    topic: str,
    *,
    partitions: int,
    span: Span = Span(),  # noqa: B008 - frozen
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ConsumerRecord]:
    """The committed records that Kafka took within `span`, up to where the topic ends now.

    In order within a partition; across partitions as they come. Memory does not grow with them.
    Raises `Stalled`, KafkaError.
    """
    consumer = AIOKafkaConsumer(
        **kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    places = [TopicPartition(topic, number) for number in range(partitions)]
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        left = await _to_read(consumer, places, ends, span)
        heard = monotonic()
        while left:
            before = {place: await consumer.position(place) for place in left}
            found = await consumer.getmany(*left, timeout_ms=_POLL_MS)
            for place, batch in found.items():
                for record in batch:
                    if record.offset < ends[place] and span.holds(record.timestamp):
                        yield record
            # By position: the last offsets may hold no record (a transaction's marker).
            after = {place: await consumer.position(place) for place in left}
            left = {place for place in left if after[place] < ends[place]}
            consumer.pause(*(after.keys() - left))
            if after != before:
                heard = monotonic()
            elif monotonic() - heard > STALLED_SECONDS:
                raise Stalled(f"{topic} gives no more records, and must have some")
    finally:
        await consumer.stop()


async def _to_read(
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    ends: Mapping[TopicPartition, int],
    span: Span,
) -> set[TopicPartition]:
    """Go to where each partition's part of the span begins; those that have any of it."""
    starts = dict(await consumer.beginning_offsets(places))
    if span.since_ms is not None:
        found = await consumer.offsets_for_times(dict.fromkeys(places, span.since_ms))
        starts = {place: ends[place] if at is None else at.offset for place, at in found.items()}
    for place, offset in starts.items():
        consumer.seek(place, offset)
    left = {place for place in places if starts[place] < ends[place]}
    consumer.pause(*(set(places) - left))
    return left
