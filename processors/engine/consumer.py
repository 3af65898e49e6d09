"""The group member: which partitions are ours, batches for the agents, and what becomes of them.

aiokafka is the member and fetches nothing: Faust's assignor places tables with their sources, and
librdkafka takes no assignor from outside. It lives in the event loop of the agents, not in a
thread of its own as Faust's does: a worker that hangs stops its heartbeats, and its partitions go
to one that does not.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Final

import aiokafka
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import ensure_TPset
from faust.types import TP
from mode import Service

from processors.engine.at_least_once import AtLeastOnce
from processors.engine.batch import Batch
from processors.engine.errors import CredentialsRefused, GroupRefused, NameTaken, TopicsMissing
from processors.engine.exactly_once import ExactlyOnce
from processors.engine.fetcher import Fetched, Fetcher
from processors.engine.flight import Flight
from processors.engine.holes import LOST, Offsets, hole_in, place_of
from processors.engine.marks import mark
from processors.engine.member import Member, commits_of, new_member
from processors.engine.sender import group_metadata
from processors.engine.stall import Stall
from processors.engine.unused import MessageByMessage

CONNECT_SECONDS: Final = 60.0
_CONNECT_POLL_SECONDS: Final = 0.2
TOPICS_WAIT_SECONDS: Final = 10.0
_TOPICS_POLL_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 1.0
_COMMIT_SECONDS_MAX: Final = 5.0
_STOP_SECONDS: Final = 15.0


class _RebalanceListener(aiokafka.abc.ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the group's changes on to Faust's app."""

    def __init__(self, consumer: "Consumer") -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._consumer.app.on_rebalance_start()
        await self._consumer.on_partitions_revoked(ensure_TPset(revoked))
        await self._consumer.stop_fetching()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        generation = self._consumer.become_member(assigned)
        self._consumer.app.consumer_generation_id = generation
        await self._consumer.on_partitions_assigned(ensure_TPset(assigned), generation)


