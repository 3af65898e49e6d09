"""What workers tell of traced records: when they were worked on, and when that was committed.

Off, it costs one look a batch. Nothing of it goes into documents, rows or keys; `balances.v1` has
the raw record's `traceparent` as it came, so that a replay writes the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from processors.engine.batch import Batch
from schemas.headers import Headers
from schemas.traces import TRACEPARENT, Spans, sampled

COMMIT: Final = "commit"


class Traced:
    """The records of a batch whose traces are told: their `traceparent` by their offsets."""

    def __init__(
        self, batch: Batch, parents: dict[int, bytes], spans: Spans, clock_ns: Callable[[], int]
    ) -> None:
        self._batch = batch
        self._parents = parents
        self._spans = spans
        self._clock_ns = clock_ns
        self._began_ns = clock_ns()

    def headers(self, offset: int, more: Headers) -> Headers:
        """Headers of what follows from the record at an offset, with its trace where it has one."""
        parent = self._parents.get(offset)
        return more if parent is None else [*more, (TRACEPARENT, parent)]

    def worked(self, name: str) -> None:
        """All of the batch is worked on; what is left is that Kafka has it for good."""
        ended_ns = self._clock_ns()
        self._tell(name, self._began_ns, ended_ns)
        self._batch.when_done(partial(self._committed, ended_ns))

    def _committed(self, began_ns: int) -> None:
        self._tell(COMMIT, began_ns, self._clock_ns())

    def _tell(self, name: str, began_ns: int, ended_ns: int) -> None:
        for offset, parent in self._parents.items():
            place: dict[str, str | int] = {
                "messaging.system": "kafka",
                "messaging.destination.name": self._batch.topic,
                "messaging.destination.partition.id": str(self._batch.partition),
                "messaging.kafka.offset": offset,
            }
            self._spans.add(name, parent, began_ns=began_ns, ended_ns=ended_ns, told=place)


class Tracing:
    """Finds what of a batch is traced; with `spans` None nothing is."""

    def __init__(self, spans: Spans | None, clock_ns: Callable[[], int]) -> None:
        self._spans = spans
        self._clock_ns = clock_ns

    def of(self, batch: Batch) -> Traced | None:
        """What of a batch that is just begun is traced; None where nothing is."""
        if self._spans is None:
            return None
        found = ((record.offset, sampled(record.headers)) for record in batch)
        parents = {offset: parent for offset, parent in found if parent is not None}
        return Traced(batch, parents, self._spans, self._clock_ns) if parents else None
