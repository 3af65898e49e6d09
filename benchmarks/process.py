"""A contender's process: started, watched from outside, stopped; what it costs by the kernel."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from headroom.local.kafka.process import spawn

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS: Final = 20.0
_LOG_LETTERS: Final = 3_000
_MIB: Final = 1024


class ContenderFailed(Exception):
    """A contender ended, or stood still, before its work was done."""


class Contender:
    """A running contender; leaving the `with` stops it."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] = spawn(
            command, output=log, environment={**os.environ, **(environment or {})}
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise `ContenderFailed`, with the end of its log, if it is no longer there."""
        if self._process.poll() is not None:
            raise ContenderFailed(f"ended with {self._process.returncode}\n{self.log_end()}")

    def log_end(self) -> str:
        """The last of what it said."""
        return self._log.read_text("utf-8", "replace")[-_LOG_LETTERS:]

    def said(self, word: str) -> int | None:
        """The number that it said after a word, on a line of its own; None if it did not."""
        for line in self._log.read_text("utf-8", "replace").splitlines():
            first, _, number = line.partition(" ")
            if first == word and number.isdigit():
                return int(number)
        return None

    def stop(self) -> None:
        """Ask it to stop, and make it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def cpu_seconds(pid: int) -> float:
    """The CPU seconds of a process so far, in user and kernel, with children that ended.

    Source: Linux, proc(5), `stat` fields 14 to 17.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had in RAM (`VmHWM`), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _MIB
    return 0.0
