"""Groups of frames in a file: SQLite in WAL mode, where a commit is on disk before it counts.

A group is one row, since each row costs a turn of the interpreter's lock, beside a busy event loop.
What fails raises `sqlite3.Error`: what follows from that is somebody else's affair.

Source: SQLite's documentation, "Write-Ahead Logging" and "PRAGMA synchronous".
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from producers.spool.records import Group, Unsound, decode, encode

FORMAT: Final = 1
_SETTINGS: Final = (
    # Before the first table: so that what is free can be given back.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 33554432",
    "PRAGMA cache_size = -4096",
    "PRAGMA temp_store = MEMORY",
)
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE IF NOT EXISTS groups (
        number INTEGER PRIMARY KEY, end INTEGER NOT NULL, count INTEGER NOT NULL,
        epoch INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL
    )
    """,
    # What cannot be read any more stays for whoever can make something of it.
    "CREATE TABLE IF NOT EXISTS unsound AS SELECT * FROM groups WHERE 0",
)
_INSERT: Final = "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)"
_GIVE_BACK_PAGES: Final = 4_096
_LENGTH_MAX: Final = 2**40


class Held(NamedTuple):
    """What a file holds: groups, records, bytes, the last number, the greatest epoch."""

    groups: int
    records: int
    size_bytes: int
    last: int
    epoch: int


class Disk:
    """A file of groups; it belongs to one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for setting in (*_SETTINGS, *_TABLES):
                self._db.execute(setting)
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def sound(cls, path: Path) -> Self:
        """Open it, and look at all of it; raises `sqlite3.DatabaseError` where it is damaged."""
        disk = cls(path)
        try:
            (verdict,) = disk._db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(str(verdict))  # noqa: TRY301 - as SQLite would
        except BaseException:
            disk.close()
            raise
        return disk

    def close(self) -> None:
        """Let go of the file; nothing is written that was not before."""
        self._db.close()

    # -- about it

    def meta(self) -> dict[str, str]:
        """What is known of it; empty for a new one."""
        return dict(self._db.execute("SELECT name, value FROM meta"))

    def set_meta(self, values: dict[str, str]) -> None:
        """Write down what is known of it."""
        with self._committed():
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def held(self) -> Held:
        """What it holds."""
        found = self._db.execute(
            "SELECT count(*), coalesce(sum(count), 0), coalesce(sum(length(body)), 0), "
            "coalesce(max(number), 0), coalesce(max(epoch), 0) FROM groups"
        )
        return Held(*found.fetchone())

    # -- groups

    def write(self, groups: Iterable[Group], *, settled: int) -> int:
        """Write groups and forget those up to a number, in one commit; by how much it grew."""
        asked = "SELECT coalesce(sum(length(body)), 0) FROM groups WHERE number <= ?"
        with self._committed():
            (size,) = self._db.execute(asked, (settled,)).fetchone()
            if size:
                self._db.execute("DELETE FROM groups WHERE number <= ?", (settled,))
            return sum(map(self._insert, groups)) - int(size)

    def _insert(self, group: Group) -> int:
        body, checksum = encode(group.records)
        epoch = max([record.epoch for record in group.records])
        row = (group.number, group.end, len(group.records), epoch, checksum, body)
        self._db.execute(_INSERT, row)
        return len(body)

    def replace(self, groups: Iterable[Group]) -> int:
        """Have other records in place of a group's, or nothing; by how much it grew."""
        grown = 0
        with self._committed():
            for group in groups:
                number = (group.number,)
                asked = "SELECT length(body) FROM groups WHERE number = ?"
                grown -= self._db.execute(asked, number).fetchone()[0]
                self._db.execute("DELETE FROM groups WHERE number = ?", number)
                grown += self._insert(group) if group.records else 0
        return grown

    def move_behind(self, number: int) -> int:
        """Give all groups numbers behind this one, in their order; the greatest of them."""
        first, last = self._db.execute("SELECT min(number), max(number) FROM groups").fetchone()
        if first is None or first > number:
            return max(number, last or 0)
        by = number + 1 - first
        # In two steps: a number in between may be another group's.
        with self._committed():
            self._db.execute("UPDATE groups SET number = -(number + ?), end = 0", (by,))
            self._db.execute("UPDATE groups SET number = -number")
        return int(last + by)

    def after(self, number: int, *, bytes_max: int) -> list[Group]:
        """The next groups behind a number, at least one where there is one.

        One that is not what was written goes into the table `unsound`, and `Unsound` is raised.
        """
        found: list[Group] = []
        size = 0
        rows = self._db.execute(
            "SELECT number, end, checksum, body, count FROM groups WHERE number > ? "
            "ORDER BY number",
            (number,),
        )
        for row in rows:
            try:
                found.append(Group.of(row[0], row[1], decode(row[3], row[2])))
            except Unsound:
                if found:
                    break  # these first
                rows.close()
                self._set_aside(row[0])
                raise Unsound(row[4]) from None
            size += len(row[3])
            if size >= bytes_max:
                break
        rows.close()
        return found

    def _set_aside(self, number: int) -> None:
        with self._committed():
            self._db.execute("INSERT INTO unsound SELECT * FROM groups WHERE number = ?", (number,))
            self._db.execute("DELETE FROM groups WHERE number = ?", (number,))

    def give_back(self) -> None:
        """Give free pages back to the file system, where there are many."""
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        if free > _GIVE_BACK_PAGES:
            # As a script: `execute` takes one step of it, and so gives back one page.
            self._db.executescript("PRAGMA incremental_vacuum")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _committed(self) -> "_Commit":
        return _Commit(self._db)


class _Commit:
    """One transaction; rolled back where anything in it fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # A full disk may have ended it already.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def saved(path: Path) -> list[Group]:
    """What can still be read of a damaged file, in order of the numbers; it is left as it is."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="reading-") as folder:
        copy = Path(shutil.copyfile(path, Path(folder) / "copy.db"))
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            shutil.copyfile(wal, copy.with_name("copy.db-wal"))
        _lengthen(copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            return list(_groups_in(db))


def _lengthen(path: Path) -> None:
    """Give a file the length that its header tells: else SQLite reads nothing of it.

    Source: SQLite's "Database File Format", "The Database Header".
    """
    with path.open("r+b") as file:
        header = file.read(100)
        page_bytes = int.from_bytes(header[16:18])
        told = (65_536 if page_bytes == 1 else page_bytes) * int.from_bytes(header[28:32])
        if path.stat().st_size < told <= _LENGTH_MAX:
            file.truncate(told)


def _groups_in(db: sqlite3.Connection) -> Iterator[Group]:
    numbers: set[int] = set()
    # From both ends, each as far as it goes.
    for way in ("", " DESC"):
        with contextlib.suppress(sqlite3.Error):
            for (number,) in db.execute(f"SELECT number FROM groups ORDER BY number{way}"):  # noqa: S608 - a word of ours
                if number in numbers:
                    break
                numbers.add(number)
    one = "SELECT end, checksum, body FROM groups WHERE number = ?"
    for number in sorted(numbers):
        with contextlib.suppress(sqlite3.Error, Unsound, TypeError):
            end, checksum, body = db.execute(one, (number,)).fetchone()
            yield Group.of(number, end, decode(body, checksum))
