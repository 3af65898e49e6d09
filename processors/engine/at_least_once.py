"""The weaker guarantee: rows, then what is told of them, then the offset, once Kafka has the last.

After a crash a batch may come again, over rows that already hold it: agents have to recognise what
they have seen. Nothing was told of a row that Kafka might not have: else a version would be told
again, after a later one or with other contents. Nothing fences a worker that was suspended for
longer than its session; who then finds foreign records between its own in a changelog stops.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from faust.types import TP

from processors.engine.errors import SendFailed
from processors.engine.flight import Flight

if TYPE_CHECKING:
    from processors.engine.batch import Batch, Rows
    from processors.engine.sender import Delivered, Sender

Commit = Callable[[Mapping[TP, int], Collection[TP]], Awaitable[bool]]
"""Commits offsets; with them, of which partitions rows are left."""


class AtLeastOnce(Flight):
    """Sends at once; commits, from time to time, what Kafka has acknowledged without a gap.

    `assigned` names the partitions that may be committed, `commit` asks the group to.
    """

    # More would only grow cold: each record is read once more when Kafka has it.
    records_max = 4_000

    def __init__(
        self,
        sender: "Sender",
        *,
        failed: Callable[[BaseException], None],
        assigned: Callable[[], Iterable[TP]],
        commit: Commit,
    ) -> None:
        super().__init__(sender, failed=failed)
        self._assigned = assigned
        self._commit = commit
        self._lock = asyncio.Lock()
        # On each way the batches whose rows Kafka may not have yet, in the order of sending.
        self._sent: dict[TP, deque[Batch]] = {}
        # Those of them whose rows Kafka has.
        self._kept: set[Batch] = set()
        # Those of which nothing has been told yet, in the order in which their rows were settled.
        self._untold: deque[Batch] = deque()
        self._telling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Nothing that was sent before is settled any more, and nothing is told of it."""
        super().stop()
        self._sent.clear()
        self._kept.clear()
        self._untold.clear()

    async def finish(self, batch: "Batch") -> None:
        """Send a batch's rows; what else follows from it goes out once Kafka has them."""
        for way in _ways(batch):
            self._sent.setdefault(way, deque()).append(batch)
        try:
            await self._send_rows(batch, _Rows(batch, self).told)
            if not batch.rows:
                self.keep(batch)
                await self._tell()
        except SendFailed as failure:
            self.break_down(failure)
            raise

    async def commit(self) -> bool:
        """Commit what is done in all partitions; False where there was nothing, or no way."""
        async with self._lock:
            offsets = self.progress.committable(self._assigned())
            if (
                self.broken is not None
                or not offsets
                or not await self._commit(offsets, self.progress.left_rows())
            ):
                return False
            self.progress.committed(offsets)
            return True

    async def begin_at(self, offsets: Mapping[TP, int], left_rows: Collection[TP] = ()) -> bool:
        """Commit where partitions begin; whether the group took it."""
        return self.broken is None and await self._commit(offsets, left_rows)

    def hurry(self) -> None:
        """Everything is on its way already."""

    def keep(self, batch: "Batch") -> None:
        """Kafka has all rows of a batch: they are settled, and told of.

        Two agents may write to one partition of a table. Their batches are settled in the order of
        their rows in the changelog, whichever is acknowledged as a whole first: else the older
        row would stay in the store, and the newer one would look like another worker's.
        """
        if batch.era != self.era:
            return
        self._kept.add(batch)
        ready = [batch]
        while ready:
            one = ready.pop()
            ways = [self._sent.get(way) for way in _ways(one)]
            if not (one in self._kept and all(way and way[0] is one for way in ways)):
                continue
            self._kept.discard(one)
            for way in ways:
                if way is not None:
                    way.popleft()
                    ready += [way[0]] if way else []
            self._settle_rows([one])
            self._untold.append(one)

    def tell_soon(self) -> None:
        """Tell, in a task of its own, of the rows that are settled."""
        if self._untold:
            task = asyncio.get_running_loop().create_task(self._tell_or_fail())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_or_fail(self) -> None:
        try:
            await self._tell()
        except SendFailed as failure:
            self.fail(failure)

    async def _tell(self) -> None:
        async with self._telling:
            while self._untold and self.broken is None:
                batch = self._untold.popleft()
                landing = _Sends(batch, self)
                await self._send(batch, landing.delivered)
                landing.all_sent()

    def settle(self, batch: "Batch") -> None:
        """Kafka acknowledged every record of a batch."""
        self._settle([batch])

    def check(self, batch: "Batch") -> None:
        """Raise `ChangelogShared` where another worker has written in between."""
        for table, offsets in batch.row_offsets.items():
            table.check_alone(batch, offsets)


def _ways(batch: "Batch") -> list[TP]:
    """Where a batch comes behind others: its source, and the changelogs that it writes to."""
    rows = [TP(table.changelog_topic_name, batch.partition) for table in batch.rows]
    return [batch.tp, *rows]


class _Rows:
    """The rows of one batch that Kafka has yet to acknowledge."""

    def __init__(self, batch: "Batch", flight: AtLeastOnce) -> None:
        self._batch = batch
        self._flight = flight
        self._remaining = sum(map(len, batch.rows.values()))

    def told(self, batch: "Batch", table: "Rows") -> "tuple[Delivered, Delivered]":
        """Who is told of a table's rows."""
        offsets = batch.row_offsets.setdefault(table, [])

        def delivered(error: Any, message: Any) -> None:  # noqa: ANN401 - librdkafka's
            if error is not None:
                self._flight.fail(SendFailed(message.topic(), KafkaException(error)))
                return
            offsets.append(message.offset())
            self._remaining -= 1
            if not self._remaining:
                self._flight.keep(self._batch)
                self._flight.tell_soon()

        return delivered, delivered


class _Sends:
    """What is told of one batch, as far as Kafka has yet to acknowledge it."""

    def __init__(self, batch: "Batch", flight: AtLeastOnce) -> None:
        self._batch = batch
        self._flight = flight
        # One more than there are: the batch itself, until all are sent.
        self._remaining = 1 + len(batch.all_sends())

    def delivered(self, error: Any, message: Any) -> None:  # noqa: ANN401 - librdkafka's
        """Kafka has a record, or never will."""
        if error is not None:
            self._flight.fail(SendFailed(message.topic(), KafkaException(error)))
            return
        self.all_sent()

    def all_sent(self) -> None:
        """One less that is missing; without `delivered`: the client has taken everything."""
        self._remaining -= 1
        if not self._remaining:
            self._flight.settle(self._batch)
