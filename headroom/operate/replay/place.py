"""Where a generation is worked on: by one process, and its helpers, each in a folder of its own."""

import asyncio
import contextlib
import fcntl
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.operate.generations import app_name

HELPERS_PER_MACHINE_MAX: Final = 1_000
HELPERS_SECONDS_MAX: Final = 30.0
"""Far more than a member that was killed stays in its group."""
_HELPING: Final = "helping"
_NAME: Final = "headroom-replay-"
_HELPER: Final = _NAME + "helper-"
_LOOK_SECONDS: Final = 0.2


class Busy(OperatorError):
    """Another process works on this generation."""


class _Taken(Busy):
    """Another process works in the same folder."""


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
    data_dir: Path, name: str, clients: Clients, *, alone: bool = True, called: str = _NAME
) -> Iterator[Workplace]:
    """Keep everybody else from working in this folder while the block runs; raises `Busy`.

    `alone`: also where there are others in the consumer group that are no helpers. `called` is what
    a new name in the group begins with.

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
            raise _Taken(f"another process works on the generation {name}") from None
        instance = _instance(root, called)
        if alone:
            strangers = set(filter(_is_stranger, _others(clients, name, instance)))
            if strangers:
                raise _elsewhere(name, strangers)
        yield Workplace(root, instance)


@contextlib.contextmanager
def helping_place(data_dir: Path, name: str, clients: Clients) -> Iterator[Workplace]:
    """The first folder on this machine that no other helper of the generation works in.

    So one that is started again is the same member to Kafka, and finds its tables.
    """
    with contextlib.ExitStack() as stack:
        for number in range(HELPERS_PER_MACHINE_MAX):
            folder = data_dir / _HELPING / str(number)
            place = workplace(folder, name, clients, alone=False, called=_HELPER)
            try:
                found = stack.enter_context(place)
            except _Taken:
                continue
            yield found
            return
        raise Busy(f"{HELPERS_PER_MACHINE_MAX} helpers use {data_dir} already")


async def without_helpers(
    clients: Clients,
    name: str,
    instance: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Wait until the helpers, who know that it is over, have left; raises `Busy`.

    `instance` is the caller's own name, which may be in the group from a run that was killed.
    """
    deadline = clock() + HELPERS_SECONDS_MAX
    while others := await asyncio.to_thread(_others, clients, name, instance):
        if clock() > deadline or any(map(_is_stranger, others)):
            raise _elsewhere(name, others)
        await sleep(_LOOK_SECONDS)


def forget_helpers(data_dir: Path, name: str) -> None:
    """Remove what helpers on this machine have kept of a generation; none of them may run."""
    for root in (data_dir / _HELPING).glob(f"*/generations/{name}"):
        shutil.rmtree(root, ignore_errors=True)


def _others(clients: Clients, name: str, instance: str) -> set[str]:
    return set(clients.group(app_name(name)).members) - {instance}


def _is_stranger(member: str) -> bool:
    return not member.startswith(_HELPER)


def _elsewhere(name: str, others: set[str]) -> Busy:
    return Busy(f"the generation {name} is worked on elsewhere: {', '.join(sorted(others))}")


def _instance(root: Path, called: str) -> str:
    path = root / "instance"
    if not path.exists():
        path.write_text(f"{called}{uuid.uuid4().hex}", encoding="ascii")
    return path.read_text(encoding="ascii")
