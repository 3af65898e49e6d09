"""One worker: the Faust app, its agents, its questions over HTTP; run until told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from processors.agents import Agents
from processors.engine import EngineApp, EngineSettings
from processors.metrics import Metrics

log = logging.getLogger("headroom.worker")


class Worker:
    """A worker's parts, made by `build_worker` and started by `run`."""

    def __init__(self, engine: EngineSettings) -> None:
        self.metrics = Metrics()
        self.app = EngineApp(engine)
        self.agents = Agents(self.app, self.metrics)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; raises whatever broke the worker before that."""
        async with self._started():
            crashed = asyncio.create_task(self.app._crashed.wait())  # noqa: SLF001 - mode has no public way
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((crashed, stopped), return_when=asyncio.FIRST_COMPLETED)
            finally:
                crashed.cancel()
                stopped.cancel()
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    @contextlib.asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        try:
            await self.app.start()
            yield
        finally:
            await self.app.stop()
