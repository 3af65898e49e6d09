"""The stronger guarantee: rows, sends and offsets of a run of batches are one Kafka transaction.

While one transaction is being committed agents work on; what they finish waits and makes up the
next one. So a transaction is as long as a commit takes, but for a shortest time between two: each
costs the broker a marker in every partition that it touched.

Where the group gave a partition to somebody else in between, Kafka refuses the offsets (KIP-447)
and the transaction never was: everything in flight is dropped, and the group asked again.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from processors.engine.errors import SendFailed, TransactionRefused
from processors.engine.flight import Flight

if TYPE_CHECKING:
    from faust.types import TP

    from processors.engine.batch import Batch, Rows
    from processors.engine.sender import Delivered, Sender

log = logging.getLogger(__name__)

# Between the end of one commit and the next one, unless this many records wait.
TRANSACTION_SECONDS: Final = 0.05
TRANSACTION_RECORDS: Final = 8_000
REFUSALS_MAX: Final = 5

# What would fail again, however often it is tried. Everything else passes, or REFUSALS_MAX ends it.
_FOR_GOOD: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - its public name
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
# What librdkafka says of a record once its transaction has failed for another reason.
_SPOILT: Final = frozenset({KafkaError._STATE, KafkaError._FATAL, KafkaError._FENCED})  # noqa: SLF001


class ExactlyOnce(Flight):
    """Collects finished batches in a transaction, and commits one after the other.

    `group` tells who this member is, as of its last assignment, and `is_still` whether the group
    knows it as that; `assigned` which partitions it has; `begin_again` asks the group for another
    assignment after everything was dropped.
    """

    def __init__(
        self,
        sender: "Sender",
        *,
        failed: Callable[[BaseException], None],
        assigned: "Callable[[], Iterable[TP]]",
        group: Callable[[], bytes],
        is_still: Callable[[bytes], bool],
        begin_again: Callable[[], None],
        transaction_records: int = TRANSACTION_RECORDS,
    ) -> None:
        super().__init__(sender, failed=failed)
        # The open transaction, and what the next one will hold.
        self.records_max = 2 * transaction_records
        self._transaction_records = transaction_records
        self._assigned = assigned
        self._group = group
        self._is_still = is_still
        self._committed_as = b""
        self._begin_again = begin_again
        self._open: list[Batch] = []
        self._queued: deque[Batch] = deque()
        self._begun = False
        self._spoilt: KafkaException | None = None
        self._committing = False
        # One batch is handed over, or one transaction sealed, at a time.
        self._handing_over = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._at_once = asyncio.Event()
        self._ended = 0.0
        self._refusals = 0
        # How many times the producer's epoch was renewed for a connection that broke.
        self.renewed_count = 0

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

    async def begin_at(self, offsets: "Mapping[TP, int]", left_rows: "Collection[TP]" = ()) -> bool:
        """Commit where partitions begin, in a transaction of offsets alone."""
        async with self._handing_over:
            try:
                self._sender.begin()
                self._committed_as = self._group()
                await self._sender.commit(offsets, self._committed_as, left_rows=left_rows)
                await self._sure()
            except KafkaException as error:
                await self._refused(error)
                return False
            return True

    async def _sure(self) -> None:
        """Before the next transaction: that no request of the last one can still end it."""
        if self._sender.in_doubt:
            self.renewed_count += 1
            log.info("a connection broke in a transaction: the next one has a new epoch")
            await self._sender.renew()

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
        try:
            await self._send_rows(batch, _told_of_rows)
            await self._send(batch)
        except SendFailed as failure:
            cause = failure.cause
            if not isinstance(cause, KafkaException) or cause.args[0].code() not in _SPOILT:
                self.break_down(failure)
                raise
            # It cannot be committed any more, and the committing says why.
            self._spoilt = self._spoilt or cause
            self._at_once.set()
        if sum(map(len, self._open)) >= self._transaction_records:
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
                if self._spoilt is not None:
                    raise self._spoilt
                self._committed_as = self._group()
                began = time.monotonic()
                await self._sender.commit(
                    offsets,
                    self._committed_as,
                    left_rows=self.progress.left_rows(finished=batches),
                )
                self.commit_seconds += time.monotonic() - began
                self._refusals = 0
                self.committed_count += 1
                self._settle_rows(batches)
                self._settle(batches)
                self.progress.committed(offsets)
                await self._sure()
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
        self._refusals += 1
        self.refused_count += 1
        code = why.args[0].code()
        # By another worker of its name, not by itself: it may have been expelled and joined anew.
        replaced = code == KafkaError.FENCED_INSTANCE_ID and self._is_still(self._committed_as)
        if code in _FOR_GOOD or replaced or self._refusals > REFUSALS_MAX:
            self.fail(TransactionRefused(why))
        else:
            log.warning("a transaction is done again: %s", why.args[0])
        self.decided.clear()
        self.drop()
        try:
            await self._end(why)
        except KafkaException as error:
            self.fail(TransactionRefused(error))
        self.decided.set()
        if self.broken is None:
            self._begin_again()

    async def _end(self, why: KafkaException) -> None:
        """End the failed transaction by aborting it; a client that is beyond that is replaced."""
        if not why.args[0].fatal():
            try:
                await self._sender.abort()
                await self._sure()
            except KafkaException as error:
                log.warning("it cannot be aborted: %s", error.args[0])
            else:
                return
        if self.broken is None:
            await self._sender.renew()

    def drop(self) -> None:
        """Forget everything in flight: it never was."""
        self._open.clear()
        self._queued.clear()
        self._begun = False
        self._spoilt = None
        super().drop()


def _told_of_rows(batch: "Batch", table: "Rows") -> "tuple[None, Delivered]":
    """A transaction is acknowledged as one; only where it ended in the changelog is asked for."""

    def delivered(error: Any, message: Any) -> None:  # noqa: ANN401 - librdkafka's
        if error is None:
            batch.row_offsets[table] = [message.offset()]

    return None, delivered
