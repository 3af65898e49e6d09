"""What the agents of both sides do, word for word the same, and what may happen to them."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

PARTITIONS: Final = 2
SESSION_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 0.5
COMMIT_SECONDS: Final = 0.3
TROUBLE: Final = b"trouble"

Trouble = Literal["", "raise", "hang", "block", "restore"]
Form = Literal["bytes", "text", "json"]


class Options(msgspec.Struct, frozen=True):
    """What a worker process is told.

    `number` counts the processes of a bench; the next process of an `instance` has its name and
    its folder. `trouble` happens at a record whose value is `TROUBLE`, or in a restore hook, while
    there is a file `trouble` in `folder`. `take`, `concurrency` and `form` (what Faust makes of
    keys and values) are ways in which Faust may be used; our engine has but one.
    """

    bootstrap: str
    name: str
    source: str
    out: str
    folder: str
    number: int
    job: str
    instance: int = 1
    trouble: Trouble = ""
    store: Literal["memory", "rocksdb"] = "memory"
    take: int = 0
    concurrency: int = 1
    form: Form = "bytes"
    exactly_once: bool = False
    web_port: int = 0
    command: Literal["worker", "reset"] = "worker"


class World:
    """What an agent has and meets: rows, what was made of restored ones, and trouble."""

    def __init__(self, options: Options) -> None:
        self._trouble = options.trouble
        self._file = Path(options.folder) / "trouble"
        self.rows: Any = None
        # Our engine promises no `clear`: an agent deletes the rows that it knows.
        self.may_clear = False
        self.restored_rows = 0

    async def meet(self, value: object) -> None:
        """Be in trouble at a record, if that is the time for it."""
        if value != TROUBLE or not self._file.exists():
            return
        if self._trouble == "raise":
            raise ConnectionError("a service that the agent asks is down")
        if self._trouble == "hang":
            await asyncio.Event().wait()
        elif self._trouble == "block":
            self._file.unlink()  # it happens once
            time.sleep(3_600)  # noqa: ASYNC251 - a worker that hangs, and its event loop with it

    def restored(self, row: bytes | None) -> None:
        """Count a restored row, or be in trouble at it."""
        if row == TROUBLE and self._trouble == "restore" and self._file.exists():
            raise ConnectionError("a service that the restore hook asks is down")
        self.restored_rows += 1


Job = Callable[[World, Any, Any], list[tuple[Any, Any]]]
"""What follows from a record (its key and value) for the rows, and the sends."""


def send(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Pass a record on."""
    return [(key, value)]


def keep(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Keep the last value of a key."""
    world.rows[key] = value
    return []


def copy(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Keep the last value of a key and pass it on."""
    return keep(world, key, value) + send(world, key, value)


def count(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Count the records of a key: `+= 1`."""
    world.rows[key] = b"%d" % (int(world.rows.get(key) or b"0") + 1)
    return []


def refold(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Keep values as a newer version of the program would."""
    return keep(world, key, b"new " + value)


def total(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Answer how many rows were restored."""
    return [(key, b"%d" % world.restored_rows)]


def lookup(world: World, key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Put, delete or get a row; what is got is passed on."""
    if value == b"put":
        world.rows[key] = b"a row"
    elif value == b"clear" and world.may_clear:
        world.rows.clear()
    elif value in (b"delete", b"clear"):
        del world.rows[key]
    else:
        return [(value, world.rows.get(key) or b"no row")]
    return []


JOBS: Final[dict[str, Job]] = {
    job.__name__: job for job in (send, keep, copy, count, refold, total, lookup)
}


def said(word: str, what: object = "") -> None:
    """Tell whoever started this process; past Faust, which makes log lines of what is printed."""
    print(word, what, file=sys.__stdout__, flush=True)
