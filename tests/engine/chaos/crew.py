"""The workers of a seed: processes that are started again when they end unasked."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from headroom.local.kafka.process import spawn

if TYPE_CHECKING:
    import subprocess

PARTITIONS = 4
RESTARTS_MAX = 12
STOP_SECONDS_MAX = 30.0
_POLL_SECONDS = 0.02
_RESTART_SECONDS = 0.2
_BEGIN_SECONDS_MAX = 20.0
_ANSWER_SECONDS_MAX = 25.0
_SETTLED_SECONDS_MAX = 20.0


class NeverReady(Exception):
    """A worker does not get to where it has to be."""


class Worker:
    """One worker: its folder, and its process if it has one.

    While it is `wanted` it is started again whenever it ends. `ends` tells why it ended unasked.
    """

    def __init__(self, name: str, folder: Path, options: dict[str, Any], *, named: bool) -> None:
        self.name = name
        self.wanted = False
        self.ends: list[str] = []
        self.log = folder / f"{name}.log"
        self._data = folder / name
        self._arm, self.answer = folder / f"{name}.arm", folder / f"{name}.json"
        self._options = {
            **options,
            "worker": name,
            "instance": f"{options['name']}-{name}" if named else None,
            "data_dir": str(self._data),
            "arm": str(self._arm),
            "dump": str(self.answer),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._said = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, fresh: bool = False, kill: tuple[str, int] | None = None) -> None:
        """Start it, `fresh` with an empty data directory, `kill` with a point armed."""
        if fresh:
            shutil.rmtree(self._data, ignore_errors=True)
        self._said = self.log.stat().st_size if self.log.exists() else 0
        arguments = json.dumps({**self._options, "kill": kill})
        command = [sys.executable, "-m", "tests.engine.chaos.worker", arguments]
        self._process = spawn(command, output=self.log)

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """Nobody starts it again meanwhile; afterwards it is wanted."""
        self.wanted = False
        yield
        self.wanted = True

    def says(self, word: str) -> bool:
        """Whether this process, not an earlier one, has said a line that begins so."""
        with self.log.open("rb") as log:
            log.seek(self._said)
            said = log.read().decode("utf-8", "replace")
        return any(line.startswith(word) for line in said.splitlines())

    async def serving(self, seconds: float) -> bool:
        """Whether it has served before so many seconds are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.says("serving"):
                    await asyncio.sleep(_POLL_SECONDS)
                return True
        return False

    def arm(self, point: str, hit: int) -> None:
        """Let it die at a point."""
        self._arm.write_text(json.dumps([point, hit]))
        self.signal(signal.SIGUSR2)

    async def begun(self) -> None:
        """Wait until it hears signals: earlier ones would be deadly."""
        async with asyncio.timeout(_BEGIN_SECONDS_MAX):
            while not self.says("begins"):
                await asyncio.sleep(_POLL_SECONDS)

    def signal(self, number: int) -> None:
        """Send a signal, if it is there to hear it."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, number)

    async def ended(self, seconds: float) -> int | None:
        """Its exit status, or None if it has not ended by then."""
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._process.poll() is None:
                    await asyncio.sleep(_POLL_SECONDS)
        return self._process.poll()

    def kill(self) -> None:
        """Kill -9, now."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Why it ended, by its log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        ends = [line for line in lines if line.startswith("ended:")]
        return ends[-1] if ends else "ended without a word"

    async def answers(self) -> Path:
        """The file with what it answers, once it serves."""
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            while True:
                self.answer.unlink(missing_ok=True)
                await self.begun()
                self.signal(signal.SIGUSR1)
                for _ in range(20):
                    if self.answer.exists():
                        if json.loads(self.answer.read_text())["serving"]:
                            return self.answer
                        break
                    await asyncio.sleep(_POLL_SECONDS)
                await asyncio.sleep(_POLL_SECONDS)


class Crew:
    """All workers of a seed, watched."""

    def __init__(self, folder: Path, options: dict[str, Any], *, named: bool) -> None:
        self.workers = {name: Worker(name, folder, options, named=named) for name in ("a", "b")}
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._watched())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._watch is not None
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        for worker in self.workers.values():
            worker.kill()

    def running(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if worker.wanted]

    def check(self) -> None:
        """Raise if the watch has given up."""
        if self._watch is not None and self._watch.done():
            self._watch.result()

    async def answers(self) -> list[str]:
        """Files with what all workers answer, asked again while partitions are on the move.

        After a while they are taken as they are: then a partition is held twice, or by nobody.
        """
        deadline = time.monotonic() + _SETTLED_SECONDS_MAX
        while True:
            files = [await worker.answers() for worker in self.running()]
            tables = [json.loads(file.read_text())["tables"]["rows"] for file in files]
            held = [partition for table in tables for partition in table]
            if len(held) == len(set(held)) == PARTITIONS or time.monotonic() > deadline:
                return [str(file) for file in files]
            await asyncio.sleep(_POLL_SECONDS)

    async def _watched(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            for worker in self.running():
                if not worker.running:
                    worker.ends.append(worker.last_words())
                    if len(worker.ends) > RESTARTS_MAX:
                        raise NeverReady(f"{worker.name} ends again and again: {worker.ends[-1]}")
                    await asyncio.sleep(_RESTART_SECONDS)
                    if worker.wanted and not worker.running:
                        worker.start()

    async def stop(self) -> list[str]:
        """Ask all to end, and say what was not as it should be in how they did."""
        complaints = []
        stopping = self.running()
        for worker in stopping:
            worker.wanted = False
            worker.signal(signal.SIGTERM)
        for worker in stopping:
            status = await worker.ended(STOP_SECONDS_MAX)
            if status != 0:
                complaints.append(f"{worker.name} on SIGTERM: exit {status}, {worker.last_words()}")
        return complaints
