"""How far each partition has come: pure bookkeeping, no Kafka.

Batches of a partition are delivered and begun in order. Kafka may acknowledge them in another
order; what may be committed is the end of the unbroken run of acknowledged ones from the front.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping

from faust.types import TP

from processors.engine.batch import Batch
from processors.engine.errors import CommitsLost


class Progress:
    """The batches of every partition that are not done, and the offsets that may be committed.

    `records` and `bytes` count what is delivered and not done, in all partitions.
    """

    def __init__(self) -> None:
        self._waiting: dict[TP, deque[Batch]] = {}
        self._in_flight: dict[TP, deque[Batch]] = {}
        # Where a partition ended when it was last read: behind its last record, and behind the
        # control markers that follow it.
        self._ends: dict[TP, int] = {}
        # How far a partition has come, and what the group knows of that.
        self._reached: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        # How far the group's commits have been, in earlier assignments too.
        self._known: dict[TP, int] = {}
        self._left_rows: set[TP] = set()
        self.records = 0
        self.bytes = 0

    def reset(self) -> None:
        """Forget everything: partitions were taken away, or what was in flight never was.

        What the group has committed stays known.
        """
        known = self._known
        self.__init__()  # type: ignore[misc]  # the state at the beginning is written down once
        self._known = known

    def check(self, positions: Mapping[TP, int]) -> None:
        """Raise `CommitsLost` where the group is behind a commit that it has taken before."""
        for tp, found in positions.items():
            if found < (known := self._known.get(tp, 0)):
                raise CommitsLost(topic=tp.topic, partition=tp.partition, known=known, found=found)

    def start(self, positions: Mapping[TP, int], left_rows: Iterable[TP] = ()) -> None:
        """These partitions are read from these offsets on: where the group's commits are.

        `left_rows`: what was read of these before has left rows in a table.
        """
        self._reached.update(positions)
        self._committed.update(positions)
        self._left_rows.update(left_rows)

    def delivered(self, batch: Batch) -> None:
        """A batch is put into an agent's queue."""
        if batch.tp not in self._reached:
            self.start({batch.tp: batch.first_offset})
        self._waiting.setdefault(batch.tp, deque()).append(batch)
        self.records += len(batch)
        self.bytes += batch.bytes

    def ended(self, tp: TP, offset: int) -> None:
        """Everything before `offset` was delivered: the partition had no more."""
        self._ends[tp] = offset
        if tp in self._reached:
            self._reached[tp] = self._behind(tp, self._reached[tp])

    def begin(self, batch: Batch) -> None:
        """An agent begins to work on a batch."""
        if self._waiting[batch.tp].popleft() is not batch:
            raise RuntimeError(f"{batch} is begun before one that was delivered earlier")
        self._in_flight.setdefault(batch.tp, deque()).append(batch)

    def settle(self, batch: Batch) -> list[Batch]:
        """Kafka has a batch for good: the batches that are now done, in order."""
        batch.acknowledged = True
        queue = self._in_flight.get(batch.tp)
        done: list[Batch] = []
        while queue and queue[0].acknowledged:
            first = queue.popleft()
            self._reached[first.tp] = self._behind(first.tp, first.offset + 1)
            self.records -= len(first)
            self.bytes -= first.bytes
            if first.rows:
                self._left_rows.add(first.tp)
            done.append(first)
        return done

    def _behind(self, tp: TP, offset: int) -> int:
        """The end of the partition where nothing before it is left to do, else `offset`."""
        if self._in_flight.get(tp) or self._waiting.get(tp):
            return offset
        return max(offset, self._ends.get(tp, 0))

    def reached(self, tp: TP) -> int | None:
        """The offset up to which everything is done, or None if the partition is not read."""
        return self._reached.get(tp)

    @property
    def in_flight(self) -> int:
        """How many batches were begun and are not done."""
        return sum(map(len, self._in_flight.values()))

    def committable(
        self, assigned: Iterable[TP], *, finished: Collection[Batch] = ()
    ) -> dict[TP, int]:
        """The next offset of each assigned partition that has come further than its commit.

        `finished` batches count as done, as far as those before them are among them too.
        """
        done = Counter(batch.tp for batch in finished)
        ends: dict[TP, int] = {}
        for tp in assigned:
            end = self._reached.get(tp)
            if count := done[tp]:
                begun = self._in_flight[tp]
                last = begun[count - 1]
                nothing_else = len(begun) == count and not self._waiting.get(tp)
                end = max(last.offset + 1, self._ends.get(tp, 0) if nothing_else else 0)
            if end is not None and end > self._committed.get(tp, -1):
                ends[tp] = end
        return ends

    def left_rows(self, *, finished: Iterable[Batch] = ()) -> set[TP]:
        """The partitions that have left rows in a table, `finished` batches included."""
        return self._left_rows | {batch.tp for batch in finished if batch.rows}

    def committed(self, offsets: dict[TP, int]) -> None:
        """Kafka took these commits."""
        self._committed.update(offsets)
        self._known.update(offsets)
