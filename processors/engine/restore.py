"""Bringing tables up to their changelogs, by position and in batches, in a thread of its own.

A restore ends when every changelog has been read up to the end that it had at the start. It does
not wait for a record at that end: compaction may have removed it, or it is the control marker of a
transaction. Where a dead worker left a transaction open, the restore waits until Kafka has ended
it: what it wrote may still come to count. Standby partitions are followed with no end.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition
from faust.types import TP

from processors.engine.aside import Aside, Check
from processors.engine.asking import Asking
from processors.engine.client import OutOfRange, OwnThread, by_partition
from processors.engine.errors import ChangelogCut, TransactionHangs
from processors.engine.librdkafka import IN_BULK, librdkafka_log
from processors.engine.store import PartitionStore, Position

log = logging.getLogger(__name__)

RECORDS_AT_ONCE: Final = 5_000
PROGRESS_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 0.2
# A worker's transaction ends by its time-out of ten seconds, and Kafka looks every ten seconds.
STANDSTILL_SECONDS_MAX: Final = 60.0

# Why a changelog is not the whole truth any more.
BEGINS: Final = "it begins at offset {}: records were deleted from it"
POLICY: Final = "its cleanup.policy is {!r}, not 'compact': Kafka deletes rows from it"
ANOTHER: Final = "the local table was made of another topic of this name ({}, not {})"

Stores = Mapping[TP, PartitionStore]
Write = Callable[[Mapping[bytes, bytes | None], Position], None]


class Restorer:
    """Reads changelogs into stores; `clock_ms` gives the time since 1970.

    A store that was written longer ago than `tombstones_ms` is read anew from the beginning.
    `restored_records` counts what was read for restores, standby rows not included. `checks` are
    the tables' by their changelogs: a row that is none of theirs is not restored.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        group: str,
        tombstones_ms: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._asking = Asking(properties, waits=lambda: not self._stopping.is_set())
        self._properties = {**properties, **IN_BULK, "group.id": group}
        self._tombstones_ms = tombstones_ms
        self._clock_ms = clock_ms
        self._thread = OwnThread("restore")
        self._stopping = threading.Event()
        self._client: Any = None
        self.restored_records = 0
        self._moved: set[TP] = set()
        # Those of which `run` has read rows, and not control markers alone.
        self.written: set[TP] = set()
        self._written: set[TP] = set()
        self.checks: dict[str, Check] = {}
        self._aside = Aside(self.checks)
        # Which store was last begun with for a changelog, and how far each has come.
        self._begun: dict[TP, tuple[PartitionStore, Mapping[TP, int]]] = {}

    async def run(self, stores: Stores, *, must_hold: frozenset[TP]) -> set[TP]:
        """Bring stores up to date. `must_hold` names changelogs that must have records.

        Returns those whose store is another one than after the last whole restore. Raises
        `ChangelogCut` where a store is ahead of its changelog, or a changelog is empty that cannot
        be, `ForeignRow` where one holds what is no row of ours.
        """
        self._stopping.clear()
        if stores:
            await self._thread.call(self._run, stores, must_hold)
        moved, self._moved = self._moved, set()
        self.written, self._written = self._written, set()
        return moved

    async def follow(self, stores: Stores) -> None:
        """Keep stores up to date until `stop`: those of standby partitions."""
        if stores:
            self._stopping.clear()
            await self._thread.call(self._follow, stores)

    def reached(self, tp: TP, store: PartitionStore) -> int | None:
        """Up to which offset of its changelog a store stands; None while that is to be seen.

        What lies in a folder may be older than the changelog keeps its tombstones.
        """
        begun, positions = self._begun.get(tp, (None, {}))
        if begun is not store:
            return None
        held = store.position()
        return max(positions[tp], 0 if held is None else held.offset + 1)

    async def stop(self) -> None:
        """Stop restoring and following; what was read so far stays in the stores."""
        self._stopping.set()
        await self._thread.call(lambda: None)

    async def close(self) -> None:
        """Stop, and let go of the connections."""
        await self.stop()
        if self._client is not None:
            await self._thread.call(self._client.close)
        self._thread.close()

    # -- in the thread

    def _run(self, stores: Stores, must_hold: frozenset[TP]) -> None:
        started = last_told = time.monotonic()
        ends = self._asking.ends(stores.keys())
        positions = self._begin(stores, ends, must_hold)
        behind = {tp for tp, position in positions.items() if position < ends[tp]}
        self._moved |= behind
        self._assign({tp: positions[tp] for tp in behind})
        restored, reached, moved = 0, 0, started
        restoring = {tp: store.restore for tp, store in stores.items()}
        while behind and not self._stopping.is_set():
            count = self._read_on(positions, restoring)
            restored += count
            self.restored_records += count
            behind = {tp for tp in behind if positions[tp] < ends[tp]}
            if sum(positions.values()) > reached:
                reached, moved = sum(positions.values()), time.monotonic()
            elif time.monotonic() - moved > STANDSTILL_SECONDS_MAX:
                self._hangs(stores, {tp: positions[tp] for tp in behind})
            if time.monotonic() - last_told > PROGRESS_SECONDS:
                last_told = time.monotonic()
                left = sum(ends[tp] - positions[tp] for tp in behind)
                log.info("restoring: %d records read, %d offsets to go", restored, left)
        self._client.unassign()
        if behind:
            return
        self._aside.check()
        for tp, store in stores.items():
            # Records at the end may have been compacted away; they are accounted for all the same.
            if ends[tp]:
                store.write({}, Position(ends[tp] - 1, self._clock_ms()))
        seconds = time.monotonic() - started
        log.info(
            "restored %d changelog partitions: %d records in %.1f s", len(stores), restored, seconds
        )

    def _hangs(self, stores: Stores, positions: Mapping[TP, int]) -> None:
        """Nothing can be read: `FetchFailed` where Kafka is away, else `TransactionHangs`."""
        self._asking.ends(stores.keys())
        for tp, offset in positions.items():
            raise TransactionHangs(
                topic=tp.topic,
                partition=tp.partition,
                offset=offset,
                waited_seconds=STANDSTILL_SECONDS_MAX,
            )

    def _begin(
        self, stores: Stores, ends: Mapping[TP, int], must_hold: frozenset[TP]
    ) -> dict[TP, int]:
        """Where to read on in each changelog."""
        self._check_topics(stores)
        begins = self._asking.begins(stores.keys())
        positions = {}
        for tp, store in stores.items():
            held, end = store.position(), ends[tp]
            if (held is not None and held.offset >= end) or (not end and tp in must_hold):
                known = None if held is None else held.offset
                raise ChangelogCut(tp.topic, tp.partition, cut_short(known, end))
            if begins[tp]:
                # Compaction leaves the beginning where it is: somebody deleted records.
                raise ChangelogCut(tp.topic, tp.partition, BEGINS.format(begins[tp]))
            if held is not None and held.offset < end - 1 and self._is_too_old(held):
                log.warning("%s[%d] is rebuilt: its local table is too old", *tp)
                store.clear()
                held = None
            positions[tp] = 0 if held is None else held.offset + 1
        self._begun.update({tp: (store, positions) for tp, store in stores.items()})
        return positions

    def _check_topics(self, stores: Stores) -> None:
        """That the changelogs are those that the stores were made of, and are only compacted."""
        topics = {tp.topic for tp in stores}
        for topic, policy in self._asking.cleanup_policies(topics).items():
            if policy != "compact":
                raise ChangelogCut(topic, None, POLICY.format(policy))
        ids = self._asking.ids(topics)
        for tp, store in stores.items():
            known, found = store.made_of(), ids[tp.topic]
            if known is not None and known != found and store.position() is not None:
                raise ChangelogCut(tp.topic, tp.partition, ANOTHER.format(known, found))
            if known != found:
                store.remember(found)

    async def hold_records(self, changelogs: Collection[str], partitions: int) -> bool:
        """Whether any partition of these changelogs has, or had, a record."""
        return await self._thread.call(self._hold_records, changelogs, partitions)

    def _is_too_old(self, held: Position) -> bool:
        """Whether tombstones that the store has not seen may be gone from the changelog."""
        return self._clock_ms() - held.written_ms > self._tombstones_ms

    def _hold_records(self, changelogs: Collection[str], partitions: int) -> bool:
        places = [TP(topic, number) for topic in changelogs for number in range(partitions)]
        return any(self._asking.ends(places).values())

    def _follow(self, stores: Stores) -> None:
        ends = self._asking.ends(stores.keys())
        positions = self._begin(stores, ends, frozenset())
        self._assign(positions)
        writing = {tp: store.write for tp, store in stores.items()}
        while not self._stopping.is_set():
            self._read_on(positions, writing)
        self._client.unassign()

    def _assign(self, positions: Mapping[TP, int]) -> None:
        self._aside.forget()
        if self._client is None:
            self._client = Consumer(self._properties, logger=librdkafka_log)
        self._client.assign([TopicPartition(*tp, at) for tp, at in positions.items()])

    def _read_on(self, positions: dict[TP, int], write: Mapping[TP, Write]) -> int:
        """Write what comes next, and move `positions` on; how many records that were."""
        try:
            found, ends = by_partition(self._client.consume(RECORDS_AT_ONCE, _WAIT_SECONDS))
        except OutOfRange as error:
            tp = error.tp
            raise ChangelogCut(tp.topic, tp.partition, "it was cut while it was read") from error
        for tp, messages in found.items():
            last = messages[-1].offset()
            rows = {message.key(): message.value() for message in messages}
            stands = self._aside.take(tp, rows, messages, last)
            write[tp](rows, Position(stands, self._clock_ms()))
            self._written.add(tp)
            positions[tp] = max(positions[tp], last + 1)
        for tp, end in ends.items():
            positions[tp] = max(positions[tp], end)
        return sum(map(len, found.values()))


def cut_short(held: int | None, end: int) -> str:
    """The reason of a changelog that ends too early; `held` is the last offset that is known."""
    known = (
        "what it was written from has been read before"
        if held is None
        else f"the local table holds it up to {held}"
    )
    return f"it ends at offset {end}, but {known}: it was deleted or cut"


async def ended(task: "asyncio.Task[Any] | None") -> None:
    """Wait for a task that was told to end."""
    if task is not None:
        await asyncio.gather(task, return_exceptions=True)
