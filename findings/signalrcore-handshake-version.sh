#!/usr/bin/env bash
# A hub that answers a negotiation with `"negotiateVersion": 0`, as one does that was asked without
# that parameter: which version of the JSON hub protocol do two clients ask for in their handshake?
# There are 1 and, since .NET 8, 2; the negotiation's version is a number of its own.
#
# signalrcore 1.0.2 hands the negotiation's version on: {"protocol": "json", "version": 0}. A hub
#   that takes the versions that there are refuses it.
# pysignalr 1.3.3 asks for 1.
# Seen: the table at the end of this file.
# Needs bash, Python from 3.11 on with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
  signalrcore==1.0.2 pysignalr==1.3.3 aiohttp==3.14.5

cat >seen.py <<'PY'
import asyncio
import json
import logging

from aiohttp import web
from pysignalr.client import SignalRClient
from signalrcore.hub_connection_builder import HubConnectionBuilder

handshakes: asyncio.Queue = asyncio.Queue()


async def negotiate(request: web.Request) -> web.Response:
    transports = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
    answer = {"negotiateVersion": 0, "connectionId": "1", "availableTransports": transports}
    return web.json_response(answer)


async def upgrade(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    said = await socket.receive()
    text = said.data.decode() if isinstance(said.data, bytes) else said.data
    handshakes.put_nowait(json.loads(text.rstrip("\x1e")))
    await socket.send_str("{}\x1e")
    async for _ in socket:
        pass
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_post("/hub/negotiate", negotiate)
    app.router.add_get("/hub", upgrade)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hub"

    builder = HubConnectionBuilder().with_url(url).configure_logging(logging.CRITICAL)
    await asyncio.to_thread(builder.build().start)
    print("signalrcore", await asyncio.wait_for(handshakes.get(), 30), flush=True)
    client = asyncio.create_task(SignalRClient(url).run())
    print("pysignalr", await asyncio.wait_for(handshakes.get(), 30), flush=True)
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    # signalrcore's threads do not end by themselves.
    import os

    os._exit(0)


asyncio.run(main())
PY
timeout 90 venv/bin/python seen.py 2>log | tee seen
diff - seen <<'EXPECTED' && echo "as found: signalrcore 1.0.2, pysignalr 1.3.3"
signalrcore {'protocol': 'json', 'version': 0}
pysignalr {'protocol': 'json', 'version': 1}
EXPECTED
