"""A collector of traces: OTLP over HTTP, as the libraries for it decode it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as proto

FROM_FRAME_TO_TABLE = ["commit", "commit", "fold", "normalise", "receive"]


class Collector:
    """Takes spans as OTLP over HTTP has them; `spans` are (service, span) as they came."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        self.headers: list[str] = []
        self.url = ""
        self._known, self._over = Event(), Event()

    async def _take(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("x-key", ""))
        asked = proto.ExportTraceServiceRequest.FromString(await request.read())
        for resource in asked.resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(told["service.name"], span) for span in scope.spans]
        return web.Response(body=proto.ExportTraceServiceResponse().SerializeToString())

    async def _live(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        self._known.set()
        await asyncio.to_thread(self._over.wait)
        await runner.cleanup()

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        thread = Thread(target=lambda: asyncio.run(self._live()))
        thread.start()
        try:
            assert self._known.wait(20)
            yield self
        finally:
            self._over.set()
            thread.join(20)

    def whole(self) -> list[list[tuple[str, Any]]]:
        """The traces that have come from the frame to the table."""
        traces: dict[bytes, list[tuple[str, Any]]] = {}
        for service, span in list(self.spans):
            traces.setdefault(span.trace_id, []).append((service, span))
        return [
            one for one in traces.values() if sorted(s.name for _, s in one) == FROM_FRAME_TO_TABLE
        ]
