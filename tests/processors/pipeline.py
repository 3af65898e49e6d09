"""A whole pipeline on prefixed topics of the session's Kafka: frames in, an audit out."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Self

import aiohttp
import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from headroom.base.reading import written_ends
from headroom.local.kafka.process import die_with_parent
from schemas.codec import encode
from schemas.feeds import FeedStatus
from schemas.headers import RawHeaders
from schemas.times import rfc3339
from schemas.topics import ADOPTIONS, BALANCES, CONTRIBUTIONS, DEAD_LETTERS, FEEDS, TOPICS
from schemas.venues import VENUES

PARTITIONS = 4
EPOCH = 1_710_367_000_000_000_000
DEADLINE_SECONDS = 60.0


def sfox_frame(user: str, sequence: int, **assets: str) -> bytes:
    """A frame of sFOX in which all of an asset is available."""
    updates = [
        {"currency": asset, "balance": amount, "available": amount, "held": "0"}
        for asset, amount in assets.items()
    ]
    return json.dumps(
        {
            "sequence": sequence,
            "recipient": "private.enterprise.users.balances",
            "timestamp": 1_710_367_225_302_228_171 + sequence,
            "payload": {"user_id": user, "updates": updates},
        }
    ).encode()


def now() -> str:
    """The time, as documents write it."""
    return rfc3339(time.time_ns())


def status(epoch: int, *, state: Any = "connected", **fields: Any) -> FeedStatus:
    """A status of sFOX's connection, told and confirmed at this moment."""
    return FeedStatus(
        venue="sfox",
        connection="",
        state=state,
        epoch=epoch,
        last_heard=now(),
        last_frame=None,
        frames=1,
        gaps=0,
        reconnects=0,
        time=now(),
        last_confirmed=now(),
        **fields,
    )


class Pipeline:
    """Topics of its own, and whatever was sent to them."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.folder = folder
        # Frames are received when the test runs: their ages are asked for.
        self._began_ns = time.time_ns()
        self.kafka: dict[str, Any] = {"bootstrap_servers": bootstrap}
        self._receipts: dict[str, int] = {}
        self.sent = 0

    @contextlib.asynccontextmanager
    async def topics(self) -> AsyncIterator["Pipeline"]:
        """Create the topics, and a producer to fill raw."""
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        self._admin = admin
        await admin.create_topics(
            [
                NewTopic(
                    self.prefix + topic.name,
                    num_partitions=PARTITIONS,
                    replication_factor=1,
                    topic_configs=topic.settings(replication_factor=1),
                )
                for topic in TOPICS.values()
            ]
        )
        self._producer = aiokafka.AIOKafkaProducer(
            **self.kafka, acks="all", enable_idempotence=True, max_request_size=20_000_000
        )
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
            await admin.close()

    async def send(
        self, venue: str, frames: Iterable[tuple[str | None, bytes | None]], *, epoch: int = EPOCH
    ) -> None:
        """Put frames into raw, each with its account as key and the headers of a producer."""
        topic = self.prefix + VENUES[venue].raw_topic
        for account, frame in frames:
            receipt = self._receipts[venue] = self._receipts.get(venue, 0) + 1
            headers = RawHeaders(
                venue=venue,
                feed=VENUES[venue].feed,
                epoch=epoch,
                receipt=receipt,
                received_time=rfc3339(self._began_ns + receipt * 1_000_000),
            ).encode()
            key = None if account is None else account.encode()
            if key is None and frame is None:
                builder = self._producer.create_batch()
                builder.append(key=None, value=None, timestamp=None, headers=headers)
                await self._producer.send_batch(builder, topic, partition=0)
            else:
                await self._producer.send(topic, frame, key, headers=headers)
            self.sent += 1
        await self._producer.flush()

    async def tell(self, status: FeedStatus) -> None:
        """Say how a connection is, as a producer would."""
        key = f"{status.venue}/{status.connection}".encode()
        await self._producer.send_and_wait(self.prefix + FEEDS, encode(status), key)

    async def forget(self, connection: str) -> None:
        """Say that there is no such connection (`VENUE/NAME`) any more."""
        await self._producer.send_and_wait(self.prefix + FEEDS, None, connection.encode())

    async def configure(self, topic: str, settings: dict[str, str]) -> None:
        """Change a topic's settings."""
        resource = ConfigResource(ConfigResourceType.TOPIC, self.prefix + topic, configs=settings)
        await self._admin.alter_configs([resource])

    async def drained(self) -> None:
        """Wait until every raw record has an outcome and the workers have committed everything."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.lag() > 0:
                await asyncio.sleep(0.05)

    async def lag(self) -> int:
        """Records of all sources that are not committed."""
        sources = [v.raw_topic for v in VENUES.values()] + [BALANCES, ADOPTIONS, CONTRIBUTIONS]
        committed = await self._admin.list_consumer_group_offsets(f"{self.prefix}headroom")
        ends = await self.ends(*sources)
        done = {TopicPartition(*tp): offset.offset for tp, offset in committed.items()}
        return sum(end - max(0, done.get(tp, 0)) for tp, end in ends.items())

    async def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """Where some topics end, open transactions included, by their names in the contract."""
        tps = [TopicPartition(self.prefix + t, p) for t in topics for p in range(PARTITIONS)]
        return await written_ends(self.kafka, tps)

    async def dead_letters(self) -> list[Any]:
        """Every dead letter."""
        return await self.records(DEAD_LETTERS)

    async def records(self, topic: str) -> list[Any]:
        """Everything that lies in a topic."""
        ends = await self.ends(topic)
        self._consumer.assign(list(ends))
        await self._consumer.seek_to_beginning(*ends)
        found = []
        for tp, end in ends.items():
            while await self._consumer.position(tp) < end:
                for records in (await self._consumer.getmany(timeout_ms=200)).values():
                    found += records
        return found

    def worker(self, name: str, **options: Any) -> "WorkerProcess":
        """A worker that is not started yet; workers of one name share a data folder."""
        return WorkerProcess(self, name, options)


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, pipeline: Pipeline, name: str, options: dict[str, Any]) -> None:
        self._arguments = json.dumps(
            {
                "bootstrap": pipeline.bootstrap,
                "prefix": pipeline.prefix,
                "data_dir": str(pipeline.folder / name),
                "partitions": PARTITIONS,
                **options,
            }
        )
        self.log = pipeline.folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        with self.log.open("ab") as log:
            log.truncate(0)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.processors.worker_main", self._arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it locks nothing
            )

    async def ready(self) -> str:
        """Its URL, once it serves for the first time."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                for line in self.log.read_text().splitlines():
                    if line.startswith("ready "):
                        self.url = line.split()[1]
                        return self.url
                assert self.running, self.log.read_text()
                await asyncio.sleep(0.02)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=40)

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(timeout=40)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.kill()


async def get(url: str, path: str) -> tuple[int, dict[str, Any]]:
    """A worker's answer: status and document."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}") as response:
        return response.status, await response.json(content_type=None)


async def answered(url: str, path: str) -> dict[str, Any]:
    """A worker's answer, after as many 503 as it takes."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            status, document = await get(url, path)
            if status != 503:
                assert status == 200, document
                return document
            await asyncio.sleep(0.1)
