"""What a row is played on: topics, a proxy to Kafka, workers of one side, and the observer."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.engine.proxy import Proxy
from tests.engine.stock.jobs import PARTITIONS, Options
from tests.engine.stock.observer import Observer, Seen, both, judge_rows, judge_sends, until
from tests.engine.stock.worker import Side, Worker

# How long to wait for what has to happen, and, where a side is said to wait for ever, how long to
# watch it do so.
PATIENCE_SECONDS: Final = 30.0
STUCK_SECONDS: Final = 14.0
SMALL: Final = {"max.message.bytes": "200"}
LARGE: Final = {"max.message.bytes": "1000000"}


class Bench:
    """One row of one side."""

    def __init__(
        self, side: Side, bootstrap: str, name: str, folder: Path, *, patience_seconds: float
    ) -> None:
        self.side: Side = side
        self.app_name = self.name = name
        self.source, self.out = f"{name}.in", f"{name}.out"
        self.folder = folder
        self.reason = ""
        self._bootstrap = bootstrap
        self._patience_seconds = patience_seconds
        self._workers = itertools.count(1)
        self._sent: list[tuple[int, bytes, bytes]] = []

    @property
    def changelog(self) -> str:
        """The changelog of the table `rows`; both sides give it the same name."""
        return f"{self.app_name}-rows-changelog"

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator["Bench"]:
        """Topics, and clients to fill and to read them."""
        self.folder.mkdir(parents=True)
        async with contextlib.AsyncExitStack() as stack:
            self.proxy = await stack.enter_async_context(Proxy(self._bootstrap))
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            await self._admin.start()
            stack.push_async_callback(self._admin.close)
            self.observer = Observer(self._bootstrap, self._admin)
            await self._create(self.source, self.out)
            await self._create(self.changelog, **{"cleanup.policy": "compact"})
            self._producer = aiokafka.AIOKafkaProducer(bootstrap_servers=self._bootstrap)
            await self._producer.start()
            stack.push_async_callback(self._producer.stop)
            yield self

    async def _create(self, *topics: str, **settings: str) -> None:
        new = [NewTopic(t, PARTITIONS, 1, topic_configs=settings) for t in topics]
        await self._admin.create_topics(new)

    async def configure(self, settings: dict[str, str], *topics: str) -> None:
        """Change settings of topics."""
        topic = ConfigResourceType.TOPIC
        # What is not named goes back to the broker's default, and that is not to compact.
        keeps = {"cleanup.policy": "compact"}
        await self._admin.alter_configs(
            [
                ConfigResource(topic, t, {**(keeps if t == self.changelog else {}), **settings})
                for t in topics
            ]
        )

    # -- input

    async def fill(self, *values: bytes, key: bytes | None = None, partition: int = 0) -> None:
        """Fill a partition of the source; a record's key is its value unless one is given."""
        for value in values:
            await self._producer.send(self.source, value, key or value, partition=partition)
            self._sent.append((partition, key or value, value))
        await self._producer.flush()

    async def feed(self, value: bytes, key: bytes, partition: int) -> None:
        """Fill in one record and wait until it is committed."""
        await self.fill(value, key=key, partition=partition)
        assert await self.done(), self._last_worker.log

    async def write_in_a_transaction(self, topic: str, *pairs: tuple[bytes, bytes]) -> None:
        """Write to partition 0 of a topic: its last offset is then a marker, not a record."""
        writer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, transactional_id=f"{self.name}-writer"
        )
        async with writer, writer.transaction():
            for key, value in pairs:
                await writer.send(topic, value, key, partition=0)

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        """As long as this lasts, agents meet their trouble."""
        file = self.folder / "trouble"
        file.touch()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    # -- workers

    @contextlib.asynccontextmanager
    async def worker(self, job: str, **options: Any) -> AsyncIterator[Worker]:
        """A worker of this side, behind the proxy; why it stopped by itself is remembered."""
        told = Options(
            bootstrap=self.proxy.bootstrap,
            name=self.app_name,
            source=self.source,
            out=self.out,
            folder=str(self.folder),
            number=next(self._workers),
            job=job,
            **options,
        )
        worker = Worker(self.side, told)
        self._last_worker = worker
        try:
            yield worker
        finally:
            await worker.stop()
            self.reason = self.reason or worker.reason

    async def kill(self, worker: Worker) -> None:
        """Kill -9, and what it had given to the network and Kafka has not yet, is gone too."""
        worker.kill()
        await self.proxy.cut()

    async def begin_anew(self) -> None:
        """Forget all rows and read everything again, the way each side has for it."""
        if self.side == "ours":
            self.app_name += "-v2"
        else:
            async with self.worker("keep", command="reset", store="rocksdb") as reset:
                await reset.ended()
                assert reset.said("Removing database for table rows"), reset.log

    # -- what is waited for

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what must come before the fault; where it does not, the row was not played."""
        assert await until(condition, PATIENCE_SECONDS), self._last_worker.log

    async def until_said(self, worker: Worker, word: str, times: int) -> None:
        """Wait until a worker has said a word so often."""

        async def said() -> bool:
            return len(worker.said(word)) >= times

        await self.until(said)

    async def done(self, *, seconds: float | None = None) -> bool:
        """Wait until everything is committed; False if that takes too long."""

        async def all_committed() -> bool:
            return await self.committed() >= len(self._sent)

        return await until(all_committed, seconds or self._patience_seconds)

    async def done_or_ended(self, worker: Worker) -> None:
        """Wait until everything is committed, or the worker has stopped by itself."""
        ways = [asyncio.ensure_future(self.done()), asyncio.ensure_future(worker.ended())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()

    async def committed(self) -> int:
        """How many records of the source are committed."""
        return await self.observer.committed(self.app_name, self.source)

    # -- the verdict

    async def judge(
        self,
        *,
        sends: list[tuple[bytes, bytes]] | None = None,
        rows: dict[tuple[int, bytes], bytes] | None = None,
        once: bool = True,
    ) -> Seen:
        """Wait until everything is committed, and compare with what Kafka then holds."""
        if not await self.done():
            done = await self.committed()
            # A worker that could not even start is this test's fault, not a verdict.
            assert self._last_worker.running, self._last_worker.log
            return self.seen(Seen("stuck", f"{done} of {len(self._sent)} records are committed"))
        verdicts = []
        if sends is not None:
            found = await self.observer.records(self.out)
            verdicts.append(judge_sends(sends, [(r.key, r.value) for r in found], once=once))
        if rows is not None:
            verdicts.append(judge_rows(rows, await self.observer.rows(self.changelog)))
        return self.seen(both(*verdicts))

    def seen(self, seen: Seen) -> Seen:
        """With the reason why a worker stopped, if one did."""
        return Seen(seen.verdict, seen.story, self.reason)

    @property
    def sent(self) -> list[tuple[bytes, bytes]]:
        """Key and value of every record of the source."""
        return [(key, value) for _, key, value in self._sent]

    @property
    def last(self) -> dict[tuple[int, bytes], bytes]:
        """The last value of every key of the source, by partition."""
        return {(partition, key): value for partition, key, value in self._sent}
