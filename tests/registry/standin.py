"""A schema registry that speaks Confluent's API, and fails as it is told to."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OPEN = (
    '{errorType:"PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", description:"The new schema has an '
    "additional property at path '#/properties/colour'\"}"
)


class StandIn:
    """What it holds, was asked for and written to; `fault` is a word below, "" is well.

    `refused` are subjects whose rule takes nothing new.
    """

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.refused: set[str] = set()
        self.schemas: dict[str, list[str]] = {}
        self.authorizations: set[str | None] = set()
        self.asked: list[str] = []
        self.writes = 0
        self._ids: dict[str, int] = {}

    def app(self) -> web.Application:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.asked.append(request.path)
            self.authorizations.add(request.headers.get("Authorization"))
            return await self._broken(request) or self._said(request) or await handler(request)

        app = web.Application(middlewares=[guard])
        app.router.add_post("/subjects/{subject}", self._look_up)
        app.router.add_post("/subjects/{subject}/versions", self._register)
        app.router.add_post("/compatibility/subjects/{subject}/versions/latest", self._judge)
        return app

    async def _broken(self, request: web.Request) -> web.StreamResponse | None:
        """What no registry does: one that stands still, or whose connection does not hold."""
        match self.fault:
            case "slow":
                await asyncio.sleep(0.1)
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                assert request.transport is not None
                request.transport.abort()
            case "endless":
                return await _endless(request)
        return None

    def _said(self, request: web.Request) -> web.Response | None:
        """A wrong answer."""
        is_write = request.path.startswith("/subjects/") and request.path.endswith("/versions")
        match self.fault:
            case "html":
                return web.Response(text="<html>welcome</html>", content_type="text/html")
            case "no id":
                return web.json_response({"id": -1})
            case "no guid":
                return web.json_response({"id": 1, "guid": "x"})
            case "elsewhere":
                document = {"error_code": 0, "message": f"no resource at {request.url}"}
                return web.json_response(document, status=404)
            case "read-only" if is_write:
                return _error(42205, "Subject is in read-only mode")
            case "405" if is_write:
                return web.Response(status=405, text="<html>no</html>", content_type="text/html")
            case "401" | "302" | "500" as status:
                there = {"Location": "/elsewhere"}
                document = {"message": "a word"}
                return web.json_response(document, status=int(status), headers=there)
        return None

    async def _look_up(self, request: web.Request) -> web.Response:
        subject, text = request.match_info["subject"], await _schema(request)
        known = self.schemas.get(subject)
        if known is None:
            return _error(40401, f"Subject '{subject}' not found.")
        if text not in known:
            return _error(40403, "Schema not found")
        version = known.index(text) + 1
        return web.json_response(
            {"subject": subject, "version": version, "id": self._ids[text], "schema": text}
        )

    async def _register(self, request: web.Request) -> web.Response:
        subject, text = request.match_info["subject"], await _schema(request)
        if subject in self.refused:
            return _error(409, f"Schema being registered is incompatible: {OPEN}")
        self.writes += 1
        self.put(subject, text)
        return web.json_response({"id": self._ids[text]})

    def put(self, subject: str, text: str) -> None:
        """As if somebody had registered it."""
        self._ids.setdefault(text, len(self._ids) + 1)
        known = self.schemas.setdefault(subject, [])
        if text not in known:
            known.append(text)

    async def _judge(self, request: web.Request) -> web.Response:
        assert request.query["verbose"] == "true"
        subject = request.match_info["subject"]
        await _schema(request)
        if subject not in self.schemas:
            return _error(40401, f"Subject '{subject}' not found.")
        messages = [OPEN, "{oldSchema: '…'}", "{compatibility: 'BACKWARD'}"]
        is_taken = subject not in self.refused
        return web.json_response(
            {"is_compatible": is_taken, "messages": [] if is_taken else messages}
        )


def _error(code: int, message: str) -> web.Response:
    status = code if code < 1_000 else code // 100
    return web.json_response({"error_code": code, "message": message}, status=status)


async def _schema(request: web.Request) -> str:
    assert request.headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
    body: dict[str, Any] = await request.json()
    assert body.keys() == {"schemaType", "schema"}
    assert body["schemaType"] == "JSON"
    return str(body["schema"])


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await answer.write(b" " * 65_536)
    return answer


@contextlib.asynccontextmanager
async def answering(registry: StandIn, port: int = 0) -> AsyncIterator[str]:
    """Where it is, while the block runs."""
    runner = web.AppRunner(registry.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def beside(registry: StandIn, port: int = 0) -> Iterator[str]:
    """The same for a test that waits for other processes: in a thread."""
    stop, started = asyncio.Event(), threading.Event()
    loop, urls = asyncio.new_event_loop(), list[str]()

    async def serve() -> None:
        async with answering(registry, port) as url:
            urls.append(url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
