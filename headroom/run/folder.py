"""A worker's folder: whose it is, and what the worker is called in the group.

```
DATA_DIR/worker-N/
  lock          held while a worker runs on it
  instance      the worker's name in the group
  place         where that name was given: host, path, and the folder's number in its file system
  tables/, generations/
```
"""

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from headroom.base.errors import OperatorError
from headroom.base.settings import Settings

WORKERS_PER_MACHINE_MAX: Final = 1_000
_TABLES: Final = ("tables", "generations")

log = logging.getLogger("headroom.worker")


class Place(msgspec.Struct, frozen=True):
    """Where a folder is; `number` is its inode, which a copy of its files does not share."""

    host: str
    path: str
    number: int


@contextlib.contextmanager
def own_folder(settings: Settings) -> Iterator[Path]:
    """A folder that no other worker on this machine has: the first one that is free.

    So a worker that is started again finds the tables that it left.
    """
    for number in range(WORKERS_PER_MACHINE_MAX):
        folder = settings.data_dir / f"worker-{number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("ab")
        except OSError as error:
            message = f"HEADROOM_DATA_DIR cannot be used: {error.strerror}: {folder}"
            raise OperatorError(message) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    message = f"{WORKERS_PER_MACHINE_MAX} workers use {settings.data_dir} already"
    raise OperatorError(message)


def name_in(folder: Path, *, host: str | None = None) -> str:
    """The name in the group of the worker that has this folder; called before tables are opened.

    The same for as long as the folder stays where it is: a worker that is started again soon is the
    same member to Kafka, which then moves nothing. A folder that is found on another host or under
    another path may be a copy, whose original still runs under that name: it gets a new one. Tables
    whose files were copied go, too: while they were, they may have been written to.
    """
    here = Place(host or socket.gethostname(), str(folder.resolve()), folder.stat().st_ino)
    there, name = _bound(folder), _read(folder / "instance")
    if there is not None and there.number != here.number:
        log.warning("%s is a copy of %s: its tables are built anew", here.path, there.path)
        for tables in _TABLES:
            shutil.rmtree(folder / tables, ignore_errors=True)
    if name and there is not None and (there.host, there.path) != (here.host, here.path):
        where = f"{there.path} on {there.host}"
        log.warning("%s was %s: this worker takes a new name in the group", here.path, where)
        name = ""
    if not name:
        name = f"headroom-{uuid.uuid4().hex}"
        _write(folder / "instance", name.encode())
    if there != here:
        _write(folder / "place", msgspec.json.encode(here))
    return name


def give_up_name(folder: Path) -> None:
    """Have the next worker on this folder take a new name: another one goes by this one."""
    (folder / "instance").unlink(missing_ok=True)


def _bound(folder: Path) -> Place | None:
    """Where the name was given; None where that was not written down, as by earlier versions."""
    try:
        return msgspec.json.decode(_read(folder / "place"), type=Place)
    except msgspec.DecodeError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""


def _write(path: Path, data: bytes) -> None:
    """Write a small file whole, or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
