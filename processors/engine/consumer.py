"""The group member: fetches batches, sends what agents answer, commits what Kafka acknowledged.

It lives in the event loop of the agents, not in a thread of its own as Faust's does: a worker
that hangs stops its heartbeats, and its partitions go to one that does not.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import aiokafka
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.consumer import ensure_TPset
from faust.types import TP

from processors.engine.batch import Batch, Record
from processors.engine.errors import DrainTimedOut, SendFailed, TopicsMissing
from processors.engine.progress import Progress

# Two batches of a partition at a time: one whose sends are on their way, one being worked on.
BATCHES_PER_PARTITION_MAX: Final = 2
FETCH_WAIT_MS: Final = 20
TOPICS_WAIT_SECONDS: Final = 10.0
_TOPICS_POLL_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 1.0


class _RebalanceListener(aiokafka.abc.ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the group's changes on to Faust's app."""

    def __init__(self, consumer: "Consumer") -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._consumer.app.on_rebalance_start()
        await self._consumer.on_partitions_revoked(ensure_TPset(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        generation = self._consumer.generation_id
        self._consumer.app.consumer_generation_id = generation
        self._consumer.progress.reset()
        await self._consumer.on_partitions_assigned(ensure_TPset(assigned), generation)


class Consumer(FaustConsumer):  # type: ignore[misc]
    """Faust's consumer over one aiokafka consumer, batch by batch."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = (ConsumerStoppedError,)

    def __post_init__(self) -> None:
        self.progress = Progress()
        self._client: Any = None
        self._room = asyncio.Event()
        self._settled = asyncio.Event()
        self._broken: BaseException | None = None
        self._commit_lock = asyncio.Lock()

    # -- life

    async def on_start(self) -> None:
        """Connect. The group is joined later, when the conductor subscribes."""
        conf = self.app.conf
        self._client = aiokafka.AIOKafkaConsumer(
            **self.app.kafka,
            group_id=conf.id,
            client_id=conf.broker_client_id,
            partition_assignment_strategy=[self.app.assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )
        await self._client.start()

    async def on_stop(self) -> None:
        """Finish what is in flight, commit, leave the group."""
        try:
            await self.wait_empty()
        finally:
            if self._client is not None:
                await self._client.stop()

    def break_down(self, error: BaseException) -> None:
        """Commit nothing more: the world is broken, `error` says how."""
        if self._broken is None:
            self._broken = error
        self._settled.set()

    # -- from Kafka to the agents

    async def _drain_messages(self, fetcher: Any) -> None:  # noqa: ANN401 - a mode.Service
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)
                continue
            await self._deliver(await self._fetch())

    async def _fetch(self) -> Mapping[TP, list[Any]]:
        """The next records of partitions that have room; nothing once the flow is suspended.

        A fetch that is under way when a rebalance begins is cancelled: its records would be lost
        after the seek to the committed offsets that ends the rebalance.
        """
        self._room.clear()
        active = self._get_active_partitions()
        ready = [tp for tp in active if self._has_room(tp)]
        waits = [asyncio.ensure_future(self.suspend_flow.wait())]
        if len(ready) < len(active):
            waits.append(asyncio.ensure_future(self._room.wait()))
        if ready:
            waits.append(
                asyncio.ensure_future(
                    self._client.getmany(
                        *(TopicPartition(*tp) for tp in ready), timeout_ms=_IDLE_SECONDS * 1000
                    )
                )
            )
        try:
            await asyncio.wait(
                waits, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            fetch = waits[-1]
            if not ready or not fetch.done() or not self.flow_active:
                return {}
            return fetch.result()  # type: ignore[return-value]
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _deliver(self, fetched: Mapping[TP, list[Any]]) -> None:
        generation = self.app.consumer_generation_id
        for partition, records in fetched.items():
            if not records or not self.flow_active:
                continue
            tp = TP(*partition)
            batch = Batch(
                tp,
                [
                    Record(record.key, record.value, record.headers, record.offset, record.timestamp)
                    for record in records
                ],
                generation,
            )
            self.progress.delivered(tp)
            await self.callback(batch)

    def _has_room(self, tp: TP) -> bool:
        return self.progress.unfinished(tp) < BATCHES_PER_PARTITION_MAX

    # -- what an agent answers

    def begin(self, batch: Batch) -> bool:
        """Whether an agent may work on a batch: not if a rebalance came in between."""
        if (
            batch.generation_id != self.app.consumer_generation_id
            or not self.app.flow_control.is_active()
        ):
            return False
        self.progress.begin(batch)
        return True

    async def finish(self, batch: Batch) -> None:
        """Send what follows from a batch. It is done when Kafka has acknowledged everything."""
        producer = self.app.producer
        changelogs = {table: table.changelog_topic_name for table in batch.rows}
        waits: list[tuple[str, asyncio.Future[Any]]] = []
        ends: dict[Any, asyncio.Future[Any]] = {}
        try:
            for table, rows in batch.rows.items():
                topic = changelogs[table]
                for key, row in rows.items():
                    future = await producer.enqueue(
                        topic, key, row, partition=batch.partition
                    )
                    waits.append((topic, future))
                    ends[table] = future
            for send in batch.all_sends():
                future = await producer.enqueue(
                    send.topic, send.key, send.value, headers=send.headers
                )
                waits.append((send.topic, future))
        except Exception as error:
            failure = SendFailed("Kafka", error)
            self.break_down(failure)
            raise failure from error
        self._settle_when_sent(batch, waits, ends)

    def _settle_when_sent(
        self,
        batch: Batch,
        waits: list[tuple[str, "asyncio.Future[Any]"]],
        ends: dict[Any, "asyncio.Future[Any]"],
    ) -> None:
        """Without a task: the last acknowledgement settles the batch."""
        remaining = len(waits)
        if not remaining:
            self._settle(batch, {})
            return

        def sent(topic: str, future: "asyncio.Future[Any]") -> None:
            nonlocal remaining
            error = asyncio.CancelledError() if future.cancelled() else future.exception()
            if error is not None:
                self._fail(SendFailed(topic, error))
                return
            remaining -= 1
            if not remaining:
                # Records of one partition are written in order: the last has the highest offset.
                self._settle(batch, {table: end.result().offset for table, end in ends.items()})

        for topic, future in waits:
            future.add_done_callback(lambda done, topic=topic: sent(topic, done))

    def _settle(self, batch: Batch, ends: dict[Any, int]) -> None:
        if self._broken is not None:
            return
        batch.changelog_ends = ends
        for done in self.progress.settle(batch):
            for table, end in done.changelog_ends.items():
                table.settle(done, end)
        self._room.set()
        self._settled.set()

    def _fail(self, error: BaseException) -> None:
        if self._broken is None:
            self.break_down(error)
            self.app.loop.create_task(self.app.crash(error))

    # -- commits

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ANN401, ARG002, FBT001, FBT002 - Faust's own signature
        """Commit what is done in all partitions; False where there was nothing, or no way."""
        async with self._commit_lock:
            if self._broken is not None or self._client is None:
                return False
            offsets = self.progress.committable(self.assignment())
            if not offsets:
                return False
            try:
                await self._client.commit(
                    {TopicPartition(*tp): OffsetAndMetadata(o, "") for tp, o in offsets.items()}
                )
            except (CommitFailedError, IllegalStateError) as error:
                # The group moved on without this worker: whoever has the partitions now will do
                # the work again.
                self.log.info("commit refused: %s", error)
                return False
            except KafkaError as error:
                if not error.retriable:
                    raise
                self.log.warning("commit put off: %r", error)
                return False
            self.progress.committed(offsets)
            return True

    async def wait_empty(self) -> None:
        """Wait until nothing is in flight, then commit; `DrainTimedOut` if that takes too long."""
        seconds = self.app.conf.broker_rebalance_timeout
        deadline = time.monotonic() + seconds
        while self.progress.in_flight and self._broken is None:
            self._settled.clear()
            try:
                await asyncio.wait_for(
                    self._settled.wait(), timeout=max(0.0, deadline - time.monotonic())
                )
            except TimeoutError:
                failure = DrainTimedOut(
                    batches=self.progress.in_flight, waited_seconds=seconds
                )
                self.break_down(failure)
                raise failure from None
        await self.commit()

    async def on_task_error(self, exc: BaseException) -> None:
        """Faust commits here; a broken worker does not."""
        self.break_down(exc)

    # -- what Faust asks of a consumer

    @property
    def generation_id(self) -> int:
        """The group's generation."""
        generation: int = self._client._coordinator.generation  # noqa: SLF001 - no public way
        return generation

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group for these topics, once Kafka knows all of them.

        A topic that the group's leader does not know yet would be left out of the assignment, and
        a table without its changelog. Raises `TopicsMissing` where they do not appear.
        """
        wanted = set(topics)
        deadline = time.monotonic() + TOPICS_WAIT_SECONDS
        while missing := wanted - (await self._client.topics()):
            if time.monotonic() > deadline:
                raise TopicsMissing(sorted(missing))
            await asyncio.sleep(_TOPICS_POLL_SECONDS)
        self._client.subscribe(topics=sorted(wanted), listener=_RebalanceListener(self))

    def rejoin(self) -> None:
        """Ask the group for another assignment."""
        self._client._coordinator.request_rejoin()  # noqa: SLF001 - no public way

    def assignment(self) -> set[TP]:
        """The partitions that this worker has."""
        if self._client is None:
            return set()
        assigned: set[TP] = ensure_TPset(self._client.assignment())
        return assigned

    async def perform_seek(self) -> None:
        """Nothing to seek: every assignment starts at the group's commits.

        The rebalance protocol is eager, so aiokafka begins each assignment with fresh positions,
        and nothing is fetched between the assignment and the end of the restore.
        """

    def highwater(self, tp: TP) -> int | None:
        """The end of a partition, as far as known."""
        end: int | None = self._client.highwater(TopicPartition(*tp))
        return end

    def lag(self) -> dict[TP, int]:
        """How many records of each assigned source are not done, as far as known."""
        assignment = self._client._subscription.subscription.assignment  # noqa: SLF001 - no public way
        lags: dict[TP, int] = {}
        for tp in self.assignment():
            end = None if self._is_changelog_tp(tp) else self.highwater(tp)
            state = assignment.state_value(TopicPartition(*tp))
            if end is not None and state.has_valid_position:
                done = self.progress.done(tp)
                lags[tp] = max(0, end - (state.position if done is None else done))
        return lags

    def topic_partitions(self, topic: str) -> int | None:
        """How many partitions a topic has, as far as known."""
        partitions = self._client._client.cluster.partitions_for_topic(topic)  # noqa: SLF001
        return len(partitions) if partitions else None

    @property
    def client(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        """The aiokafka consumer, for the restoring of tables."""
        return self._client

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int:
        """The partition that Kafka's own partitioner gives a key."""
        found: int = self.app.producer.key_partition(topic, key).partition
        return found if partition is None else partition

    # Faust reads changelogs through its consumer one message at a time; here the restore does it
    # in batches (`processors.engine.restore`), so these are never called.

    async def _commit(self, offsets: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        raise NotImplementedError

    async def _seek(self, partition: Any, offset: int) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def seek_to_committed(self) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def seek_wait(self, partitions: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def position(self, tp: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def highwaters(self, *partitions: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def earliest_offsets(self, *partitions: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def create_topic(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def _to_message(self, tp: Any, record: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError
