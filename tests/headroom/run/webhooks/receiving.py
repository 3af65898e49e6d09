"""A receiver of webhooks: a real HTTP server that answers as a test wants it to."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

KEY = base64.b64encode(b"a webhook's key of 32 bytes, 123").decode()
SECRET = f"whsec_{KEY}"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Received:
    """Requests as they came, each found to be ours by the library of Standard Webhooks."""

    def __init__(self, *answers: Answer) -> None:
        self.ids: list[str] = []
        self.documents: list[Any] = []
        self._answers = list(answers)
        self._came = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """By the next of the answers; once there are none any more it is taken."""
        body = await request.read()
        self.documents.append(Webhook(SECRET).verify(body, dict(request.headers)))
        self.ids.append(request.headers["webhook-id"])
        self._came.set()
        if self._answers:
            return await self._answers.pop(0)(request)
        return web.Response(status=204)

    async def until(self, count: int) -> None:
        """Wait for so many requests."""
        async with asyncio.timeout(60):
            while len(self.ids) < count:
                self._came.clear()
                await self._came.wait()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address, while the block runs."""
        app = web.Application()
        app.add_routes([web.post("/hook", self.answer)])
        async with TestServer(app) as server:
            yield str(server.make_url("/hook"))


def status(number: int, **headers: str) -> Answer:
    """An answer of this status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=number, headers=headers)

    return answer


async def close(request: web.Request) -> web.StreamResponse:
    """No answer: the connection breaks."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    """No answer, and the connection stays."""
    await asyncio.sleep(3_600)
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """An answer that never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b"x" * 65_536)
            await asyncio.sleep(0)
    return response
