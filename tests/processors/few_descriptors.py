"""A listener as a worker's, in a process that may open few files: see `test_slow_clients`."""

import asyncio
import resource
import socket
import sys
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from processors.http.crowd import BOUNDS
from processors.http.server import Server
from processors.metrics import Metrics
from tests.processors.events.site import Site


class Questions:
    """One that is answered at once, and one that waits until it is let go."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._let_go = asyncio.Event()

    async def quick(self, _: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def room(self, _: web.Request) -> web.Response:
        return web.Response(text=str(self._room))

    async def held(self, _: web.Request) -> web.Response:
        await self._let_go.wait()
        return web.Response(text="held")

    async def let_go(self, _: web.Request) -> web.Response:
        self._let_go.set()
        return web.Response(text="let go")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/quick", self.quick),
            web.get("/v1/room", self.room),
            web.get("/v1/held", self.held),
            web.post("/livez", self.let_go),
        ]


async def main(descriptors: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    consumer = SimpleNamespace(stalled=list)
    app: Any = SimpleNamespace(serving=True, consumer=consumer, not_serving_seconds=lambda: 0.0)
    questions: Any = Questions(BOUNDS.within(descriptors).connections_max)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(
            app,
            questions,
            Site().events,
            Metrics(),
            listener.dup(),
            None,
            not_serving_seconds=300.0,
        )
        async with server.serving():
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
