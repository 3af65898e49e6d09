"""The HTTP interface of one worker: the questions, its health, its metrics."""

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from processors.engine import EngineApp
from processors.http.access import Access, guarded
from processors.http.problems import Problem, not_found, not_yet
from processors.http.questions import Questions
from processors.metrics import Metrics

log = logging.getLogger("headroom.http")

REQUEST_BYTES_MAX = 64 * 1024


class Server:
    """Serves on a socket that is already bound, from before the tables are restored."""

    def __init__(
        self,
        app: EngineApp,
        questions: Questions,
        metrics: Metrics,
        listener: socket.socket,
        access: Access | None,
    ) -> None:
        self._app = app
        self._questions = questions
        self._metrics = metrics
        self._listener = listener
        self._access = access

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer questions while the block runs."""
        site_app = web.Application(
            middlewares=[_problems, guarded(self._access)], client_max_size=REQUEST_BYTES_MAX
        )
        site_app.add_routes(
            [
                *self._questions.routes(),
                web.get("/livez", self.livez),
                web.get("/readyz", self.readyz),
                web.get("/metrics", self.metrics),
            ]
        )
        runner = web.AppRunner(site_app, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener).start()
            yield
        finally:
            await runner.cleanup()

    async def livez(self, _request: web.Request) -> web.Response:
        """200 while this process works: 503 once a partition that lags has not moved for long."""
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

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error is a problem document; an unforeseen one says nothing of the inside."""
    try:
        return await handler(request)
    except Problem:
        raise
    except web.HTTPNotFound:
        raise not_found("no such path") from None
    except web.HTTPException as error:
        raise Problem(error.status, error.reason, error.reason) from None
    except Exception:
        log.exception("an unforeseen error in %s", request.path)
        raise Problem(500, "Internal Server Error", "see the worker's log") from None
