"""The HTTP interface of one worker: the questions, the page, its health, its metrics."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from processors.engine.app import EngineApp
from processors.http.access import Access, guarded
from processors.http.crowd import BOUNDS, Bounds
from processors.http.described import described
from processors.http.events.handler import Events
from processors.http.page.serving import Page
from processors.http.problems import not_yet
from processors.http.questions import Questions
from processors.http.runner import Runner
from processors.metrics import Metrics

REQUEST_BYTES_MAX = 1024 * 1024


class Server:
    """Serves on a socket that is already bound, from before the tables are restored."""

    def __init__(
        self,
        app: EngineApp,
        questions: Questions,
        events: Events,
        metrics: Metrics,
        listener: socket.socket,
        access: Access | None,
        *,
        not_serving_seconds: float,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._not_serving_seconds = not_serving_seconds
        self._bounds = bounds
        self._described = described()
        self._page = Page()
        self._app = app
        self._questions = questions
        self._events = events
        self._metrics = metrics
        self._listener = listener
        self._access = access

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer questions while the block runs."""
        site_app = web.Application(
            middlewares=[guarded(self._access, self._page.paths)],
            client_max_size=REQUEST_BYTES_MAX,
        )
        site_app.add_routes(
            [
                *self._questions.routes(),
                *self._events.routes(),
                *self._page.routes(),
                web.get("/livez", self.livez),
                web.get("/readyz", self.readyz),
                web.get("/metrics", self.metrics),
                web.get("/openapi.json", self.openapi),
            ]
        )

        async def end_events(_: web.Application) -> None:
            await self._events.close()

        site_app.on_shutdown.append(end_events)
        runner = Runner(
            site_app,
            shutdown_seconds=2.0,
            bounds=self._bounds,
            dropped=lambda why: self._metrics.connections_dropped.labels(why).inc(),
        )
        minding = asyncio.create_task(self._mind())
        try:
            await runner.start(self._listener)
            yield
        finally:
            minding.cancel()
            await asyncio.gather(minding, return_exceptions=True)
            await runner.cleanup()

    async def _mind(self) -> None:
        if self._access is not None:
            await self._events.mind(self._access)

    async def livez(self, _request: web.Request) -> web.Response:
        """200 while this process works.

        503 once a partition that lags has not moved for long, or nothing was served for longer.
        """
        seconds = self._app.not_serving_seconds()
        if seconds > self._not_serving_seconds:
            why = "no group, no partitions, or tables that are not restored"
            raise not_yet(f"not serving for {seconds:.0f} s: {why}")
        self._require_moving()
        return web.Response(text="alive\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 once the tables are restored, nobody is moving them, and offsets move; else 503."""
        if not self._app.serving:
            raise not_yet("tables are being restored or moved between workers")
        self._require_moving()
        return web.Response(text="ready\n")

    def _require_moving(self) -> None:
        stalled = self._app.consumer.stalled() if self._app.serving else []
        if stalled:
            names = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in stalled)
            raise not_yet(f"offsets do not move: {names}")

    async def openapi(self, _request: web.Request) -> web.Response:
        """What may be asked, as an OpenAPI document."""
        return web.Response(body=self._described, content_type="application/json")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )
