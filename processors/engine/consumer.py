"""The group member: fetches batches, hands agents' answers on, commits what is done.

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
from faust.transport.consumer import ensure_TPset
from faust.types import TP
from mode import Service

from processors.engine.batch import Batch, Record
from processors.engine.errors import GroupRefused, TopicsMissing
from processors.engine.flight import Flight
from processors.engine.stall import Stall
from processors.engine.unused import MessageByMessage

# Two batches of a partition at a time: one whose sends are on their way, one being worked on.
BATCHES_PER_PARTITION_MAX: Final = 2
# How long a broker holds a fetch back when there is nothing: a partition that was just read is
# asked for again only with the next fetch, so this bounds latency in thin traffic.
FETCH_WAIT_MS: Final = 20
TOPICS_WAIT_SECONDS: Final = 10.0
_TOPICS_POLL_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 1.0
_NEVER_MS: Final = 2**31 - 1
_COMMIT_SECONDS_MAX: Final = 5.0
_STOP_SECONDS: Final = 10.0


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
        self._consumer.flight.progress.reset()
        await self._consumer.on_partitions_assigned(ensure_TPset(assigned), generation)


class Consumer(MessageByMessage):
    """Faust's consumer over one aiokafka consumer, batch by batch."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = (ConsumerStoppedError,)

    def __post_init__(self) -> None:
        self._client: Any = None
        self._commit_lock = asyncio.Lock()
        self._stall = Stall(self.app.stalled_after_seconds)
        self.flight = Flight(failed=self._crash_app)

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
            # aiokafka takes a member that fetches nothing for a hung one and leaves the group, for
            # ever; a worker without partitions fetches nothing. `stalled` sees the hung ones.
            max_poll_interval_ms=_NEVER_MS,
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

    def _crash_app(self, error: BaseException) -> None:
        self._crashing = self.app.loop.create_task(self.app.crash(error))

    # -- from Kafka to the agents

    async def _drain_messages(self, fetcher: Any) -> None:  # noqa: ANN401 - a mode.Service
        while not (self.should_stop or fetcher.should_stop):
            if self.flow_active:
                await self._deliver(await self._fetch())
            else:
                await self.wait(self.can_resume_flow)

    async def _fetch(self) -> Mapping[TP, list[Any]]:
        """The next records of partitions that have room; nothing once the flow is suspended.

        A fetch that is under way when a rebalance begins is cancelled: what it brought would be
        passed over, since the next assignment goes on behind it.
        """
        self.flight.moved.clear()
        active = self._get_active_partitions()
        ready = [TopicPartition(*tp) for tp in active if self._has_room(tp)]
        waits = [asyncio.ensure_future(self.suspend_flow.wait())]
        if len(ready) < len(active):
            waits.append(asyncio.ensure_future(self.flight.moved.wait()))
        if ready:
            fetch = self._client.getmany(*ready, timeout_ms=_IDLE_SECONDS * 1000)
            waits.append(asyncio.ensure_future(fetch))
        try:
            await asyncio.wait(waits, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not ready or not waits[-1].done() or not self.flow_active:
                return {}
            fetched: Mapping[TP, list[Any]] = waits[-1].result()
            return fetched
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _deliver(self, fetched: Mapping[TP, list[Any]]) -> None:
        generation = self.app.consumer_generation_id
        for partition, found in fetched.items():
            if not found or not self.flow_active:
                continue
            tp = TP(*partition)
            records = [Record(r.key, r.value, r.headers, r.offset, r.timestamp) for r in found]
            batch = Batch(tp, records, generation)
            self.flight.progress.delivered(batch)
            await self.callback(batch)

    def _has_room(self, tp: TP) -> bool:
        return self.flight.progress.unfinished(tp) < BATCHES_PER_PARTITION_MAX

    # -- from the agents to Kafka

    def begin(self, batch: Batch) -> bool:
        """Whether an agent may work on a batch: not if a rebalance came in between."""
        if (
            batch.generation_id != self.app.consumer_generation_id
            or not self.app.flow_control.is_active()
        ):
            return False
        self.flight.progress.begin(batch)
        return True

    async def finish(self, batch: Batch) -> None:
        """Send what follows from a batch."""
        await self.flight.finish(batch, self.app.producer)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ANN401, ARG002, FBT001, FBT002 - Faust's own signature
        """Commit what is done in all partitions; False where there was nothing, or no way."""
        async with self._commit_lock:
            if self.flight.broken is not None or self._client is None:
                return False
            offsets = self.flight.progress.committable(self.assignment())
            if not offsets:
                return False
            try:
                # aiokafka tries again for as long as Kafka is away; the next commit is as good.
                async with asyncio.timeout(_COMMIT_SECONDS_MAX):
                    await self._client.commit(
                        {TopicPartition(*tp): OffsetAndMetadata(o, "") for tp, o in offsets.items()}
                    )
            except (CommitFailedError, IllegalStateError) as error:
                # The group moved on without this worker: whoever has the partitions now will do
                # the work again.
                self.log.info("commit refused: %s", error)
                return False
            except (KafkaError, TimeoutError) as error:
                if isinstance(error, KafkaError) and not error.retriable:
                    raise
                self.log.warning("commit put off: %r", error)
                return False
            self.flight.progress.committed(offsets)
            return True

    async def wait_empty(self) -> None:
        """Wait until nothing is in flight, then commit."""
        stopping = self.app.should_stop
        await self.flight.landed(
            _STOP_SECONDS if stopping else self.app.conf.broker_rebalance_timeout
        )
        await self.commit()

    async def on_task_error(self, exc: BaseException) -> None:
        """Faust commits here; a broken worker does not."""
        self.flight.break_down(exc)

    # -- the group

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

    @Service.task  # type: ignore[untyped-decorator]
    async def _watch_the_group(self) -> None:
        """Stop the worker where the group cannot be had: aiokafka tells only who fetches."""
        while not self.should_stop:
            await self.sleep(_IDLE_SECONDS)
            if self._client is not None:
                try:
                    self._client._coordinator.check_errors()  # noqa: SLF001 - no public way
                except KafkaError as error:
                    self._fail(GroupRefused(self.app.conf.id, error))
                except AttributeError:
                    continue  # no group yet

    def _fail(self, error: BaseException) -> None:
        self.flight.break_down(error)
        self._crash_app(error)

    def rejoin(self) -> None:
        """Ask the group for another assignment."""
        self._client._coordinator.request_rejoin()  # noqa: SLF001 - no public way

    @property
    def generation_id(self) -> int:
        """The group's generation."""
        generation: int = self._client._coordinator.generation  # noqa: SLF001 - no public way
        return generation

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

    def lag(self) -> dict[TP, int]:
        """How many records of each assigned source are not done, as far as known."""
        subscription = None if self._client is None else self._client._subscription.subscription  # noqa: SLF001 - no public way
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        lags: dict[TP, int] = {}
        for tp in self.assignment():
            end = None if self._is_changelog_tp(tp) else self.highwater(tp)
            state = assignment.state_value(TopicPartition(*tp))
            if end is not None and state.has_valid_position:
                reached = self.flight.progress.reached(tp)
                lags[tp] = max(0, end - (state.position if reached is None else reached))
        return lags

    def stalled(self) -> list[TP]:
        """The partitions that lag and have not moved for too long; asked by liveness probes."""
        lags = self.lag()
        reached = {tp: self.flight.progress.reached(tp) for tp in lags}
        return self._stall.look(time.monotonic(), lags, reached)

    def highwater(self, tp: TP) -> int | None:
        """The end of a partition, as far as known."""
        end: int | None = self._client.highwater(TopicPartition(*tp))
        return end

    @property
    def client(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        """The aiokafka consumer, for the restoring of tables."""
        return self._client
