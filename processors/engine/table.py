"""A Faust table whose keys and rows are bytes, backed by a changelog and a local store.

Reads in an agent see the agent's own writes at once, also those whose batch Kafka has yet to
acknowledge. Reads from outside (`committed`) see acknowledged rows only. A row lies in the
partition of the batch that wrote it, whatever its key.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from faust.types import TP

from processors.engine.aside import Check
from processors.engine.batch import Batch, current_batch
from processors.engine.errors import ChangelogShared
from processors.engine.store import PartitionStore, Position
from processors.engine.unused import NoDictionary

PartitionHook = Callable[[int], None]
SettledHook = Callable[[int, Iterable[bytes]], None]
_ROWS_AT_ONCE: Final = 100


class _Partition:
    """One partition: acknowledged rows in the store, the others in front of it."""

    def __init__(self, store: PartitionStore) -> None:
        self.store = store
        # Rows of batches in flight, each with the batch that wrote it last.
        self.ahead: dict[bytes, tuple[bytes | None, Batch]] = {}

    def settle(self, batch: Batch, rows: dict[bytes, bytes | None], position: Position) -> None:
        """Move a batch's rows into the store: Kafka has them."""
        self.store.write(rows, position)
        ahead = self.ahead
        for key in rows:
            if ahead[key][1] is batch:
                del ahead[key]


class _Place:
    """What a batch reads and writes here, for as long as the assignment lasts: `era`.

    `partition` is None where it was taken away, `counts` False where the batch is of an earlier
    assignment: nothing that is said of it counts any more.
    """

    __slots__ = ("batch", "counts", "era", "flight", "partition", "written")

    def __init__(self, batch: Batch, flight: Any, partition: _Partition | None) -> None:  # noqa: ANN401 - flight.py imports what this does
        self.batch = batch
        self.flight = flight
        self.era = flight.era
        self.partition = partition
        self.counts = flight.is_current(batch)
        self.written: dict[bytes, bytes | None] | None = None


