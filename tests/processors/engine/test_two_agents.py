"""Two agents that write to one partition of a table: their rows land in the changelog's order."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from processors.engine.at_least_once import AtLeastOnce
from processors.engine.batch import Batch, Record

SOURCES = (TP("balances", 0), TP("adoptions", 0))


class Sender:
    """Takes records; each is acknowledged when the test says so."""

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}
        self.told: list[Any] = []

    def offer(self, topic: str, *record: Any) -> None:
        offset = self.ends.get(topic, 0)
        self.ends[topic] = offset + 1
        self.told.append((topic, offset, record[-1]))

    async def put(self, *_: Any) -> None:
        """Never full."""

    async def acknowledge(self, topic: str, offset: int) -> None:
        (at,) = [one for one in self.told if one[:2] == (topic, offset)]
        self.told.remove(at)
        at[2](None, SimpleNamespace(offset=lambda: offset, topic=lambda: topic))
        await asyncio.sleep(0)  # what follows is sent in a task


class Table:
    """What it was settled with, in order; it checks as a table does."""

    changelog_topic_name = "rows-changelog"

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.next = 0

    def check_alone(self, _: Batch, offsets: list[int]) -> None:
        assert offsets == list(range(self.next, self.next + len(offsets)))

    def settle(self, batch: Batch, last_offset: int) -> None:
        self.rows.update(batch.rows[self])  # type: ignore[index]
        self.next = last_offset + 1


class World:
    def __init__(self) -> None:
        self.sender, self.table, self.failures = Sender(), Table(), list[BaseException]()

        async def commit(*_: Any) -> bool:
            return True

        self.flight = AtLeastOnce(
            self.sender,  # type: ignore[arg-type]
            failed=self.failures.append,
            assigned=lambda: SOURCES,
            commit=commit,
        )
        self.flight.start(dict.fromkeys(SOURCES, 0))
        self._offsets = dict.fromkeys(SOURCES, 0)

    async def work(
        self, source: TP, row: bytes | None, *sends: str, also: Table | None = None
    ) -> None:
        """An agent works on a batch of one record, which may write a row, and send."""
        offset = self._offsets[source]
        self._offsets[source] += 1
        batch = Batch(source, [Record(b"k", b"v", offset, None)], era=self.flight.era)
        self.flight.progress.delivered(batch)
        self.flight.progress.begin(batch)
        if row is not None:
            batch.rows[self.table] = {b"a": row}  # type: ignore[index]
        if also is not None:
            batch.rows[also] = {b"a": row}  # type: ignore[index]
        for topic in sends:
            batch.send(topic, key=b"k", value=b"v")
        await self.flight.finish(batch)


async def test_nothing_is_told_of_a_row_that_kafka_might_not_have() -> None:
    """A crash in between would tell the version again: later than it, and with other contents."""
    world = World()
    await world.work(SOURCES[0], b"row", "documents")
    assert [topic for topic, *_ in world.sender.told] == ["rows-changelog"]
    await world.sender.acknowledge("rows-changelog", 0)
    assert world.table.rows == {b"a": b"row"}
    assert [topic for topic, *_ in world.sender.told] == ["documents"]
    assert world.flight.progress.in_flight == 1
    await world.sender.acknowledge("documents", 0)
    assert world.flight.progress.in_flight == 0


async def test_what_follows_from_rows_is_told_in_the_order_of_the_changelog() -> None:
    """A batch of two tables waits for both; who wrote after it to one of them waits for it."""
    world, alerts = World(), Table()
    alerts.changelog_topic_name = "alerts-changelog"
    await world.work(SOURCES[0], b"older", "first", also=alerts)
    await world.work(SOURCES[1], b"newer", "second")
    await world.sender.acknowledge("rows-changelog", 0)
    await world.sender.acknowledge("rows-changelog", 1)
    assert [topic for topic, *_ in world.sender.told] == ["alerts-changelog"]
    await world.sender.acknowledge("alerts-changelog", 0)
    assert [topic for topic, *_ in world.sender.told] == ["first", "second"]
    assert world.table.rows == {b"a": b"newer"}


async def test_what_was_sent_before_a_new_assignment_holds_nobody_up() -> None:
    world = World()
    await world.work(SOURCES[0], b"older", "slow")
    world.flight.start(dict.fromkeys(SOURCES, 1))
    world.table.next = 1
    await world.work(SOURCES[1], b"newer")
    await world.sender.acknowledge("rows-changelog", 1)
    assert (world.table.rows, world.failures) == ({b"a": b"newer"}, [])


@given(
    work=st.lists(
        st.tuples(st.sampled_from(SOURCES), st.booleans(), st.lists(st.sampled_from("xyz"))),
        max_size=12,
    ),
    data=st.data(),
)
async def test_in_whatever_order_topics_are_acknowledged(work: Any, data: st.DataObject) -> None:
    """Within a topic they come in order, across topics as they like."""
    world = World()
    numbers = itertools.count()
    last = None
    for source, writes, sends in work:
        row = b"%d" % next(numbers) if writes else None
        last = row if row is not None else last
        await world.work(source, row, *sends)
    while world.sender.told:
        topic = data.draw(st.sampled_from(sorted({one[0] for one in world.sender.told})))
        offset = min(one[1] for one in world.sender.told if one[0] == topic)
        await world.sender.acknowledge(topic, offset)
        assert world.failures == []
    assert world.table.rows.get(b"a") == last
    assert world.flight.progress.in_flight == 0
    assert not any(world.flight._sent.values())
