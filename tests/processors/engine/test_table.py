"""What a table of this engine is not: a dictionary over all that it holds."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch, Record, current_batch
from processors.engine.store import Position
from processors.engine.table import Table, rows_in_turns


@pytest.fixture
def table(tmp_path: Path) -> Table:
    settings = EngineSettings(
        name="example",
        kafka={"bootstrap_servers": "127.0.0.1:1"},
        data_dir=tmp_path,
        partitions=1,
        url="http://127.0.0.1:1",
    )
    made: Table = EngineApp(settings).Table("rows")
    return made


@pytest.mark.parametrize(
    "what_faust_has",
    [
        list,
        len,
        lambda table: table.items(),
        lambda table: table.clear(),
        lambda table: table.pop(b"a"),
        lambda table: table.update({b"a": b"1"}),
        lambda table: table.tumbling(10),
    ],
)
def test_what_would_look_at_no_row_says_so(table: Table, what_faust_has) -> None:
    """Faust's own `clear` would delete nothing, and be silent about it."""
    with pytest.raises(NotImplementedError, match="a table of this engine has no"):
        what_faust_has(table)
    assert table


def test_rows_belong_to_an_agents_batch(table: Table) -> None:
    with pytest.raises(RuntimeError, match="while it works on a batch"):
        table[b"a"] = b"1"


IN = TP("in", 0)


def assigned(table: Table, *, dropped: bool = False) -> Batch:
    """A batch of a new assignment of partition 0, as the one that an agent works on."""
    table.hold(active={0}, standby=set(), dropped=dropped)
    flight = table.app.consumer.flight
    flight.start({IN: 0})
    batch = Batch(IN, [Record(b"k", b"v", 0, None)], era=flight.era)
    current_batch.set(batch)
    return batch


async def test_a_batch_sees_its_own_rows_and_they_are_its_own(table: Table) -> None:
    one = assigned(table)
    assert table.get(b"a") is None
    assert one.rows == {}  # who only reads leaves no rows
    table[b"a"] = b"1"
    other = Batch(IN, [Record(b"k", b"v", 1, None)], era=one.era)
    current_batch.set(other)
    assert table[b"a"] == b"1"
    del table[b"a"]
    assert b"a" not in table
    table[b"b"] = b"2"
    assert table.get_many([b"b", b"a", b"c", b"b"]) == [b"2", None, None, b"2"]
    assert (one.rows, other.rows) == ({table: {b"a": b"1"}}, {table: {b"a": None, b"b": b"2"}})
    table.hold(active=set(), standby=set(), dropped=False)


async def test_rows_in_the_store_and_ahead_of_it_are_read_together(table: Table) -> None:
    batch = assigned(table)
    (store,) = table.actives().values()
    store.write({b"a": b"stored", b"b": b"before", b"c": b"before"}, Position(0, 1))
    table[b"b"] = b"ahead"
    del table[b"c"]
    asked = [b"d", b"c", b"b", b"a"]
    assert table.get_many(asked) == [None, None, b"ahead", b"stored"]
    assert table.get_many(asked) == [table.get(key) for key in asked]
    assert batch.rows == {table: {b"b": b"ahead", b"c": None}}
    table.hold(active=set(), standby=set(), dropped=False)


async def test_an_agent_that_waited_writes_nothing_into_the_next_assignment(table: Table) -> None:
    """It comes back in the middle of a batch, and everything was given out anew meanwhile."""
    old = assigned(table)
    table[b"a"] = b"old"
    table.app.consumer.flight.drop()
    new = assigned(table, dropped=True)
    current_batch.set(old)
    assert table.get(b"a") is None
    table[b"a"] = b"late"
    assert old.rows == {table: {b"a": b"old"}}
    current_batch.set(new)
    assert table.get(b"a") is None
    table.app.consumer.flight.stop()
    table.hold(active=set(), standby=set(), dropped=False)
    assert table.get(b"a") is None  # taken away: no store is asked that is closed
    table[b"a"] = b"nowhere"
    assert new.rows == {}


async def test_a_rebalance_that_begins_within_a_batch_ends_its_writing(table: Table) -> None:
    batch = assigned(table)
    table[b"a"] = b"1"
    table.app.consumer.flight.stop()
    table[b"a"] = b"2"
    assert batch.rows == {table: {b"a": b"1"}}
    assert table[b"a"] == b"1"


async def test_a_partition_that_is_closed_within_a_batch_is_not_read(table: Table) -> None:
    """As when a worker stops: no assignment follows."""
    assigned(table)
    assert table.get(b"a") is None
    table.hold(active=set(), standby=set(), dropped=False)
    assert table.get(b"a") is None  # rocksdict would raise
    assert table.get(b"a", b"default") == b"default"
    assert table.get_many([b"a", b"b"]) == [None, None]


def test_what_a_batch_needs_no_more_is_forgotten() -> None:
    batch = Batch(IN, [Record(b"k", b"v", 4, None), Record(b"k", b"v", 5, None)])
    batch.send("out", key=None, value=b"1")
    batch.send_latest("out", key=b"k", value=b"2")
    batch.forget_records()
    assert (list(batch), len(batch), batch.first_offset, batch.offset) == ([], 2, 4, 5)
    assert len(batch.all_sends()) == 2
    batch.forget_sends()
    assert batch.all_sends() == []


def test_an_agent_works_on_one_batch_at_a_time(table: Table) -> None:
    """Two at once would finish in another order than they began in."""

    async def agent(batches):
        pass

    with pytest.raises(ValueError, match="one batch at a time"):
        table.app.agent(table.app.topic("in"), concurrency=2)(agent)


async def test_rows_are_read_in_turns_with_others_and_each_once() -> None:
    rows = {b"%03d" % number: b"%d" % number for number in range(250)}
    turns = list[int]()

    class Rows:
        def committed_items(self, _: int, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
            return iter([(key, row) for key, row in sorted(rows.items()) if key >= start])

    async def others() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    seen = list[tuple[bytes, bytes]]()
    beside = asyncio.create_task(others())
    async for one in rows_in_turns(Rows(), 0):
        seen.append(one)
        # What is written meanwhile behind what was read is not missed, nor does it begin anew.
        if len(seen) == 120:
            rows[b"999"] = b"late"
            del rows[b"%03d" % 0]
    beside.cancel()
    assert seen == [(b"%03d" % number, b"%d" % number) for number in range(250)] + [
        (b"999", b"late")
    ]
    assert len(set(turns)) >= 3
