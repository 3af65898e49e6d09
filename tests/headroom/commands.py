"""The command line from outside: what it prints, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from aiokafka.admin import AIOKafkaAdminClient

from headroom.local.kafka import KafkaNode
from headroom.local.kafka.process import die_with_parent
from schemas.topics import TOPICS

HEADROOM = (sys.executable, "-m", "headroom")
PATIENCE_SECONDS = 45.0


class Ended(msgspec.Struct, frozen=True):
    """A command that has ended."""

    status: int
    out: str
    err: str

    def is_one_line(self, *words: str) -> None:
        """That it was the caller's mistake, told on one line that has these words."""
        assert (self.status, self.out) == (2, ""), self
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("headroom: ")
        for word in words:
            assert word in self.err


def environment(**variables: object) -> dict[str, str]:
    """The least that a process needs, and `HEADROOM_*` variables."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HEADROOM_")}
    kept["HEADROOM_LOG_FORMAT"] = "text"  # what a person would see
    return kept | {f"HEADROOM_{name}": str(value) for name, value in variables.items()}


def headroom(*words: str, seconds: float = PATIENCE_SECONDS, **variables: object) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [*HEADROOM, *words],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Started:
    """A command that runs until `stop`; its output is in files."""

    def __init__(
        self,
        place: Path,
        words: tuple[str, ...],
        variables: Mapping[str, object],
        program: tuple[str, ...] = HEADROOM,
    ):
        self._out, self._err = place / "out", place / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*program, *words],
                env=environment(**variables),
                stdout=out,
                stderr=err,
                # Also when the tests are killed: a worker whose Kafka is gone goes on for ever.
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it locks nothing
            )

    @property
    def output(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def command_line(self) -> bytes:
        return Path(f"/proc/{self.process.pid}/cmdline").read_bytes()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def started(
    place: Path, *words: str, program: tuple[str, ...] = HEADROOM, **variables: object
) -> Iterator[Started]:
    """A command that runs while the block does."""
    place.mkdir()
    command = Started(place, words, variables, program)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()


def until(
    condition: Callable[[], bool],
    *,
    seconds: float = 60.0,
    pause_seconds: float = 0.1,
    why: Callable[[], str] = str,
) -> None:
    """Wait for a condition; `why` says what stood in its way."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(pause_seconds)


def answered(url: str, path: str) -> dict[str, Any] | None:
    """What a worker answers; None where it does not. For what is asked again and again.

    `headroom query` is a program of its own, which takes a second to start.
    """
    try:
        with urllib.request.urlopen(url + path, timeout=20) as found:  # noqa: S310 - our own
            document: dict[str, Any] = json.load(found)
            return document
    except OSError:  # not there, or an answer that is an error
        return None


def balances(url: str, user: str) -> dict[str, Any] | None:
    """What a worker answers of a user."""
    return answered(url, f"/v1/users/{quote(user, safe='')}/balances")


def node() -> Iterator[str]:
    """A Kafka that no other test has: the contract's names are its own."""
    own = KafkaNode()
    asyncio.run(own.start())
    try:
        yield own.bootstrap
    finally:
        asyncio.run(own.stop())


async def without(bootstrap: str, *names: str) -> None:
    """Delete topics that may be there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(names) & set(await admin.list_topics())
        await admin.delete_topics(list(present))
        while present & set(await admin.list_topics()):
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


def without_topics(bootstrap: str) -> None:
    """A Kafka without any of the contract's topics."""
    asyncio.run(without(bootstrap, *TOPICS))
