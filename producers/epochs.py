"""Epochs: numbers that only grow at a venue, also over restarts and when the clock steps back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from producers.kafka import partitions_of, unreachable
from schemas.feeds import EPOCH_MAX
from schemas.headers import read_receipt

# The last record of a partition may be of an older epoch than its neighbour (several connections
# at one venue), or have no readable epoch at all: so a few more are looked at.
_LOOK_BACK_RECORDS: Final = 64
_READ_SECONDS: Final = 30.0
_POLL_MS: Final = 200


class EpochSource:
    """Gives each connection its epoch: max(clock in ns, 1 + the greatest known), never twice.

    `greatest` is the greatest epoch of the venue in Kafka, 0 where there is none.
    """

    def __init__(self, greatest: int, clock_ns: Callable[[], int]) -> None:
        self._greatest = greatest
        self._clock_ns = clock_ns

    def observe(self, epoch: int) -> None:
        """Somebody has used this epoch: the next one is greater."""
        self._greatest = max(self._greatest, epoch)

    def next(self) -> int:
        """A new epoch, greater than every one before; fix it before the first frame."""
        self._greatest = max(self._clock_ns(), self._greatest + 1)
        return self._greatest


async def greatest_epoch(
    kafka: Mapping[str, Any],
    topic: str,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    look_back_records: int = _LOOK_BACK_RECORDS,
) -> int:
    """The greatest epoch at the end of each partition of a raw topic; 0 where there is none.

    `kafka` are aiokafka's own client arguments. Raises KafkaUnreachable and TopicMissing.
    """
    try:
        async with asyncio.timeout(_READ_SECONDS):
            numbers = await partitions_of(kafka, topic, sleep=sleep)
            partitions = [TopicPartition(topic, number) for number in numbers]
            return await _greatest_in(kafka, partitions, look_back_records)
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(kafka, error) from error


async def _greatest_in(
    kafka: Mapping[str, Any], partitions: list[TopicPartition], look_back_records: int
) -> int:
    consumer = AIOKafkaConsumer(
        **kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer.assign(partitions)
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            start = max(begins[partition], ends[partition] - look_back_records)
            consumer.seek(partition, start)
        return await _read_to(consumer, ends)
    finally:
        await consumer.stop()


async def _read_to(consumer: Any, ends: dict[TopicPartition, int]) -> int:  # noqa: ANN401 - untyped
    """The greatest epoch up to `ends`; the position ends the reading, not what is read."""
    greatest = 0
    left = set(ends)
    while left:
        left -= {tp for tp in left if await consumer.position(tp) >= ends[tp]}
        if not left:
            break
        for record in await _some(consumer, {tp: ends[tp] for tp in left}):
            receipt = read_receipt(record.headers, offset=record.offset, appended_ns=0)
            # A stranger's is no reason to count on from where no number is left.
            greatest = max(greatest, receipt.epoch if receipt.epoch <= EPOCH_MAX else 0)
    return greatest


async def _some(consumer: Any, left: dict[TopicPartition, int]) -> list[Any]:  # noqa: ANN401 - untyped
    """Records that come next, up to these ends, without one that aiokafka does not read.

    aiokafka 0.14 decodes the names of headers as UTF-8, and raises out of every fetch of a
    partition where a stranger has written another one, for ever. What it had taken of other
    partitions by then is lost, and they stand behind it.
    """
    begun = {tp: await consumer.position(tp) for tp in left}
    try:
        batches = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        return [record for records in batches.values() for record in records]
    except UnicodeDecodeError:
        for tp, at in begun.items():
            consumer.seek(tp, at)
    found: list[Any] = []
    for tp, end in left.items():
        try:
            while await consumer.position(tp) < end:
                some = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)
                found += some.get(tp, [])
        except UnicodeDecodeError:
            # The next record, wherever it lies: before it there may be transactions' markers.
            consumer.seek(tp, await consumer.position(tp) + 1)
    return found
