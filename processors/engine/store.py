"""Where one partition of a table lies on this machine: in RocksDB, or in memory by choice.

A store holds what its changelog holds, up to an offset that is written in the same batch as the
rows: it is never ahead of the changelog and never half of a batch. Beside the offset stands when it
was written: a store that is older than the changelog keeps its tombstones cannot be brought up to
date, since it would never hear of what was deleted meanwhile.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import rocksdict

from processors.engine.errors import StoreUnusable

StoreClosed: Final = rocksdict.DbClosedError
"""Raised by a store of which nothing can be read any more, or not at this moment."""

_ROW: Final = b"r"
_POSITION: Final = b"o"
_TOPIC_ID: Final = b"t"
_POSITION_FORMAT: Final = struct.Struct(">qq")

_MIB: Final = 1024 * 1024
# Bounds of one partition: RocksDB's own defaults (64 MiB buffers, Faust's 2 GiB cache) would
# take gigabytes over the partitions of a worker.
WRITE_BUFFER_BYTES: Final = 2 * _MIB
WRITE_BUFFERS_MAX: Final = 4
BLOCK_CACHE_BYTES: Final = 2 * _MIB
OPEN_FILES_MAX: Final = 32
# The blocks of all rows that are read together stay in memory until the last is read.
READ_AT_ONCE_MAX: Final = 256


class Position(NamedTuple):
    """The last changelog offset that a store holds, and when that was written (ms since 1970)."""

    offset: int
    written_ms: int


class PartitionStore(Protocol):
    """The rows of one partition of a table."""

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The row of each of these keys, or None."""

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows from a key on, ordered by key; writing while one reads is allowed."""

    def write(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """Put rows (None deletes) and the changelog position up to which they stand, at once."""

    def restore(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """The same for what the changelog has anyway: a crash may undo it, as a whole.

        What `write` puts is never undone, nor anything that was restored before it.
        """

    def position(self) -> Position | None:
        """How far the rows stand, or None if nothing was ever written."""

    def made_of(self) -> str | None:
        """Kafka's identity of the changelog that the rows are of, or None if it is not known."""

    def remember(self, topic_id: str) -> None:
        """Keep the identity of the changelog."""

    def clear(self) -> None:
        """Forget all rows, and the position."""

    def close(self) -> None:
        """Let go of the files."""


class MemoryStore:
    """Rows in a dictionary: gone with the process, rebuilt from the changelog."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._position: Position | None = None
        self._topic_id: str | None = None

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The row of each of these keys, or None."""
        return [self._rows.get(key) for key in keys]

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows from a key on, ordered by key."""
        yield from sorted(item for item in self._rows.items() if item[0] >= start)

    def write(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """Put rows (None deletes) and the changelog position up to which they stand."""
        for key, row in rows.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        self._position = position

    restore = write

    def position(self) -> Position | None:
        """How far the rows stand, or None if nothing was ever written."""
        return self._position

    def made_of(self) -> str | None:
        """Kafka's identity of the changelog that the rows are of, or None if it is not known."""
        return self._topic_id

    def remember(self, topic_id: str) -> None:
        """Keep the identity of the changelog."""
        self._topic_id = topic_id

    def clear(self) -> None:
        """Forget all rows, and the position."""
        self._rows.clear()
        self._position = None

    def close(self) -> None:
        """Nothing to let go of."""


class RocksStore:
    """Rows in a RocksDB of their own; it survives the process, also a killed one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unlogged = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        try:
            options = _rocks_options()
            # Of a store that is there already it would take some of them from an older file.
            self._db = rocksdict.Rdict(
                str(self._path), options=options, column_families={"default": options}
            )
        except Exception as error:  # rocksdict raises bare Exception
            raise StoreUnusable(str(self._path), error) from error

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""
        row: bytes | None = self._db.get(_ROW + key)
        return row

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The row of each of these keys, or None: read together, which costs less than each."""
        rows: list[bytes | None] = []
        for start in range(0, len(keys), READ_AT_ONCE_MAX):
            rows += self._db.get([_ROW + key for key in keys[start : start + READ_AT_ONCE_MAX]])  # type: ignore[arg-type]
        return rows

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows from a key on, ordered by key."""
        items: Iterator[tuple[bytes, bytes]] = self._db.items(from_key=_ROW + start)  # type: ignore[assignment]
        for key, row in items:
            if not key.startswith(_ROW):
                return
            yield key[1:], row

    def write(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """Put rows (None deletes) and the changelog position up to which they stand, at once."""
        if self._unlogged:
            # After a crash the log would be played over files that lack what it goes on from.
            self._db.flush(wait=True)
            self._unlogged = False
        self._db.write(_batch_of(rows, position))

    def restore(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """The same without RocksDB's log: a crash may undo it, as a whole."""
        self._unlogged = True
        self._db.write(_batch_of(rows, position), _UNLOGGED)

    def position(self) -> Position | None:
        """How far the rows stand, or None if nothing was ever written."""
        packed = self._db.get(_POSITION)
        return None if packed is None else Position(*_POSITION_FORMAT.unpack(packed))

    def made_of(self) -> str | None:
        """Kafka's identity of the changelog that the rows are of, or None if it is not known."""
        packed = self._db.get(_TOPIC_ID)
        return None if packed is None else packed.decode()

    def remember(self, topic_id: str) -> None:
        """Keep the identity of the changelog."""
        self._db.put(_TOPIC_ID, topic_id.encode())

    def clear(self) -> None:
        """Forget all rows, and the position; of which changelog they are stays known."""
        topic_id = self.made_of()
        self._db.close()
        rocksdict.Rdict.destroy(str(self._path))
        self._open()
        if topic_id is not None:
            self.remember(topic_id)

    def close(self) -> None:
        """Flush and let go of the files and their lock."""
        self._db.close()


def _batch_of(rows: Mapping[bytes, bytes | None], position: Position) -> rocksdict.WriteBatch:
    batch = rocksdict.WriteBatch(raw_mode=True)
    put = batch.put
    for key, row in rows.items():
        if row is None:
            batch.delete(_ROW + key)
        else:
            put(_ROW + key, row)
    put(_POSITION, _POSITION_FORMAT.pack(*position))
    return batch


def _unlogged_options() -> rocksdict.WriteOptions:
    options = rocksdict.WriteOptions()
    options.disable_wal = True  # type: ignore[method-assign, assignment]  # its stub has a method
    return options


_UNLOGGED: Final = _unlogged_options()


def _rocks_options() -> rocksdict.Options:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(WRITE_BUFFERS_MAX)
    options.set_max_open_files(OPEN_FILES_MAX)
    # Together, not in 64 parts of one file each: two files of a part would close each other.
    options.set_table_cache_num_shard_bits(0)
    options.set_max_total_wal_size(2 * WRITE_BUFFER_BYTES)
    options.set_keep_log_file_num(2)
    # A restore writes faster than RocksDB tidies up, which is a thread for all partitions: writers
    # wait for it later than by default, and it neither compresses nor merges as often.
    options.set_compression_type(rocksdict.DBCompressionType.none())
    options.set_level_zero_file_num_compaction_trigger(8)
    options.set_level_zero_slowdown_writes_trigger(32)
    options.set_level_zero_stop_writes_trigger(48)
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(rocksdict.Cache(BLOCK_CACHE_BYTES))
    table.set_bloom_filter(10, block_based=False)
    options.set_block_based_table_factory(table)
    return options
