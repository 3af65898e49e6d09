"""The oracle's process, as the seed sees it: asked a line at a time."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


class OracleProcess:
    """The oracle, asked a line at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, log: Path, **options: Any) -> "OracleProcess":
        with log.open("ab") as errors:
            return cls(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.engine.chaos.oracle", json.dumps(options)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    limit=2**24,
                )
            )

    async def ask(self, do: str, **command: Any) -> dict[str, Any]:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(json.dumps({"do": do, **command}).encode() + b"\n")
        await pipe_in.drain()
        answer = await pipe_out.readline()
        if not answer:
            raise RuntimeError(f"the oracle ended while it was to {do}")
        found: dict[str, Any] = json.loads(answer)
        return found

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
