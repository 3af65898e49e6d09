"""A small app on the engine, that knows nothing of balances, and the topics it needs."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition
from faust.types import TP

from headroom.base.reading import written_ends
from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch
from processors.engine.table import Table

PARTITIONS = 2
DEADLINE_SECONDS = 40.0

Agent = Callable[[AsyncIterator[Batch]], Awaitable[None]]


class Bench:
    """Topics `NAME.in` and `NAME.out`, an app of the group NAME, and what lies in Kafka."""

    def __init__(self, bootstrap: str, name: str, folder: Path) -> None:
        self.kafka = {"bootstrap_servers": bootstrap}
        self.name = name
        self.folder = folder
        self.source, self.out = f"{name}.in", f"{name}.out"
        self.changelog = f"{name}-rows-changelog"
        self._running: list[EngineApp] = []
        self._changes = itertools.count()

    @contextlib.asynccontextmanager
    async def topics(self) -> AsyncIterator["Bench"]:
        """Create the topics; clients to fill and to read them."""
        self.admin = AIOKafkaAdminClient(**self.kafka)
        await self.admin.start()
        await self.create(self.source, self.out)
        self._producer = aiokafka.AIOKafkaProducer(**self.kafka, acks="all")
        await self._producer.start()
        self._consumer = aiokafka.AIOKafkaConsumer(
            **self.kafka, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await self._consumer.start()
        try:
            yield self
        finally:
            await self._consumer.stop()
            await self._producer.stop()
            await self.admin.close()

    async def create(self, *topics: str) -> None:
        """Create topics."""
        await self.admin.create_topics(
            [NewTopic(t, num_partitions=PARTITIONS, replication_factor=1) for t in topics]
        )

    async def limit(self, topic: str, record_bytes_max: int) -> None:
        """Have Kafka refuse larger requests for a topic."""
        await self.set(topic, **{"max.message.bytes": str(record_bytes_max)})

    async def set(self, topic: str, **settings: str) -> None:
        """Set a topic's settings, and wait until they hold.

        A changelog's policy stays what it is, unless named.
        """
        if topic == self.changelog:
            settings = {"cleanup.policy": "compact", **settings}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)
        await self.admin.alter_configs([resource])
        # A broker learns of changes in bundles, one after the other: one that knows a topic that
        # was made when it knew another one, made after the change, has done with the change.
        async with asyncio.timeout(DEADLINE_SECONDS):
            for _ in range(2):
                behind = f"{self.name}.change-{next(self._changes)}"
                await self.create(behind)
                while behind not in await self.admin.list_topics():
                    await asyncio.sleep(0.01)

    async def write(self, topic: str, key: bytes, value: bytes) -> None:
        """Write one record to partition 0 of a topic."""
        await self._producer.send_and_wait(topic, value, key, partition=0)

    def app(
        self,
        *,
        source: str | None = None,
        number: int = 1,
        proxy: str = "",
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        **options: Any,
    ) -> tuple[EngineApp, Table]:
        """An app with a table `rows`; it is not started. Workers differ in their `number`.

        It reaches Kafka by way of a `proxy`, where there is one.
        """
        settings = EngineSettings(
            name=self.name,
            kafka={"bootstrap_servers": proxy} if proxy else self.kafka,
            data_dir=self.folder / f"data-{number}",
            partitions=PARTITIONS,
            url=f"http://127.0.0.1:{number}",
            session_seconds=2.0,
            **options,
        )
        app = EngineApp(settings, clock_ms=clock_ms)
        table: Table = app.Table("rows", source=source)
        return app, table

    @contextlib.asynccontextmanager
    async def running(self, app: EngineApp, agent: Agent) -> AsyncIterator[EngineApp]:
        """The app at work with one agent on the source topic; serving when this begins."""
        app.agent(app.topic(self.source), name="agent")(agent)
        try:
            await app.start()
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not app.serving and app.crash_reason is None:
                    await asyncio.sleep(0.01)
            self._running.append(app)
            yield app
        finally:
            if app in self._running:
                self._running.remove(app)
            await app.stop()

    async def send(self, *records: tuple[bytes, bytes], partition: int = 0) -> None:
        """Fill a partition of the source."""
        for key, value in records:
            await self._producer.send(self.source, value, key, partition=partition)
        await self._producer.flush()

    async def committed(self) -> int:
        """The sum of the group's commits on the source."""
        return sum((await self._commits()).values())

    async def _commits(self) -> dict[TP, int]:
        offsets = await self.admin.list_consumer_group_offsets(self.name)
        return {
            TP(tp.topic, tp.partition): max(0, found.offset)
            for tp, found in offsets.items()
            if tp.topic == self.source
        }

    async def until_committed(self, count: int) -> None:
        """Wait until the group has committed so many records of the source, and the apps know it.

        Kafka has a commit a moment before the app that made it hears so and settles its rows.
        """
        async with asyncio.timeout(DEADLINE_SECONDS):
            while sum((commits := await self._commits()).values()) < count:
                await asyncio.sleep(0.05)
            while not all(_has_settled(app, commits) for app in self._running):
                await asyncio.sleep(0.01)

    async def members(self) -> int:
        """How many members the group has."""
        (answer,) = await self.admin.describe_consumer_groups([self.name])
        (group,) = answer.to_object()["groups"]
        return len(group["members"])

    async def end(self, topic: str) -> int:
        """The end of partition 0 of a topic."""
        place = TopicPartition(topic, 0)
        found: int = (await self._consumer.end_offsets([place]))[place]
        return found

    async def delete_before(self, topic: str, offset: int) -> None:
        """Delete the records of partition 0 before an offset (-1: all); the policy stays."""
        await self.set(topic, **{"cleanup.policy": "delete"})
        await self.admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})
        await self.set(topic)

    async def records(self, topic: str) -> list[tuple[bytes, bytes | None]]:
        """What lies in a topic, partition by partition."""
        tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._consumer.assign(tps)
        ends = await written_ends(self.kafka, tps)
        await self._consumer.seek_to_beginning(*tps)
        found = []
        for tp in tps:
            while await self._consumer.position(tp) < ends[tp]:
                for records in (await self._consumer.getmany(tp, timeout_ms=200)).values():
                    found += [(record.key, record.value) for record in records]
        return found


def _has_settled(app: EngineApp, commits: dict[TP, int]) -> bool:
    """Whether an app has settled whatever of its partitions is committed; or never will."""
    flight = app.consumer.flight
    if not flight.started or flight.broken is not None:
        return True
    reached = {tp: flight.progress.reached(tp) for tp in commits}
    return all(done is None or done >= commits[tp] for tp, done in reached.items())


def counting(table: Table, out: str) -> Agent:
    """An agent that counts the values of every key, and sends each count on."""

    async def agent(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            for record in batch:
                key = record.key or b""
                count = int(table.get(key) or b"0") + 1
                table[key] = b"%d" % count
                batch.send(out, key=key, value=b"%d" % count)

    return agent


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def crashed(app: EngineApp) -> BaseException:
    """The reason why an app stopped, once it has."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while app.crash_reason is None:
            await asyncio.sleep(0.01)
    reason: BaseException = app.crash_reason
    return reason
