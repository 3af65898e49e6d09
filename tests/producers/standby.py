"""Two producers of one lease, as processes: who of them is connected, what lies in raw."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from headroom.local.kafka.process import die_with_parent
from headroom.local.sandbox import SfoxConfig, SfoxSandbox
from schemas.codec import decode
from schemas.feeds import FeedStatus
from schemas.headers import read_receipt
from schemas.venues import Venue
from tests.producers import topics

WAIT_SECONDS = 60.0


class Process:
    """One of the two."""

    def __init__(self, name: str, folder: Path, told: dict[str, str]) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir(exist_ok=True)
        self.log = self._folder / "log"
        self._told = {**told, "spool": str(self._folder / "spool")}
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, "-m", "tests.producers.standby_process", json.dumps(self._told)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it locks nothing
            )

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def says(self, words: str) -> int:
        """How often it has said that."""
        return self.log.read_text(errors="replace").count(words)

    def status(self) -> int | None:
        """How it ended, or None."""
        return self._process.poll()

    def tell_where(self) -> None:
        """Have it write into its log what its threads are doing."""
        if self.runs():
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)

    def runs(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        for number in (signal.SIGCONT, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number) if self.runs() else None
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Two:
    """The venue, its topics, and the two producers as they are begun."""

    def __init__(self, bootstrap: str, folder: Path, at: Venue, sandbox: SfoxSandbox) -> None:
        self.bootstrap = bootstrap
        self.at = at
        self.sandbox = sandbox
        self._folder = folder
        self.processes: dict[str, Process] = {}

    async def begin(self, name: str, bootstrap: str | None = None) -> Process:
        """Begin one, and wait until it has the lease or waits for another one's end."""
        told = {
            "venue": self.at.name,
            "url": self.sandbox.url,
            "bootstrap": bootstrap or self.bootstrap,
        }
        process = self.processes[name] = Process(name, self._folder, told)
        await until(lambda: process.says(": held") or process.says(": waiting\n"), process)
        return process

    async def works(self, process: Process, times: int = 1) -> None:
        """Wait until it is connected to the venue for the nth time."""
        await until(lambda: process.says(": connected, epoch") >= times, process)

    async def raw(self) -> dict[tuple[int, int], list[bytes]]:
        """What is committed in raw, by epoch and receipt."""
        found: dict[tuple[int, int], list[bytes]] = {}
        for record in await topics.records(self.bootstrap, self.at.raw_topic, committed=True):
            receipt = read_receipt(record.headers, offset=record.offset, appended_ns=0)
            found.setdefault((receipt.epoch, receipt.receipt), []).append(record.value)
        return found

    async def statuses(self) -> list[FeedStatus]:
        """What was told of the connection, in order."""
        records = await topics.records(self.bootstrap, topics.feeds_topic(self.at))
        return [decode(one.value, FeedStatus) for one in records if one.value is not None]


async def until(holds: Any, *processes: Process, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition; what the processes said where it does not come."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        for one in processes:
            await asyncio.to_thread(one.tell_where)
        found = "\n".join(f"{one.status()}: {one.log.read_text()}" for one in processes)
        raise AssertionError(found) from None


@contextlib.asynccontextmanager
async def two(bootstrap: str, folder: Path, *, rate: str = "30") -> AsyncIterator[Two]:
    """A simulated sFOX and topics; whatever was begun is ended."""
    from decimal import Decimal

    at = await topics.fresh(bootstrap)
    config = SfoxConfig(users=7, rate_per_second=Decimal(rate), seed=3, api_key="sandbox-sfox-key")
    async with SfoxSandbox(config) as sandbox:
        world = Two(bootstrap, folder, at, sandbox)
        try:
            yield world
        finally:
            for process in world.processes.values():
                await asyncio.to_thread(process.end)
