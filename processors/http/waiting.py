"""What a worker answers while it has no tables: that it lives, and knows nothing yet."""

import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from processors.http.problems import not_yet
from processors.http.runner import Runner


@contextlib.asynccontextmanager
async def waiting(listener: socket.socket, why: str) -> AsyncIterator[None]:
    """Answer on a socket that is bound while the block runs; it stays open after it."""

    async def alive(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def nothing_yet(_request: web.Request) -> web.Response:
        raise not_yet(why)

    app = web.Application()
    app.add_routes([web.get("/livez", alive), web.route("*", "/{path:.*}", nothing_yet)])
    runner = Runner(app, shutdown_seconds=1.0)
    try:
        await runner.start(listener.dup())
        yield
    finally:
        await runner.cleanup()
