"""A venue's folder of spooled frames: whose it is, what is refused, what is saved of a damaged one.

```
HEADROOM_SPOOL_DIR/VENUE/
  lock          held while a producer runs on it
  frames.db     the frames; SQLite's own frames.db-wal and frames.db-shm beside it
  frames.db.damaged-TIME   one that could not be read as a whole
```
"""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from producers.errors import SpoolForeign, SpoolInUse, SpoolNewer
from producers.spool.disk import FORMAT, Disk, saved

_NAME: Final = "frames.db"
_PARTS: Final = ("", "-wal", "-shm")


class Owner(msgspec.Struct, frozen=True):
    """Whose frames they are: a venue's, for a topic of a cluster, received with these keys.

    `keys` is a fingerprint that tells no key. `cluster` is Kafka's id of itself.
    """

    venue: str
    topic: str
    keys: str = ""
    cluster: str = ""


class Folder:
    """A venue's folder, locked from `lock` to `unlock`; OSError where it cannot be used."""

    def __init__(self, path: Path, owner: Owner, log: logging.Logger) -> None:
        self.path = path
        self._owner = owner
        self._log = log
        self._lock: IO[bytes] | None = None

    def lock(self) -> None:
        """Take it for this process; raises SpoolInUse."""
        if self._lock is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (self.path / "lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise SpoolInUse(str(self.path)) from None
        self._lock = file

    def unlock(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def open(self) -> Disk:
        """The file, sound and ours.

        Raises SpoolNewer and SpoolForeign, and `sqlite3.Error` or OSError where the disk takes
        nothing. A damaged file is set aside, and what can be read of it goes into a new one.
        """
        path = self.path / _NAME
        try:
            disk = Disk.sound(path)
        except sqlite3.OperationalError:
            raise  # full, read-only: that passes
        except sqlite3.DatabaseError as error:
            disk = self._saved(path, str(error))
        try:
            self._check(disk)
        except BaseException:
            disk.close()
            raise
        return disk

    def _saved(self, path: Path, why: str) -> Disk:
        aside = path.with_name(f"{_NAME}.damaged-{time.time_ns()}")
        for part in _PARTS:
            old = path.with_name(path.name + part)
            if old.exists():
                os.replace(old, aside.with_name(aside.name + part))  # noqa: PTH105 - as a whole
        disk = Disk(path)
        groups = saved(aside)
        disk.write(groups, settled=-1)
        count = sum(len(group.records) for group in groups)
        words = "the spool %s is damaged (%s): %d frames of it can be read and are sent, "
        self._log.error(words + "the rest stays in %s", path, why, count, aside)
        return disk

    def _check(self, disk: Disk) -> None:
        known, mine = disk.meta(), msgspec.to_builtins(self._owner)
        number = known.get("format", "0")
        if not number.isdigit() or int(number) > FORMAT:
            raise SpoolNewer(str(disk.path), number, FORMAT)
        held = disk.held()
        for name in ("venue", "topic", "cluster"):
            if held.records and known.get(name, mine[name]) != mine[name] and mine[name]:
                raise SpoolForeign(str(disk.path), name, known[name], mine[name], held.records)
        if held.records:
            words = "%d frames from before lie in the spool: they are sent first"
            if known.get("keys", mine["keys"]) != mine["keys"]:
                words += " (they were received with other keys)"
            self._log.warning(words, held.records)
        fresh = {"format": str(FORMAT), **{name: text for name, text in mine.items() if text}}
        if fresh.items() - known.items():
            disk.set_meta(fresh)


Opening = Callable[[], Disk]
