"""The demo's processes: each is the very command that a person would start by hand."""

import asyncio
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headroom.base.errors import OperatorError
from headroom.local.kafka.process import spawn

if TYPE_CHECKING:
    import subprocess

_POLL_SECONDS: Final = 0.02
_LINES_SHOWN: Final = 5


class ChildEnded(OperatorError):
    """One of the demo's processes ended by itself; the last lines of its output tell why."""

    def __init__(self, name: str, status: int, last_words: str) -> None:
        super().__init__(f"`{name}` ended by itself with status {status}: {last_words}")


class Child:
    """A command of `headroom` in a process of its own; its output goes to a file."""

    def __init__(
        self, arguments: Sequence[str], *, output: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = "headroom " + " ".join(arguments[:2])
        self.is_sandbox = arguments[0] == "sandbox"
        self._arguments = arguments
        self._environment = environment
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends with this process, however that ends."""
        self._process = spawn(
            [sys.executable, "-m", "headroom", *self._arguments],
            output=self._output,
            environment=self._environment,
        )

    async def line(self, prefix: str, *, seconds: float) -> str:
        """The rest of the first line of its output that begins with `prefix`.

        Raises `ChildEnded` if it ends before that, TimeoutError after `seconds`.
        """
        found = await self._first(rf"^{re.escape(prefix)}(.*)$", seconds)
        return found[1].strip()

    async def url(self, *, seconds: float) -> str:
        """The first line of its output that is an address; raises as `line` does."""
        found = await self._first(r"^[a-z]+://\S+$", seconds)
        return found[0]

    async def _first(self, line: str, seconds: float) -> "re.Match[str]":
        pattern = re.compile(line, re.MULTILINE)
        async with asyncio.timeout(seconds):
            while True:
                if found := pattern.search(self._text()):
                    return found
                self.check()
                await asyncio.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raises `ChildEnded` if it is not running."""
        if self._process is not None and self._process.poll() is not None:
            words = " / ".join(self._text().splitlines()[-_LINES_SHOWN:])
            raise ChildEnded(self.name, self._process.returncode, words)

    async def stop(self, *, seconds: float = 30.0) -> None:
        """Ask it to end, and wait; kill it if it does not."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                while process.poll() is None:  # noqa: ASYNC110 - a process tells nobody
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._process = None

    def _text(self) -> str:
        try:
            return self._output.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
