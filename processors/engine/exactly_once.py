"""The stronger guarantee: rows, sends and offsets of a run of batches are one Kafka transaction.

While one transaction is being committed agents work on; what they finish waits and makes up the
next one. So a transaction is as long as a commit takes, but for a shortest time between two: each
costs the broker a marker in every partition that it touched.

Where the group gave a partition to somebody else in between, Kafka refuses the offsets (KIP-447)
and the transaction never was: everything in flight is dropped, and the group asked again.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from processors.engine.errors import TransactionRefused
from processors.engine.flight import Flight

if TYPE_CHECKING:
    from faust.types import TP

    from processors.engine.batch import Batch, Rows
    from processors.engine.sender import Delivered, Sender

# Between the end of one commit and the next one, unless this many records wait.
TRANSACTION_SECONDS: Final = 0.05
TRANSACTION_RECORDS: Final = 4_000
REFUSALS_MAX: Final = 5

# What says that a transaction is void, and not that something in it can never be sent.
_VOID: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.INVALID_TXN_STATE,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError._TIMED_OUT,  # noqa: SLF001 - its public name
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._FENCED,  # noqa: SLF001
    }
)


class ExactlyOnce(Flight):
    """Collects finished batches in a transaction, and commits one after the other.

    `group` tells who this member is, as of its last assignment; `assigned` which partitions it
    has; `begin_again` asks the group for another assignment after everything was dropped.
    """

    def __init__(
        self,
        sender: "Sender",
        *,
        failed: Callable[[BaseException], None],
        assigned: "Callable[[], Iterable[TP]]",
        group: Callable[[], bytes],
        begin_again: Callable[[], None],
    ) -> None:
        super().__init__(sender, failed=failed)
        self._assigned = assigned
        self._group = group
        self._begin_again = begin_again
        self._open: list[Batch] = []
        self._queued: deque[Batch] = deque()
        self._begun = False
        self._committing = False
        # One batch is handed over, or one transaction sealed, at a time.
        self._handing_over = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._at_once = asyncio.Event()
        self._ended = 0.0
        self._refusals = 0

    # -- from the agents

    async def finish(self, batch: "Batch") -> None:
        """Put a batch into the open transaction, or into the next one."""
        async with self._handing_over:
            if self._committing:
                self._queued.append(batch)
            else:
                await self._add(batch)
        self._wanted.set()

    async def commit(self) -> bool:
        """Commit positions that moved without a record; batches are committed as they come."""
        if self.progress.committable(self._assigned()):
            self._wanted.set()
        return True

    def hurry(self) -> None:
        """Commit at once."""
        self._wanted.set()
        self._at_once.set()

    def check(self, batch: "Batch") -> None:
        """Nobody else's records can lie between: the transaction was fenced."""

    async def _add(self, batch: "Batch") -> None:
        if not self.is_current(batch):
            return
        if not self._begun:
            self._sender.begin()
            self._begun = True
        self._open.append(batch)
        await self._send(batch, rows=_told_of_rows)
        if sum(map(len, self._open)) >= TRANSACTION_RECORDS:
            self._at_once.set()

    # -- to Kafka

    async def run(self) -> None:
        """Commit one transaction after the other, for ever."""
        while self.broken is None:
            await self._wanted.wait()
            pause = self._ended + TRANSACTION_SECONDS - time.monotonic()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._at_once.wait(), pause)
            self._wanted.clear()
            self._at_once.clear()
            await self._commit_open()

    async def _commit_open(self) -> None:
        async with self._handing_over:
            self._committing = True
            batches, self._open = self._open, []
        try:
            offsets = self.progress.committable(self._assigned(), finished=batches)
            if offsets and self.broken is None:
                if not self._begun:
                    self._sender.begin()
                self._begun = False
                await self._sender.commit(offsets, self._group())
                self._refusals = 0
                self._settle(batches)
                self.progress.committed(offsets)
            self._ended = time.monotonic()
            while self._queued:
                await self._add(self._queued.popleft())
                self._wanted.set()
        except KafkaException as error:
            await self._refused(error)
        finally:
            self._committing = False

    async def _refused(self, why: KafkaException) -> None:
        """A transaction failed: drop what is in flight, or stop if it would fail again."""
        error: Any = why.args[0]
        self._refusals += 1
        if error.code() not in _VOID or self._refusals > REFUSALS_MAX:
            self.fail(TransactionRefused(why))
        self.drop()
        try:
            if error.fatal():
                await self._sender.renew()
            else:
                await self._sender.abort()
        except KafkaException as another:
            if not another.args[0].fatal() or self.broken is not None:
                self.fail(TransactionRefused(another))
                return
            await self._sender.renew()
        if self.broken is None:
            self._begin_again()

    def drop(self) -> None:
        """Forget everything in flight: it never was."""
        self._open.clear()
        self._queued.clear()
        self._begun = False
        super().drop()


def _told_of_rows(batch: "Batch", table: "Rows") -> "tuple[None, Delivered]":
    """A transaction is acknowledged as one; only where it ended in the changelog is asked for."""

    def delivered(error: Any, message: Any) -> None:  # noqa: ANN401 - librdkafka's
        if error is None:
            batch.row_offsets[table] = [message.offset()]

    return None, delivered
