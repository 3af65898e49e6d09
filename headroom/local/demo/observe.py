"""What the demo sees from outside: offsets in Kafka, lines in the journals."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiokafka
import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from headroom.operate.generations import FIRST, app_name
from schemas.topics import BALANCES, CONTRIBUTIONS
from schemas.venues import VENUES

RAW_TOPICS: Final = tuple(venue.raw_topic for venue in VENUES.values())
_SOURCES: Final = (*RAW_TOPICS, BALANCES, CONTRIBUTIONS)
_CHUNK_BYTES: Final = 1024 * 1024
# Only a line that tells of a fault has this member: what stands in a frame has its quotes escaped.
_FAULT_LINE: Final = b'"user": '


class Sight(msgspec.Struct, frozen=True):
    """Counts at one moment: raw records, those of them that are done, the lag of all sources."""

    raw: int
    done: int
    lag: int


class Observer:
    """Reads offsets from Kafka; it shares nothing with the worker."""

    def __init__(self, kafka: Mapping[str, Any], *, partitions: int) -> None:
        self._numbers = range(partitions)
        self._consumer = aiokafka.AIOKafkaConsumer(**kafka)
        self._admin = AIOKafkaAdminClient(**kafka)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._consumer.stop()

    async def look(self) -> Sight:
        """Count what is in the topics, and what the worker has committed of it."""
        ends = await self._ends(_SOURCES)
        committed = await self._admin.list_consumer_group_offsets(app_name(FIRST))
        done = dict.fromkeys(_SOURCES, 0)
        for tp, offset in committed.items():
            if tp.topic in done:
                done[tp.topic] += max(0, offset.offset)
        # Only in raw does an offset count a record: elsewhere transactions' markers take some too.
        return Sight(
            raw=sum(ends[topic] for topic in RAW_TOPICS),
            done=sum(done[topic] for topic in RAW_TOPICS),
            lag=sum(ends[topic] - done[topic] for topic in _SOURCES),
        )

    async def _ends(self, topics: Iterable[str]) -> dict[str, int]:
        found = await self._consumer.end_offsets(
            [TopicPartition(topic, number) for topic in topics for number in self._numbers]
        )
        ends = dict.fromkeys(topics, 0)
        for tp, end in found.items():
            ends[tp.topic] += end
        return ends


def frames(path: Path) -> int:
    """How many frames a journal has; none where it does not exist yet."""
    count, tail = 0, b""
    try:
        with path.open("rb") as journal:
            for chunk in iter(lambda: journal.read(_CHUNK_BYTES), b""):
                count += chunk.count(b"\n") - (tail + chunk).count(_FAULT_LINE)
                tail = chunk[1 - len(_FAULT_LINE) :]
            return count
    except FileNotFoundError:
        return 0
