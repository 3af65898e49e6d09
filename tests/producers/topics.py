"""Fresh topics on the real Kafka, and everything that lies in one."""

import secrets
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.headers import RawHeaders
from schemas.topics import RECORD_BYTES_MAX, TOPICS
from schemas.venues import Venue


async def fresh(
    bootstrap: str, partitions: int = 8, *, max_message_bytes: int = RECORD_BYTES_MAX
) -> Venue:
    """A venue that nobody else has, with its raw topic and one for its connections' states."""
    venue = Venue(f"test-{secrets.token_hex(6)}", feed="test")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {"max.message.bytes": str(max_message_bytes)}
        topic = NewTopic(venue.raw_topic, partitions, 1, topic_configs=settings)
        statuses = {"cleanup.policy": "compact"}
        feeds = NewTopic(feeds_topic(venue), partitions, 1, topic_configs=statuses)
        public = NewTopic(public_topic(venue), partitions, 1, topic_configs=statuses)
        leases = NewTopic(leases_topic(venue), 1, 1)
        await admin.create_topics([topic, feeds, public, leases])
    finally:
        await admin.close()
    return venue


async def allow(bootstrap: str, topic: str, max_message_bytes: int) -> None:
    """Change the largest batch that a topic takes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {"max.message.bytes": str(max_message_bytes)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    finally:
        await admin.close()


def feeds_topic(venue: Venue) -> str:
    """Where a venue's producer tells how its connections are."""
    return f"headroom-feeds.{venue.name}"


def public_topic(venue: Venue) -> str:
    """Where it tells everybody."""
    return f"feeds.{venue.name}"


def leases_topic(venue: Venue) -> str:
    """Where its producers agree on who works."""
    return f"headroom-leases.{venue.name}"


async def existing(bootstrap: str) -> set[str]:
    """The names of all topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def records(
    bootstrap: str,
    topic: str,
    partitions: int | None = None,
    *,
    committed: bool = False,
    since: Mapping[int, int] | None = None,
) -> list[Any]:
    """Every record of a topic, by partition and offset; with `committed` those that count.

    `since`: offsets by partition, from which on it is read; None: from its beginning.
    """
    isolation = "read_committed" if committed else "read_uncommitted"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation
    )
    known = TOPICS[topic].partitions if topic in TOPICS else None
    tps = [TopicPartition(topic, number) for number in range(partitions or known or 8)]
    consumer.assign(tps)
    await consumer.start()
    try:
        for tp in tps if since is not None else ():
            consumer.seek(tp, since[tp.partition])
        ends = await consumer.end_offsets(tps)
        found: list[Any] = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def put(bootstrap: str, topic: str, *records: tuple[int, list[tuple[str, bytes]]]) -> None:
    """Write records with these headers into these partitions."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for partition, headers in records:
            await producer.send_and_wait(topic, b"x", partition=partition, headers=headers)


def headers(epoch: int, receipt: int = 1) -> RawHeaders:
    """The headers of a raw record."""
    return RawHeaders("sfox", "feed", epoch, receipt, "2024-03-13T22:00:25.310000000Z")
