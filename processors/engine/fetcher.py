"""Fetching records through librdkafka, in a thread of its own, from where the group committed.

The group is aiokafka's affair (`consumer.py`): librdkafka is told what to read and from where. It
shows no record of a transaction that is open or was aborted.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition
from faust.types import TP

from processors.engine.asking import Asking
from processors.engine.batch import Record
from processors.engine.client import OutOfRange, OwnThread, by_partition
from processors.engine.errors import FetchFailed
from processors.engine.librdkafka import FETCHING, librdkafka_log, patiently
from processors.engine.positions import Bounds, outside, short_of, starts, uncommitted

log = logging.getLogger(__name__)

# How long a fetch waits for its first record: what a rebalance waits for at most, too.
WAIT_SECONDS: Final = 0.1
_CALL_SECONDS: Final = 10.0
# A transaction that a dead worker left open ends by its time-out; until then its offsets are
# nobody's, and the partitions wait.
COMMITTED_SECONDS_MAX: Final = 60.0
# A broker that has just come back may say for a moment that a partition ends sooner.
_SHORT_SECONDS_MAX: Final = 5.0
_AGAIN_SECONDS: Final = 0.2
_READ_AHEAD: Final = 2_000


class Fetched(msgspec.Struct, frozen=True):
    """Records of each partition, in order; `ends` says where a partition had no more.

    An end lies behind the control markers of transactions, which are no records. `jumps` are
    offsets that were passed over, of topics in which that is worth a look.
    """

    records: dict[TP, list[Record]]
    ends: dict[TP, int]
    jumps: list[tuple[TP, tuple[int, int]]] = []


class Begun(msgspec.Struct, frozen=True):
    """Where each partition is read from; of those `uncommitted` the group has no commit."""

    positions: dict[TP, int]
    uncommitted: frozenset[TP]


class Fetcher:
    """Reads the partitions that it is given; `open` connects.

    Where `until` names an offset of a partition, nothing from there on is read. Topics in `last`
    are read once every other partition has been at its end. `ahead` is how many records are taken
    at once, and kept ready of each partition. Topics in `read_before` have had commits: where the
    group has some on others, and none on one of these, they are lost. Topics in `unbroken` hold
    something at each offset, markers and what was aborted included.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        *,
        group: str,
        until: Mapping[tuple[str, int], int] = {},
        last: Collection[str] = (),
        ahead: int = _READ_AHEAD,
        read_before: Collection[str] = (),
        unbroken: Collection[str] = (),
        short_seconds_max: float = _SHORT_SECONDS_MAX,
    ) -> None:
        self._properties = {**properties, **FETCHING, "group.id": group}
        self._properties["queued.min.messages"] = max(ahead, _READ_AHEAD)
        self._group = group
        self._until = {TP(*place): offset for place, offset in until.items()}
        # Partitions that have been read as far as they are to be.
        self._done: set[TP] = set()
        self._last = frozenset(last)
        # Partitions that wait, and those that they wait for.
        self._held: list[TopicPartition] = []
        self._awaited: set[TP] = set()
        # Partitions that the client was told to pause: it does not forget that with an assignment.
        self._paused: set[TP] = set()
        self._thread = OwnThread("fetch")
        self._client: Any = None
        self._known_topics: set[str] = set()
        self._read_before = frozenset(read_before)
        self._unbroken = frozenset(unbroken)
        self._short_seconds_max = short_seconds_max
        # Set by who does not want to wait any more.
        self._stopping = threading.Event()
        self._asking = Asking(properties, waits=self._waits)
        # Behind the last record that was taken of a partition.
        self._positions: dict[TP, int] = {}

    def _waits(self) -> bool:
        return not self._stopping.is_set()

    def open(self) -> None:
        """Make the client; it connects by itself."""
        self._client = Consumer(self._properties, logger=librdkafka_log)

    async def close(self) -> None:
        """Stop reading, and let go of the connections."""
        self._stopping.set()
        client, self._client = self._client, None
        if client is not None:
            await self._thread.call(client.close)
        self._thread.close()

    async def start(self, partitions: Iterable[TP], *, tables_hold: bool = False) -> Begun:
        """Read these partitions from the group's commits on; where each begins.

        One without a commit begins where it does; but where `tables_hold` what was read and the
        group has no commit at all, or has one on others and the topic was read before, they are
        lost. Raises `LogChanged` where a commit is lost, or
        does not fit what the partition holds.
        """
        self._stopping.clear()
        return await self._thread.call(self._start, sorted(partitions), tables_hold)

    async def stop(self) -> None:
        """Read nothing more, until `start`."""
        self._stopping.set()
        await self._thread.call(self._client.unassign)

    async def take(self, count: int) -> Fetched:
        """Up to `count` records that are there, at once; waits a moment for the first one."""
        client = self._client
        # Under load they are there: then no thread has to be woken, or waited for.
        messages = [] if client is None else client.consume(count, 0)
        if not messages:
            messages = await self._thread.call(self._wait, count)
        try:
            found, ends = by_partition(messages)
        except OutOfRange as error:
            await self._thread.call(self._explain, error)
            raise
        jumps: list[tuple[TP, tuple[int, int]]] = []
        for tp, of_partition in found.items():
            if tp.topic in self._unbroken:
                jumps += [(tp, one) for one in _jumps(self._positions.get(tp), of_partition)]
            self._positions[tp] = of_partition[-1].offset() + 1
        records = {
            tp: [Record(m.key(), m.value(), m.offset(), m) for m in of_partition]
            for tp, of_partition in found.items()
        }
        fetched = self._cut(records, ends) if self._until else Fetched(records, ends, jumps)
        self._awaited -= fetched.ends.keys()
        if self._held and not self._awaited:
            await self._thread.call(self._let_go)
        return fetched

    def _cut(self, records: dict[TP, list[Record]], ends: dict[TP, int]) -> Fetched:
        """Without what lies behind where a partition is to be read to; that is its end."""
        for tp, until in self._until.items():
            found = records.get(tp)
            over = found is not None and found[-1].offset >= until - 1
            if not over and ends.get(tp, 0) < until:
                continue
            ends[tp] = until
            if found is not None:
                records[tp] = [record for record in found if record.offset < until]
                if not records[tp]:
                    del records[tp]
            if self._client is not None and tp not in self._done:
                self._client.pause([TopicPartition(*tp)])
                self._paused.add(tp)
                self._done.add(tp)
        return Fetched(records, ends)

    def end(self, tp: TP) -> int | None:
        """Where a partition ended when it was last fetched from, or is to end; None: unknown."""
        if self._client is None:
            return None
        _, end = self._client.get_watermark_offsets(TopicPartition(*tp), cached=True)
        return min(end, self._until.get(tp, end)) if end >= 0 else None

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, int | None]:
        """The group's commits, once no transaction on them is open."""
        # Whoever asks has an assignment: what was stopped for the one before is over.
        self._stopping.clear()
        return await self._thread.call(self._committed, sorted(partitions))

    # -- in the thread

    def _start(self, partitions: list[TP], tables_hold: bool) -> Begun:  # noqa: FBT001 - a thread's call has no names
        found = self._committed(partitions)
        self._know({tp.topic for tp in partitions})
        missing = {tp.topic for tp in uncommitted(found)}
        known = self._asking.committed_topics(self._group) if missing else set()
        begin = starts(
            found,
            self._bounds(found),
            # The first worker of all commits every beginning at once: then either is there or not.
            read_before=self._read_before - known if known else (),
            missing_is_lost=bool(missing) and tables_hold and not known,
        )
        self._positions = dict(begin)
        self._done = {tp for tp in begin if tp in self._until and begin[tp] >= self._until[tp]}
        read = [TopicPartition(*tp, at) for tp, at in begin.items() if tp not in self._done]
        self._held = [place for place in read if place.topic in self._last]
        self._awaited = {tp for tp in begin.keys() - self._done if tp.topic not in self._last}
        if self._paused:
            # What was read to its end may not have been committed, and is read again.
            self._client.resume([TopicPartition(*tp) for tp in sorted(self._paused)])
        self._client.assign(read)
        self._client.pause(self._held)
        self._paused = {TP(place.topic, place.partition) for place in self._held}
        return Begun(begin, frozenset(uncommitted(found)))

    def _bounds(self, commits: Mapping[TP, int | None]) -> dict[TP, Bounds]:
        """What the partitions hold; asked again where one ends before its commit."""
        bounds = self._asking.bounds(commits.keys())
        begun = time.monotonic()
        while short_of(commits, bounds) and time.monotonic() - begun < self._short_seconds_max:
            if not self._waits():
                break
            time.sleep(_AGAIN_SECONDS)
            bounds = self._asking.bounds(commits.keys())
        return bounds

    def _explain(self, error: OutOfRange) -> None:
        """Raise what is wrong with a position that is out of range, if it still is."""
        position = self._positions.get(error.tp)
        if position is not None:
            misfit = outside(error.tp, position, self._bounds({error.tp: position})[error.tp])
            if misfit is not None:
                raise misfit from error

    def _let_go(self) -> None:
        held, self._held = self._held, []
        self._client.resume(held)

    def _know(self, topics: set[str]) -> None:
        """Have librdkafka ask who leads these topics: by itself it does so a second after."""
        for topic in sorted(topics - self._known_topics):
            self._patiently(partial(self._client.list_topics, topic, timeout=_CALL_SECONDS))
        self._known_topics |= topics

    def _committed(self, partitions: list[TP]) -> dict[TP, int | None]:
        asked = [TopicPartition(*tp) for tp in partitions]
        if not asked:
            return {}
        answers = self._patiently(
            lambda: _sound(self._client.committed(asked, timeout=_CALL_SECONDS))
        )
        return {
            TP(answer.topic, answer.partition): None if answer.offset < 0 else answer.offset
            for answer in answers
        }

    def _patiently(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - librdkafka has no types
        try:
            return patiently(call, seconds=COMMITTED_SECONDS_MAX, waits=self._waits)
        except KafkaException as error:
            raise FetchFailed(error) from error

    def _wait(self, count: int) -> list[Any]:
        client = self._client
        if client is None:
            return []
        messages: list[Any] = client.consume(1, WAIT_SECONDS)
        if messages and count > 1:
            messages += client.consume(count - 1, 0)
        return messages


def _jumps(position: int | None, messages: list[Any]) -> list[tuple[int, int]]:
    """The offsets between these records, and between them and the one before, that have none.

    A single one is the marker of a transaction: a segment that is lost holds more.
    """
    first, last = messages[0].offset(), messages[-1].offset()
    start = first if position is None else position
    if last - start + 1 == len(messages):
        return []
    found, expected = [], start
    for message in messages:
        offset = message.offset()
        if offset > expected + 1:
            found.append((expected, offset))
        expected = offset + 1
    return found


def _sound(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
    return answers
