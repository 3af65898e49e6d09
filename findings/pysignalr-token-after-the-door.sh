#!/usr/bin/env bash
# pysignalr's `access_token_factory`, "called before each connection to obtain a bearer token for
# the `Authorization` header": which requests of two connections in a row have it?
#
# pysignalr 1.3.3 asks it once the WebSocket is open. The first connection's negotiation and
#   WebSocket go without a token, so that a hub which wants one answers 401 and is never entered; a
#   hub that does not mind gets it with the second connection's WebSocket (there is no second
#   negotiation). A token in the option `headers` goes with all of them.
# Seen: the table at the end of this file.
# Needs bash, Python from 3.11 on with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pysignalr==1.3.3 aiohttp==3.14.5

cat >seen.py <<'PY'
"""A hub that lets everybody in and tells who had a token; it closes after the handshake."""

import asyncio

from aiohttp import web
from pysignalr.client import SignalRClient

over = asyncio.Event()
connections = 0


def tell(what: str, request: web.Request) -> None:
    print(f"{what}:", request.headers.get("Authorization", "no token"), flush=True)


async def negotiate(request: web.Request) -> web.Response:
    tell("negotiate", request)
    transports = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
    answer = {"negotiateVersion": 0, "connectionId": "1", "availableTransports": transports}
    return web.json_response(answer)


async def upgrade(request: web.Request) -> web.WebSocketResponse:
    global connections
    connections += 1
    tell("WebSocket", request)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.receive()
    await socket.send_str("{}\x1e")
    if connections == 2:
        over.set()
    await socket.close()
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_post("/hub/negotiate", negotiate)
    app.router.add_get("/hub", upgrade)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hub"
    client = SignalRClient(url, access_token_factory=lambda: "secret", retry_sleep=0.1)
    running = asyncio.create_task(client.run())
    try:
        await asyncio.wait_for(over.wait(), 30)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()


asyncio.run(main())
PY
timeout 90 venv/bin/python seen.py 2>log | tee seen
diff - seen <<'EXPECTED' && echo "as found: pysignalr 1.3.3"
negotiate: no token
WebSocket: no token
WebSocket: Bearer secret
EXPECTED
