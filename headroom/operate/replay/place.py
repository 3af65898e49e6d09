"""Where a generation is worked on: one process at a time, in a folder of its own."""

import contextlib
import fcntl
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.operate.generations import app_name


class Busy(OperatorError):
    """Another process works on this generation."""


class Workplace(msgspec.Struct, frozen=True):
    """A folder for local tables, and the name of whoever works there in the consumer group."""

    root: Path
    instance: str

    def folder(self, made_ns: int) -> Path:
        """The folder of one generation: a later one of its name has another."""
        found = self.root / str(made_ns)
        found.mkdir(exist_ok=True)
        return found

    def clear(self) -> None:
        """Remove all local tables."""
        for found in self.root.iterdir():
            if found.is_dir():
                shutil.rmtree(found)


@contextlib.contextmanager
def workplace(
    data_dir: Path, name: str, clients: Clients, *, alone: bool = True
) -> Iterator[Workplace]:
    """Keep everybody else from working on a generation while the block runs; raises `Busy`.

    Unless `alone` its consumer group may have members.

    Who was killed a moment ago is in the consumer group still; that is no hindrance for who comes
    back to its folder.
    """
    root = data_dir / "generations" / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("ab")
    except OSError as error:
        message = f"HEADROOM_DATA_DIR cannot be used: {error.strerror}: {root}"
        raise OperatorError(message) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another process works on the generation {name}") from None
        instance = _instance(root)
        others = set(clients.group(app_name(name)).members) - {instance}
        if alone and others:
            told = ", ".join(sorted(others))
            raise Busy(f"the generation {name} is worked on elsewhere: {told}")
        yield Workplace(root, instance)


def _instance(root: Path) -> str:
    path = root / "instance"
    if not path.exists():
        path.write_text(f"headroom-replay-{uuid.uuid4().hex}", encoding="ascii")
    return path.read_text(encoding="ascii")
