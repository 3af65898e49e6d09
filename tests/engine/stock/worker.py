"""A worker of either side in a process of its own: started, listened to, stopped, killed."""

import asyncio
import importlib
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Final, Literal

from tests.engine.stock.jobs import Options

Side = Literal["stock", "ours"]

STOP_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.02

# Processes are forked from one that has imported both sides: that saves half a second of each.
_processes: Final = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([f"tests.engine.stock.{side}_app" for side in ("stock", "ours")])


def _run(side: Side, options: Options, log: str) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    importlib.import_module(f"tests.engine.stock.{side}_app").main(options)


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(2)


class Worker:
    """One process."""

    def __init__(self, side: Side, options: Options) -> None:
        self._log = Path(options.folder) / f"{side}-{options.number}.log"
        self._log.touch()
        arguments = (side, options, str(self._log))
        self._process = _processes.Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.is_alive()

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text(errors="replace")

    def said(self, word: str) -> list[str]:
        """What it has said after a word, at the beginning of a line."""
        lines = self.log.splitlines()
        return [line.removeprefix(word).strip() for line in lines if line.startswith(word)]

    @property
    def reason(self) -> str:
        """Why it stopped by itself; empty if it did not, or did not say so."""
        return next(iter(self.said("stopped")), "")

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.join()

    async def ended(self) -> None:
        """Wait until it has ended."""
        while self.running:
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """SIGTERM; by force if that takes too long."""
        try:
            self._process.terminate()
            async with asyncio.timeout(STOP_SECONDS):
                await self.ended()
        except TimeoutError:
            pass
        finally:
            self.kill()
