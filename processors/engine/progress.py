"""How far each partition has come: pure bookkeeping, no Kafka.

Batches of a partition are begun in order. Kafka may acknowledge them in another order; what may
be committed is the end of the unbroken run of acknowledged ones from the front.
"""

from collections import deque
from collections.abc import Iterable

from faust.types import TP

from processors.engine.batch import Batch


class Progress:
    """The batches in flight of every partition, and the offsets that may be committed."""

    def __init__(self) -> None:
        self._in_flight: dict[TP, deque[Batch]] = {}
        self._delivered: dict[TP, int] = {}
        # The next offset to commit, and how far a partition has come: the same, but for one of
        # which nothing is done yet since the last reset, which has come to where it began.
        self._done: dict[TP, int] = {}
        self._reached: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}

    def reset(self) -> None:
        """Forget everything: partitions were taken away or given anew."""
        self._in_flight.clear()
        self._delivered.clear()
        self._done.clear()
        self._reached.clear()
        self._committed.clear()

    def delivered(self, batch: Batch) -> None:
        """A batch is put into an agent's queue."""
        self._reached.setdefault(batch.tp, batch.records[0].offset)
        self._delivered[batch.tp] = self._delivered.get(batch.tp, 0) + 1

    def unfinished(self, tp: TP) -> int:
        """How many batches of `tp` are queued or in flight."""
        return self._delivered.get(tp, 0)

    def begin(self, batch: Batch) -> None:
        """An agent begins to work on a batch."""
        self._in_flight.setdefault(batch.tp, deque()).append(batch)

    def settle(self, batch: Batch) -> list[Batch]:
        """Kafka acknowledged a batch: the batches that are now done, in order."""
        batch.acknowledged = True
        queue = self._in_flight.get(batch.tp)
        done: list[Batch] = []
        while queue and queue[0].acknowledged:
            first = queue.popleft()
            self._done[first.tp] = self._reached[first.tp] = first.offset + 1
            self._delivered[first.tp] -= 1
            done.append(first)
        return done

    def reached(self, tp: TP) -> int | None:
        """The offset up to which everything is done, or None if nothing was delivered yet."""
        return self._reached.get(tp)

    @property
    def in_flight(self) -> int:
        """How many batches were begun and are not done."""
        return sum(map(len, self._in_flight.values()))

    def committable(self, assigned: Iterable[TP]) -> dict[TP, int]:
        """The next offset of each assigned partition that has come further than its commit."""
        return {
            tp: self._done[tp]
            for tp in assigned
            if tp in self._done and self._done[tp] != self._committed.get(tp)
        }

    def committed(self, offsets: dict[TP, int]) -> None:
        """Kafka took these commits."""
        self._committed.update(offsets)
