"""The topic of statuses, followed by a producer beside its own work."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from producers.kafka import start, stop, unreachable
from producers.outcomes import excerpt
from schemas.codec import NotADocument

_WAIT_MS: Final = 500
_READ_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0

Take = Callable[[bytes, bytes | None], None]


@contextlib.asynccontextmanager
async def followed(
    kafka: Mapping[str, Any],
    topic: str,
    partitions: set[int],
    take: Take,
    log: logging.Logger,
) -> AsyncIterator[None]:
    """Read a topic to its present end, then go on while the block runs; `take` gets key and value.

    Raises KafkaUnreachable where the end is not reached. Later a Kafka that is away is waited for:
    what others tell is of use, but no reason to stop.
    """
    consumer = AIOKafkaConsumer(
        **kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    tps = [TopicPartition(topic, number) for number in sorted(partitions)]
    consumer.assign(tps)
    await start(consumer, kafka)
    try:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                await _read_to_the_end(consumer, tps, take, log)
        except (KafkaError, OSError, TimeoutError) as error:
            raise unreachable(kafka, error) from error
        following = asyncio.create_task(_follow(consumer, take, log))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await stop(consumer)


async def _read_to_the_end(
    consumer: Any,  # noqa: ANN401 - untyped
    tps: list[TopicPartition],
    take: Take,
    log: logging.Logger,
) -> None:
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    for tp in tps:
        consumer.seek(tp, begins[tp])
    while any([await consumer.position(tp) < ends[tp] for tp in tps]):
        await _take_some(consumer, take, log)


async def _follow(consumer: Any, take: Take, log: logging.Logger) -> None:  # noqa: ANN401 - untyped
    failing = False
    while True:
        try:
            await _take_some(consumer, take, log)
        except (KafkaError, OSError) as error:
            if not failing:
                detail = excerpt(str(error) or type(error).__name__)
                log.warning("what other producers tell cannot be read (%s); trying again", detail)
            failing = True
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            failing = False


async def _take_some(consumer: Any, take: Take, log: logging.Logger) -> None:  # noqa: ANN401 - untyped
    for records in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
        for record in records:
            try:
                take(record.key or b"", record.value)
            except NotADocument as error:
                place = f"partition {record.partition}, offset {record.offset}"
                log.warning("%s: passed by a record (%s): %s", record.topic, place, error)
