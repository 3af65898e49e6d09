"""What a program without questions answers over HTTP: whether it works, is ready, its metrics.

Producers, and who delivers alerts.

None of it says anything of balances or users, so nobody has to show a token.
"""

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from processors.http.problems import not_yet
from processors.http.runner import Runner
from schemas.secrets import redacted

_SHUTDOWN_SECONDS = 1.0


class Health(Protocol):
    """How a program is."""

    def not_alive(self) -> str | None:
        """Why only a restart can help; None: it works."""

    def not_ready(self) -> str | None:
        """Why it does not do what it is there for; None: it does."""


class _Probes:
    """The paths; asked in the program's own event loop: one that stands answers nobody."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._health = health
        self._registry = registry

    async def livez(self, _request: web.Request) -> web.Response:
        """200 while no restart can help; 503 with the reason."""
        return _answer(self._health.not_alive(), "alive\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while it does what it is there for; 503 with the reason."""
        return _answer(self._health.not_alive() or self._health.not_ready(), "ready\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def _answer(why_not: str | None, text: str) -> web.Response:
    if why_not is not None:
        raise not_yet(redacted(why_not))
    return web.Response(text=text)


@contextlib.asynccontextmanager
async def probed(
    listener: socket.socket, health: Health, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Answer on a bound socket while the block runs: `/livez`, `/readyz`, `/metrics`."""
    probes = _Probes(health, registry)
    app = web.Application()
    app.add_routes(
        [
            web.get("/livez", probes.livez),
            web.get("/readyz", probes.readyz),
            web.get("/metrics", probes.metrics),
        ]
    )
    runner = Runner(app, shutdown_seconds=_SHUTDOWN_SECONDS)
    try:
        await runner.start(listener)
        yield
    finally:
        await runner.cleanup()