class Table(NoDictionary):
    """A table of bytes; the app's `open_store` makes the store of a partition.

    `source` names a topic of which every partition that was read has left rows here; then an
    empty changelog of such a partition is one that was deleted, and is refused. `check` says why a
    row is none of the table's (None: it is one): what a stranger wrote is not restored, but stops
    the worker.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - Faust's own signature
        *,
        source: str | None = None,
        check: Check | None = None,
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        kwargs.update(key_type=bytes, value_type=bytes)
        super().__init__(app, **kwargs)
        self.source = source
        self.check = check
        self._partitions: dict[int, _Partition] = {}
        self._standbys: dict[int, PartitionStore] = {}
        self._place: _Place | None = None
        self._incomplete: set[int] = set()
        self._on_restored: PartitionHook | None = None
        self._on_revoked: PartitionHook | None = None
        self._on_settled: SettledHook | None = None
        self._on_unseen: PartitionHook | None = None

    # -- what an agent uses

    def __getitem__(self, key: bytes) -> bytes:
        row = self.get(key)
        if row is None:
            raise KeyError(key)
        return row

    def __setitem__(self, key: bytes, row: bytes | None) -> None:
        place = self._here()
        if place.counts and place.partition is not None:
            if place.written is None:
                place.written = place.batch.rows.setdefault(self, {})
            place.written[key] = row
            place.partition.ahead[key] = (row, place.batch)

    def __delitem__(self, key: bytes) -> None:
        self[key] = None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.get(key) is not None

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:
        """The row of a key in the partition that the agent works on.

        An agent that waited within a batch may find the partition taken away meanwhile: then
        nothing that it says of this batch counts any more.
        """
        partition = self._here().partition
        if partition is None:
            return default
        ahead = partition.ahead.get(key)
        row = partition.store.get(key) if ahead is None else ahead[0]
        return default if row is None else row

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The row of each of these keys, or None: as `get`, but read together."""
        partition = self._here().partition
        if partition is None:
            return [None] * len(keys)
        ahead = partition.ahead
        stored = iter(partition.store.get_many([key for key in keys if key not in ahead]))
        return [ahead[key][0] if key in ahead else next(stored) for key in keys]

    def _here(self) -> _Place:
        """Where the running agent reads and writes: found once for a batch, not for every row."""
        batch = current_batch.get()
        place = self._place
        if place is None or place.batch is not batch or place.era != place.flight.era:
            if batch is None:
                message = "a table is read and written by an agent, while it works on a batch"
                raise RuntimeError(message)
            partition = self._partitions.get(batch.partition)
            place = self._place = _Place(batch, self.app.consumer.flight, partition)
        return place

    def on_partition(self, *, restored: PartitionHook, revoked: PartitionHook) -> None:
        """Call `restored` when a partition's rows are complete, `revoked` when it is taken away."""
        self._on_restored, self._on_revoked = restored, revoked

    def on_settled(self, call: SettledHook, *, unseen: PartitionHook) -> None:
        """Call with a partition and the keys of its rows that `committed` tells from now on.

        `unseen` is called with a partition whose rows another worker may write, or has written.
        """
        self._on_settled, self._on_unseen = call, unseen

    # -- what the questions use

    @property
    def open_partitions(self) -> frozenset[int]:
        """The partitions that this worker works on, restored or not."""
        return frozenset(self._partitions)

    def committed(self, partition: int, key: bytes) -> bytes | None:
        """The acknowledged row of a key; KeyError if this worker does not hold the partition."""
        return self._partitions[partition].store.get(key)

    def committed_items(self, partition: int, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The acknowledged rows of a partition from a key on, ordered by key."""
        return self._partitions[partition].store.items(start)

    # -- what the engine uses

    def copies(self) -> dict[int, PartitionStore]:
        """The stores of all partitions of which rows lie here, whoever works on them."""
        return {**self._standbys, **{one: held.store for one, held in self._partitions.items()}}

    def hold(self, *, active: set[int], standby: set[int], dropped: bool) -> None:
        """Hold these partitions and no others, as a rebalance wants it.

        `dropped`: what was in flight never was, so rows ahead of the stores go, and whatever was
        derived from them has to be derived again.
        """
        self._place = None
        for partition in self._partitions.keys() - active:
            self._close(partition)
        for partition in self._standbys.keys() - standby - active:
            self._standbys.pop(partition).close()
        if dropped:
            for partition, held in self._partitions.items():
                held.ahead.clear()
                self._incomplete.add(partition)
        for partition in active - self._partitions.keys():
            store = self._standbys.pop(partition, None) or self._open(partition)
            self._partitions[partition] = _Partition(store)
            self._incomplete.add(partition)
        for partition in standby - self._standbys.keys():
            self._standbys[partition] = self._open(partition)

    def _open(self, partition: int) -> PartitionStore:
        store: PartitionStore = self.app.open_store(self.changelog_topic_name, partition)
        return store

    def actives(self) -> dict[TP, PartitionStore]:
        """The stores of the partitions that this worker works on, by their changelogs."""
        topic = self.changelog_topic_name
        return {TP(topic, number): held.store for number, held in self._partitions.items()}

    def standbys(self) -> dict[TP, PartitionStore]:
        """The stores of the partitions that it keeps warm for others."""
        topic = self.changelog_topic_name
        return {TP(topic, number): store for number, store in self._standbys.items()}

    async def restored(self, moved: set[int], written: set[int]) -> None:
        """All partitions are complete; tells of those that were not before, or `moved` since.

        `written` are those of which rows came from elsewhere than from this worker's agents.
        In a thread: what an agent derives from millions of rows must not stop the heartbeats.
        """
        for partition in written & self._partitions.keys():
            self._tell_unseen(partition)
        for partition in sorted((self._incomplete | moved) & self._partitions.keys()):
            if self._on_restored is not None:
                await asyncio.to_thread(self._on_restored, partition)
        self._incomplete.clear()

    def _tell_unseen(self, partition: int) -> None:
        if self._on_unseen is not None:
            self._on_unseen(partition)

    def _close(self, partition: int) -> None:
        self._partitions.pop(partition).store.close()
        self._tell_unseen(partition)
        if self._on_revoked is not None:
            self._on_revoked(partition)

    def settle(self, batch: Batch, last_offset: int) -> None:
        """Kafka has a batch's rows for good, up to this offset of the changelog."""
        position = Position(last_offset, self.app.clock_ms())
        self._partitions[batch.partition].settle(batch, batch.rows[self], position)
        if self._on_settled is not None:
            self._on_settled(batch.partition, batch.rows[self])

    def check_alone(self, batch: Batch, offsets: Sequence[int]) -> None:
        """That a batch's rows follow right on what the store holds.

        Where they do not, another worker has written in between, and a store that took them as
        the whole truth would miss its rows for good: `ChangelogShared`. Transactions need no such
        check: they are fenced, and their control markers lie between the records.
        """
        held = self._partitions[batch.partition].store.position()
        expected = 0 if held is None else held.offset + 1
        if list(offsets) != list(range(expected, expected + len(offsets))):
            raise ChangelogShared(
                topic=self.changelog_topic_name,
                partition=batch.partition,
                expected=expected,
                found=offsets[0],
            )

    async def on_start(self) -> None:
        """Create the changelog if it is not there."""
        await self.changelog_topic.maybe_declare()

    async def on_stop(self) -> None:
        """Let go of all partitions."""
        self.hold(active=set(), standby=set(), dropped=False)


class HasRows(Protocol):
    """What acknowledged rows are read from."""

    def committed_items(self, partition: int, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """See `Table`."""


async def rows_in_turns(table: HasRows, partition: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """All acknowledged rows of a partition, a hundred at a time: all else goes on between.

    What is written meanwhile may be among them or not. KeyError where the partition is taken away.
    """
    after: bytes | None = b""
    while after is not None:
        start, after = after, None
        for number, (key, row) in enumerate(table.committed_items(partition, start=start)):
            if key == start:
                continue
            yield key, row
            if number >= _ROWS_AT_ONCE:
                after = key
                break
        await asyncio.sleep(0)
