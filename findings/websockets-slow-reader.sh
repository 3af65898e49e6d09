#!/usr/bin/env bash
# A WebSocket client that stops calling `recv` for a while, as one does whose database is slow; the
# server is well, reads, and answers each ping at once.
#
# websockets 17.4 (Python): once `max_queue` messages wait, it stops reading the socket, so the pong
# lies unread behind them; after `ping_timeout` it ends the connection itself, with 1011 "keepalive
# ping timeout", as if the server had been silent. What waited can still be read, what lay behind it
# cannot. A client with less than a queue full keeps its connection through the same pause.
# Seen:
#   5 messages: closed no, read 5
#   400 messages: 1011 keepalive ping timeout, sent by the client; read fewer than 400
# Needs bash and Python from 3.11 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check websockets==17.4

cat >slow.py <<'PY'
import asyncio
import contextlib

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def pause(messages):
    """Messages that are sent while the client pauses; what it reads then, and how that ends."""

    async def talk(socket):
        with contextlib.suppress(ConnectionClosed):
            for _ in range(messages):
                await socket.send("x" * 4096)
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        keepalive = {"ping_interval": 0.5, "ping_timeout": 1, "max_queue": 16, "proxy": None}
        async with connect(f"ws://127.0.0.1:{port}", **keepalive) as socket:
            await asyncio.sleep(4)
            read = 0
            try:
                while read < messages:
                    await asyncio.wait_for(socket.recv(), 10)
                    read += 1
            except ConnectionClosed as closed:
                return read, closed
            return read, None


read, closed = asyncio.run(pause(5))
print(f"5 messages: closed {'no' if closed is None else closed}, read {read}")
assert (read, closed) == (5, None)

read, closed = asyncio.run(pause(400))
print(f"400 messages: {closed!r}, read {read}")
assert closed is not None
assert read < 400
assert (closed.sent.code, closed.sent.reason) == (1011, "keepalive ping timeout")
assert not closed.rcvd_then_sent
print("as found: websockets 17.4")
PY
timeout 60 env/bin/python slow.py