class Consumer(MessageByMessage):
    """Faust's consumer: an aiokafka member, a librdkafka fetcher, and the batches in flight."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = (ConsumerStoppedError,)

    def __post_init__(self) -> None:
        self._client: Any = None
        self._member: bytes | None = None
        self._group_member: Member | None = None
        self._stall = Stall(self.app.stalled_after_seconds)
        self._lags: dict[TP, int] = {}
        self._unmarked: set[TP] = set()
        self.missing_offsets: Counter[TP] = Counter()
        self.fetcher = Fetcher(
            self.app.librdkafka,
            group=self.app.conf.id,
            until=self.app.read_until,
            last=self.app.read_last,
            ahead=self.app.records_at_once,
            read_before=self.app.read_before,
            unbroken=self.app.unbroken,
        )
        self.flight: Flight = self._new_flight()

    def _new_flight(self) -> Flight:
        sender = self.app.producer.sender
        if self.app.guarantee == "at_least_once":
            return AtLeastOnce(
                sender, failed=self._crash_app, assigned=self.assignment, commit=self._commit_now
            )
        return ExactlyOnce(
            sender,
            failed=self._crash_app,
            assigned=self.assignment,
            group=self._group,
            is_still=self._is_still,
            begin_again=self.rejoin,
            transaction_records=self.app.transaction_records,
        )

    # -- life

    async def on_start(self) -> None:
        """Connect. The group is joined later, when the conductor subscribes."""
        self.fetcher.open()
        self._client = await self._connect()
        self._group_member = Member(self._client, self.app.instance)

    async def _connect(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        """A member that reaches Kafka, which may be away for a while; else KafkaConnectionError."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            client = new_member(self.app, self._refused)
            try:
                await client.start()
            except KafkaConnectionError as error:
                await client.stop()
                if time.monotonic() > deadline:
                    raise
                self.log.info("Kafka is away, asking again: %s", error)
                await asyncio.sleep(_CONNECT_POLL_SECONDS)
            else:
                return client

    def _refused(self, error: Exception) -> None:
        self.flight.fail(CredentialsRefused(error))

    async def on_stop(self) -> None:
        """Finish what is in flight, commit, leave the group."""
        try:
            await self.wait_empty()
        finally:
            if self._client is not None:
                if self.app.leaves and (coordinator := self._client._coordinator) is not None:  # noqa: SLF001 - no public way
                    # aiokafka never lets a member leave that has a name of its own.
                    coordinator._group_instance_id = None  # noqa: SLF001 - as above
                await self._client.stop()
            await self.fetcher.close()

    def _crash_app(self, error: BaseException) -> None:
        self._crashing = self.app.loop.create_task(self.app.crash(error))

    # -- from Kafka to the agents

    async def _drain_messages(self, fetcher: Any) -> None:  # noqa: ANN401 - a mode.Service
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)
            elif not self.flight.has_room:
                self.flight.moved.clear()
                await self.wait(self.flight.moved, timeout=_IDLE_SECONDS)
            else:
                era = self.flight.era
                fetched = await self.fetcher.take(self.app.records_at_once)
                # What comes after a rebalance began is dropped: its partitions are read from
                # their commits again, by whoever has them then.
                if self.flow_active and era == self.flight.era:
                    await self._deliver(fetched, era)

    async def _look_at(self, tp: TP, offsets: Offsets) -> None:
        """Tell of offsets that were passed over, if they are neither markers nor aborted."""
        try:
            hole = await hole_in(self._client._client, tp, offsets)  # noqa: SLF001 - no public way
        except KafkaError as error:
            self.log.warning("%s[%d]: cannot look at %d to %d: %r", *tp, *offsets, error)
            return
        if hole is not None:
            self.missing_offsets[tp] += hole[1] - hole[0]
            self.log.error(LOST, *tp, *hole, extra=place_of(tp, hole[0]))

    async def _deliver(self, fetched: Fetched, era: int) -> None:
        for tp, offsets in fetched.jumps:
            await self._look_at(tp, offsets)
        generation = self.app.consumer_generation_id
        batches = [
            Batch(tp, records, generation_id=generation, era=era)
            for tp, records in fetched.records.items()
        ]
        for batch in batches:
            self.flight.progress.delivered(batch)
        for tp, end in fetched.ends.items():
            self.flight.progress.ended(tp, end)
        for batch in batches:
            await self.callback(batch)

    async def left_rows(self, sources: Iterable[TP]) -> set[TP]:
        """The partitions of which something was read before that left rows in a table.

        The commits say so. An offset alone does not: it may lie behind nothing but control markers
        and what was aborted. Raises `PositionsMoved` where a commit that none of us made is wrong.
        """
        commits = await commits_of(self._client, await self.fetcher.committed(sources))
        strange = {tp: one for tp, one in commits.items() if not one.ours}
        if strange and self.app.vouch is not None:
            await self.app.vouch(strange)
        self._unmarked = set(strange)
        return {tp for tp, one in commits.items() if one.left_rows}

    async def start_fetching(
        self, sources: Iterable[TP], left_rows: Collection[TP], *, tables_hold: bool
    ) -> bool:
        """Read these partitions from the group's commits on, which never go back.

        `tables_hold`: a changelog of the app has records. What is read from its beginning, or was
        vouched for, is committed before any agent works: one that is missing later was lost.
        False where the group did not take that: it has to be asked again.
        """
        begun = await self.fetcher.start(sources, tables_hold=tables_hold)
        self.flight.progress.check(begun.positions)
        first = {tp: begun.positions[tp] for tp in begun.uncommitted | self._unmarked}
        if first and not await self.flight.begin_at(first, left_rows):
            return False
        self.flight.start(begun.positions, left_rows)
        return True

    async def stop_fetching(self) -> None:
        """Read nothing until partitions are assigned, and commit nothing of what was read.

        Whoever has the partitions meanwhile may have come further than we had.
        """
        await self.fetcher.stop()
        self.flight.stop()

    # -- from the agents to Kafka

    def begin(self, batch: Batch) -> bool:
        """Whether an agent may work on a batch: not if a rebalance came in between."""
        return bool(self.app.flow_control.is_active()) and self.flight.begin(batch)

    async def finish(self, batch: Batch) -> None:
        """Send what follows from a batch."""
        batch.forget_records()
        await self.flight.finish(batch)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ANN401, ARG002, FBT001, FBT002 - Faust's own signature
        """Have the offsets of what is done committed; Faust asks for it from time to time."""
        return self._client is not None and await self.flight.commit()

    async def _commit_now(self, offsets: Mapping[TP, int], left_rows: Collection[TP]) -> bool:
        commits = {
            # With a zero at its end, as librdkafka wants it that reads it.
            TopicPartition(*tp): OffsetAndMetadata(at, mark(at, left_rows=tp in left_rows) + "\0")
            for tp, at in offsets.items()
        }
        try:
            # aiokafka tries again for as long as Kafka is away; the next commit is as good.
            async with asyncio.timeout(_COMMIT_SECONDS_MAX):
                await self._client.commit(commits)
        except (CommitFailedError, IllegalStateError) as error:
            # The group moved on without this worker: whoever has the partitions now will do the
            # work again.
            self.log.info("commit refused: %s", error)
            return False
        except (KafkaError, TimeoutError) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                raise
            self.log.warning("commit put off: %r", error)
            return False
        return True

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit_handler(self) -> None:
        """Commit from time to time: Faust's own timer warns of every commit that takes longer."""
        while not self.should_stop:
            await self.sleep(self.commit_interval)
            await self.commit()

    async def wait_empty(self) -> None:
        """Wait until nothing is in flight, then commit."""
        stopping = self.app.should_stop
        await self.flight.landed(
            _STOP_SECONDS if stopping else self.app.conf.broker_rebalance_timeout
        )
        await self.commit()

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit_transactions(self) -> None:
        if isinstance(self.flight, ExactlyOnce):
            try:
                await self.flight.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing would be committed any more
                self.flight.fail(error)

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
        while missing := wanted - (await self._known_topics()):
            if time.monotonic() > deadline:
                raise TopicsMissing(sorted(missing))
            await asyncio.sleep(_TOPICS_POLL_SECONDS)
        self._client.subscribe(topics=sorted(wanted), listener=_RebalanceListener(self))

    async def _known_topics(self) -> set[str]:
        try:
            known: set[str] = await self._client.topics()
        except KafkaConnectionError:
            return set()  # Kafka went away
        return known

    def become_member(self, assigned: Iterable[TopicPartition]) -> int:
        """The group gave us these partitions: who we are in it now, until the next time.

        aiokafka forgets its generation once the group has expelled it, and offsets without one
        are taken without a fence; so transactions go by what was true when partitions came.
        """
        self._client.pause(*assigned)  # librdkafka fetches
        coordinator = self._client._coordinator  # noqa: SLF001 - no public way
        generation: int = coordinator.generation
        self._member = group_metadata(
            self.app.conf.id, generation, coordinator.member_id, self.app.instance
        )
        return generation

    def _group(self) -> bytes:
        if self._member is None:
            message = "a transaction before the first assignment"
            raise RuntimeError(message)
        return self._member

    def _is_still(self, group: bytes) -> bool:
        """Whether the group knows this worker as the member that it was then."""
        member: str = self._client._coordinator.member_id  # noqa: SLF001 - no public way
        return bool(member) and member.encode() + b"\x00" in group

    @Service.task  # type: ignore[untyped-decorator]
    async def _watch_the_group(self) -> None:
        """Stop the worker where the group cannot be had: aiokafka tells only who fetches."""
        while not self.should_stop:
            await self.sleep(_IDLE_SECONDS)
            if (member := self._group_member) is not None:
                try:
                    member.check()
                except KafkaError as error:
                    refused = GroupRefused(self.app.conf.id, error)
                    self.flight.fail(NameTaken(self.app.instance) if member.replaced else refused)

    def in_group(self) -> bool:
        """Whether the group has answered within a session."""
        member, session_seconds = self._group_member, self.app.conf.broker_session_timeout
        return member is not None and time.monotonic() - member.heard_at <= session_seconds

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
        """Nothing to seek: `start_fetching` begins at the group's commits."""

    def lag(self) -> dict[TP, int]:
        """How many records of each source are not done, as far as known.

        Without an assignment these are the last that were known: nobody should think that there is
        nothing to do.
        """
        assigned = self.assignment()
        if assigned:
            self._lags = {tp: lag for tp, lag in self._lags.items() if tp in assigned}
        for tp in assigned:
            reached = self.flight.progress.reached(tp)
            end = None if reached is None else self.fetcher.end(tp)
            if reached is not None and end is not None:
                self._lags[tp] = max(0, end - reached)
        return dict(self._lags)

    def stalled(self) -> list[TP]:
        """The partitions that lag and have not moved for too long; asked by liveness probes.

        While the group does not answer Kafka is away, and no agent is to blame.
        """
        lags = self.lag() if self.in_group() else {}
        reached = {tp: self.flight.progress.reached(tp) for tp in lags}
        return self._stall.look(time.monotonic(), lags, reached)

    def highwater(self, tp: TP) -> int | None:
        """The end of a partition, as far as known."""
        return self.fetcher.end(tp)
