"""Reading everything that lies in Kafka, by position, and the venues' journals."""

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from headroom.audit.incarnations import read_book
from headroom.audit.world import READ, Record, Sent, World
from headroom.base.reading import STALLED_SECONDS, batches, reader, written_ends
from schemas.topics import GENERATIONS


async def read_world(
    kafka: Mapping[str, Any],
    *,
    journals: Sequence[Path] = (),
    canaries: Sequence[bytes] = (),
    topic_prefix: str = "",
    read_committed: bool = True,
    stalled_seconds: float = STALLED_SECONDS,
) -> World:
    """Read every topic from its beginning to where it ended at the start, and the journals.

    Transactions that are open at the start are waited for.
    `kafka` are aiokafka's own settings (`bootstrap_servers`, security). Topics that do not exist
    are empty. With canaries, the cluster's other topics are read too. Raises `Stalled`,
    KafkaError, OSError.
    """
    sent = await asyncio.to_thread(lambda: list(read_journals(journals)))
    records: dict[str, list[Record]] = {name: [] for name in READ}
    others: list[Record] = []
    book: list[Record] = []
    wanted = {f"{topic_prefix}{name}": kept for name, kept in records.items()}
    wanted[f"{topic_prefix}{GENERATIONS}"] = book
    there = await _partitions(kafka)
    targets = {name: kept for name, kept in wanted.items() if name in there}
    if canaries:
        targets |= {
            name: others
            for name in there.keys() - wanted.keys()
            if topic_prefix in name and not name.startswith("__")
        }
    partitions = [partition for name in targets for partition in there[name]]
    starts, unread = {}, set[tuple[str, int, int]]()
    if partitions:
        ends = await written_ends(kafka, partitions)
        async with reader(kafka, read_committed=read_committed) as consumer:
            starts = await _read(consumer, ends, targets, stalled_seconds, unread)
    if canaries:
        others += book
    incarnations = read_book((record.key, record.value) for record in book)
    return World(records, starts, sent, canaries, others, incarnations=incarnations, unread=unread)


async def _partitions(kafka: Mapping[str, Any]) -> dict[str, list[TopicPartition]]:
    """Ask for the partitions of all topics.

    Asked of an administrator's client: a consumer knows no partitions of a topic before it is
    assigned them.
    """
    admin = AIOKafkaAdminClient(**kafka)
    try:
        await admin.start()
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {
        topic["topic"]: [
            TopicPartition(topic["topic"], p["partition"]) for p in topic["partitions"]
        ]
        for topic in described
    }


async def _read(
    consumer: AIOKafkaConsumer,
    ends: Mapping[TopicPartition, int],
    targets: Mapping[str, list[Record]],
    stalled_seconds: float,
    unread: set[tuple[str, int, int]],
) -> dict[tuple[str, int], int]:
    """Read the topics into their lists; returns where partitions begin, if not at 0.

    Records that the client cannot read are put into `unread`.
    """
    consumer.assign(list(ends))
    starts = await consumer.beginning_offsets(list(ends))
    headers = _Headers()

    def pass_by(topic: str, partition: int, offset: int, _why: str) -> None:
        unread.add((topic, partition, offset))

    async for place, batch in batches(
        consumer, starts, ends, stalled_seconds=stalled_seconds, pass_by=pass_by
    ):
        targets[place.topic].extend(_record(item, headers) for item in batch)
    return {(p.topic, p.partition): offset for p, offset in starts.items() if offset > 0}


class _Headers:
    """Keeps one copy of headers that most records share: they weigh more than the documents."""

    _OWN: Final = frozenset({"ce_id", "ce_time", "receipt", "received_time"})

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes | None], tuple[str, bytes | None]] = {}

    def shared(self, headers: Iterable[tuple[str, bytes | None]]) -> Iterable[Any]:
        for header in headers:
            yield header if header[0] in self._OWN else self._kept.setdefault(header, header)


def _record(item: ConsumerRecord, headers: _Headers) -> Record:
    kept = tuple(headers.shared(item.headers))
    return Record(item.topic, item.partition, item.offset, item.key, item.value, kept)


def read_journals(paths: Sequence[Path]) -> Iterable[Sent]:
    """Read the frames of the venues' journals; ValueError names the line that cannot be read.

    Lines that tell of a fault's beginning or end are no frames.
    """
    for path in paths:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                place = f"{path.name}:{number}"
                sent = _sent(line, place)
                if sent is not None:
                    yield sent


def _sent(line: bytes, place: str) -> Sent | None:
    try:
        fields = json.loads(line)
        if "on" in fields and "frame" not in fields:
            return None
        venue, encoded = fields["venue"], fields.get("frame_base64")
        frame = base64.b64decode(encoded) if encoded is not None else fields["frame"].encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{place} is no line of a journal: {error!r}") from error
    return Sent(venue, frame, place, fields.get("fault"))
