"""Batches in flight: what agents answered, on its way to Kafka, and what is done.

A batch is done when Kafka has every record that follows from it for good, its tables' changelog
records included; only then do its rows move into the local stores, and only then does its offset
count as read. The first failure ends it all: nothing is settled after it. What "for good" means is
the guarantee: `at_least_once.py`, `exactly_once.py`.
"""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from processors.engine.errors import DrainTimedOut, EngineError, SendFailed, StoreUnusable
from processors.engine.progress import Progress

if TYPE_CHECKING:
    from faust.types import TP

    from processors.engine.batch import Batch, Rows
    from processors.engine.sender import Delivered, Sender

    RowsDelivered = Callable[[Batch, Rows], tuple[Delivered | None, Delivered]]

BYTES_IN_FLIGHT_MAX: Final = 64 * 1024 * 1024


class Flight(ABC):
    """The batches that were begun and are not done; `failed` is called once, with the reason."""

    records_max: int
    """How many records may be in flight: they are kept in memory."""

    def __init__(self, sender: "Sender", *, failed: Callable[[BaseException], None]) -> None:
        self.progress = Progress()
        # The present assignment, and whether it has begun: what is delivered before that, or in an
        # earlier one, is not worked on.
        self.era = 0
        self.started = False
        self.dropped = False
        # Whether nothing that was dropped can still come to count.
        self.decided = asyncio.Event()
        self.decided.set()
        # How many transactions Kafka took and refused; none without transactions.
        self.committed_count = 0
        self.refused_count = 0
        # How long Kafka took for those that it took, in all.
        self.commit_seconds = 0.0
        # Set whenever a batch is done, or the world broke: whoever waits looks again.
        self.moved = asyncio.Event()
        self.broken: BaseException | None = None
        self._sender = sender
        self._failed = failed

    # -- what the guarantees differ in

    @abstractmethod
    async def finish(self, batch: "Batch") -> None:
        """Send what follows from a batch, in the order in which the agent said it."""

    @abstractmethod
    async def commit(self) -> bool:
        """Have the offsets of what is done committed; False where there was nothing, or no way."""

    @abstractmethod
    async def begin_at(self, offsets: "Mapping[TP, int]", left_rows: "Collection[TP]" = ()) -> bool:
        """Commit where partitions begin that have no commit of ours, before they are read.

        Whether the group took it.
        """

    @abstractmethod
    def hurry(self) -> None:
        """Somebody waits until nothing is in flight."""

    @abstractmethod
    def check(self, batch: "Batch") -> None:
        """Raise if a batch's rows must not go into the stores."""

    # -- what they have in common

    def begin(self, batch: "Batch") -> bool:
        """Whether an agent may work on a batch: not if it is of an earlier assignment."""
        if not self.is_current(batch):
            return False
        self.progress.begin(batch)
        return True

    def is_current(self, batch: "Batch") -> bool:
        """Whether a batch belongs to the present assignment."""
        return self.started and batch.era == self.era

    def start(self, positions: "Mapping[TP, int]", left_rows: "Iterable[TP]" = ()) -> None:
        """A new assignment: its partitions are read from these offsets on."""
        self.stop()
        self.progress.start(positions, left_rows)
        self.started = True
        self.dropped = False
        self.moved.set()

    def stop(self) -> None:
        """Work on nothing until `start`: neither on what was delivered, nor on what comes.

        What comes lies behind what is forgotten here, and must not be done before it.
        """
        self.era += 1
        self.started = False
        self.progress.reset()

    def drop(self) -> None:
        """Forget everything in flight; rows that ran ahead of it have to go, too."""
        self.stop()
        self.dropped = True
        self.moved.set()

    @property
    def has_room(self) -> bool:
        """Whether more may be read: what is in flight is kept in memory."""
        return (
            self.started
            and self.progress.records < self.records_max
            and self.progress.bytes < BYTES_IN_FLIGHT_MAX
        )

    def break_down(self, error: BaseException) -> None:
        """Settle nothing more: the world is broken, `error` says how."""
        if self.broken is None:
            self.broken = error
        self.moved.set()

    def fail(self, error: BaseException) -> None:
        """Break down, and tell whoever stops the worker."""
        if self.broken is None:
            self.break_down(error)
            self._failed(error)

    async def landed(self, seconds: float) -> None:
        """Wait until nothing is in flight; `DrainTimedOut` after `seconds`.

        Returns at once where the world is broken: what is in flight then never lands.
        """
        deadline = time.monotonic() + seconds
        while self.progress.in_flight and self.broken is None:
            self.moved.clear()
            self.hurry()
            try:
                await asyncio.wait_for(self.moved.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                failure = DrainTimedOut(batches=self.progress.in_flight, waited_seconds=seconds)
                self.break_down(failure)
                raise failure from None

    async def _send_rows(self, batch: "Batch", told: "RowsDelivered") -> None:
        """Hand a batch's rows to Kafka's client; `SendFailed` if it refuses one.

        `told` says who is told of a table's rows but the last, and who of the last.
        """
        offer, put = self._sender.offer, self._sender.put
        for table, written in batch.rows.items():
            topic = table.changelog_topic_name
            each, last = told(batch, table)
            remaining = len(written)
            try:
                for key, value in written.items():
                    remaining -= 1
                    delivered = each if remaining else last
                    try:
                        offer(topic, key, value, batch.partition, (), delivered)
                    except BufferError:
                        await put(topic, key, value, batch.partition, (), delivered)
            except Exception as error:
                raise SendFailed(topic, error) from error

    async def _send(self, batch: "Batch", delivered: "Delivered | None" = None) -> None:
        """Hand what follows from a batch to Kafka's client; `SendFailed` if it refuses one."""
        topic, offer, put = "", self._sender.offer, self._sender.put
        try:
            for record in batch.all_sends():
                topic = record.topic
                try:
                    offer(topic, record.key, record.value, None, record.headers, delivered)
                except BufferError:
                    await put(topic, record.key, record.value, None, record.headers, delivered)
        except Exception as error:
            raise SendFailed(topic, error) from error
        batch.forget_sends()

    def _settle_rows(self, batches: "Iterable[Batch]") -> None:
        """Kafka has these batches' rows for good: move them into the stores."""
        with self._failing_loudly():
            for batch in self._that_count(batches):
                self.check(batch)
                for table in batch.rows:
                    table.settle(batch, batch.row_offsets[table][-1])

    def _settle(self, batches: "Iterable[Batch]") -> None:
        """Kafka has these batches for good, and the stores their rows: they are read."""
        with self._failing_loudly():
            for batch in self._that_count(batches):
                for done in self.progress.settle(batch):
                    for call in done.told_when_done:
                        call()
        self.moved.set()

    def _that_count(self, batches: "Iterable[Batch]") -> "Iterator[Batch]":
        """Those of this assignment, for as long as nothing is broken."""
        return (one for one in batches if one.era == self.era and self.broken is None)

    @contextlib.contextmanager
    def _failing_loudly(self) -> "Iterator[None]":
        """Nobody else hears what goes wrong in a callback."""
        try:
            yield
        except EngineError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exceptions
            self.fail(StoreUnusable("a table's", error))
