"""The stores of a table's partition: both behave the same, and RocksDB outlives the process."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.engine.errors import StoreUnusable
from processors.engine.store import (
    BLOCK_CACHE_BYTES,
    READ_AT_ONCE_MAX,
    MemoryStore,
    PartitionStore,
    Position,
    RocksStore,
)

# Keys that a store might take for its own among them.
keys = st.sampled_from([b"", b"o", b"r", b"\x00", b"\xff", b"ro", b"or", b"k"]) | st.binary(
    max_size=4
)
rows = st.sampled_from([b"", b"row"]) | st.binary(max_size=8)
writes = st.dictionaries(keys, st.none() | rows, max_size=5)
steps = st.lists(st.tuples(writes, st.booleans()), max_size=8)

PROPERTY = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartitionStore]:
    """A new store of each kind."""
    opened = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "new" / "0")
    yield opened
    opened.close()


def test_a_new_store_holds_nothing_and_says_so(store: PartitionStore) -> None:
    """No offset is not offset 0: everything has to be restored."""
    assert store.position() is None
    assert store.get(b"k") is None
    assert list(store.items()) == []


def test_rows_and_their_offset_are_written_at_once(store: PartitionStore) -> None:
    store.write({b"a": b"1", b"b": b"2"}, Position(7, 1))
    store.write({b"a": None, b"c": b""}, Position(9, 1))
    assert dict(store.items()) == {b"b": b"2", b"c": b""}
    assert [store.get(key) for key in (b"a", b"b", b"c", b"d")] == [None, b"2", b"", None]
    assert store.position() == Position(9, 1)


def test_an_offset_may_stand_without_rows(store: PartitionStore) -> None:
    """A changelog may end with records that leave nothing behind."""
    store.write({}, Position(0, 1))
    assert store.position() == Position(0, 1)
    assert list(store.items()) == []


def test_a_row_that_is_not_there_may_be_deleted(store: PartitionStore) -> None:
    store.write({b"a": None}, Position(3, 1))
    assert list(store.items()) == []
    assert store.position() == Position(3, 1)


def test_a_key_may_begin_with_any_byte(store: PartitionStore) -> None:
    """The offset is no row, whatever the rows are called."""
    expected = {
        bytes([first]) + rest: bytes([first]) for first in range(256) for rest in (b"", b"x")
    }
    store.write({**expected, b"": b"empty"}, Position(1, 1))
    assert list(store.items()) == sorted({**expected, b"": b"empty"}.items())
    assert [key for key, _ in store.items(b"\xfe\x00")] == [b"\xfex", b"\xff", b"\xffx"]
    store.write(dict.fromkeys(expected), Position(2, 1))
    assert list(store.items()) == [(b"", b"empty")]
    assert store.position() == Position(2, 1)


def test_one_may_write_while_reading(store: PartitionStore) -> None:
    store.write({bytes([number]): b"old" for number in range(100)}, Position(1, 1))
    read = store.items()
    first = next(read)
    store.write({bytes([number]): b"new" for number in range(200)}, Position(2, 1))
    assert dict([first, *read]) == {bytes([number]): b"old" for number in range(100)}


def test_large_offsets_and_rows_come_back(store: PartitionStore) -> None:
    row = bytes(range(256)) * 20_000
    store.write({b"k": row}, Position(2**62, 1))
    assert store.get(b"k") == row
    assert store.position() == Position(2**62, 1)


@given(steps, st.data())
@PROPERTY
def test_both_stores_behave_as_a_sorted_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict, bool]], data: st.DataObject
) -> None:
    """For any writes and deletions; RocksDB also when it is closed and opened in between."""
    path = tmp_path_factory.mktemp("store") / "0"
    memory, rocks = MemoryStore(), RocksStore(path)
    expected: dict[bytes, bytes] = {}
    for offset, (written, reopen) in enumerate(steps):
        memory.write(written, Position(offset, 1))
        rocks.write(written, Position(offset, 1))
        for key, row in written.items():
            expected.pop(key, None)
            if row is not None:
                expected[key] = row
        if reopen:
            rocks.close()
            rocks = RocksStore(path)
        for store in (memory, rocks):
            assert dict(store.items()) == expected
            assert len(list(store.items())) == len(expected)
            assert store.position() == Position(offset, 1)
            asked = [*written, *expected]
            assert [store.get(key) for key in asked] == [expected.get(key) for key in asked]
            assert store.get_many(asked) == [expected.get(key) for key in asked]
    start = data.draw(keys)
    for store in (memory, rocks):
        assert list(store.items()) == sorted(expected.items())
        assert list(store.items(start)) == sorted(
            item for item in expected.items() if item[0] >= start
        )
    rocks.close()


def test_more_rows_are_read_than_are_read_at_once(store: PartitionStore) -> None:
    """In the order in which they are asked for, those that are not there among them."""
    count = 2 * READ_AT_ONCE_MAX + 1
    store.write({b"%d" % number: b"r%d" % number for number in range(0, count, 2)}, Position(1, 1))
    asked = list(reversed(range(count)))
    expected = [None if number % 2 else b"r%d" % number for number in asked]
    assert store.get_many([b"%d" % number for number in asked]) == expected
    assert store.get_many([]) == []


def test_a_store_that_is_opened_again_has_its_own_bounds_and_filter(tmp_path: Path) -> None:
    """Of an older file it would have RocksDB's default cache, and read every file for each row."""
    for _ in range(3):
        store = RocksStore(tmp_path / "s")
        store.write({b"k": b"row"}, Position(1, 1))
        assert store._db.property_value("rocksdb.block-cache-capacity") == str(BLOCK_CACHE_BYTES)
        newest = max((tmp_path / "s").glob("OPTIONS-*")).read_text()
        assert "filter_policy=bloomfilter" in newest
        assert "table_cache_numshardbits=0" in newest
        store.close()


def test_a_store_that_is_held_by_another_is_unusable_and_named(tmp_path: Path) -> None:
    path = tmp_path / "0"
    rocks = RocksStore(path)
    with pytest.raises(StoreUnusable, match=str(path)):
        RocksStore(path)
    rocks.close()
    RocksStore(path).close()


def crashed(path: Path, copy: Path) -> RocksStore:
    """The store of these files as they are now: as after a kill -9 or a power cut."""
    shutil.copytree(path, copy)
    (copy / "LOCK").unlink()
    return RocksStore(copy)


def test_a_crash_undoes_what_was_restored_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "s")
    store.write({b"a": b"1"}, Position(0, 1))
    store.restore({b"a": b"2", b"b": b"2"}, Position(2, 1))
    assert store.get(b"b") == b"2"
    after = crashed(tmp_path / "s", tmp_path / "crashed")
    assert (dict(after.items()), after.position()) == ({b"a": b"1"}, Position(0, 1))
    after.close()
    store.close()


def test_what_is_written_keeps_what_was_restored_before_it(tmp_path: Path) -> None:
    """Else RocksDB's log would be played over a store that lacks what lies between."""
    store = RocksStore(tmp_path / "s")
    store.restore({b"a": b"1", b"b": b"2"}, Position(1, 1))
    store.write({b"a": None, b"c": b"3"}, Position(3, 1))
    flushed = len(store._db.live_files())
    store.write({}, Position(3, 2))
    assert len(store._db.live_files()) == flushed  # once is enough
    store.write({}, Position(3, 1))
    after = crashed(tmp_path / "s", tmp_path / "crashed")
    assert (dict(after.items()), after.position()) == ({b"b": b"2", b"c": b"3"}, Position(3, 1))
    after.close()
    store.close()
