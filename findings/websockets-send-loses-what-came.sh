#!/usr/bin/env bash
# A WebSocket client whose process stands still for a second, as one does that works something out.
# Meanwhile the server sends 80 messages, which all arrive, and breaks the connection (a reset, as
# when its process is killed). TCP keeps what has arrived: whoever reads gets it.
#
# websockets 17.4 on Python's asyncio (3.11 to 3.13): if the client sends anything before it reads,
# a ping of the library's own would do, that write fails, asyncio closes the connection for it, and
# what lay in the socket is let go of. The client is told of a closed connection, and of no message.
# With the same pause and no write, all messages are read.
# Seen:
#   reads first: 80 of 80 messages, then ConnectionClosedError
#   sends first: 0 of 80 messages, then ConnectionClosedError
# Needs bash and Python from 3.11 on, on Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check websockets==17.4

cat >venue.py <<'PY'
import asyncio
import socket
import struct

from websockets.asyncio.server import serve


async def talk(client):
    await client.recv()
    for number in range(80):
        await client.send(f"{number} " + "x" * 400)
    await asyncio.sleep(0.2)  # until all has arrived
    sock = client.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.transport.abort()


async def main():
    async with serve(talk, "127.0.0.1", 0, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
PY

cat >client.py <<'PY'
import asyncio
import subprocess
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def told(port, *, sends_first):
    """How many messages a client reads that had stood still, and how that ends."""
    url = f"ws://127.0.0.1:{port}"
    async with connect(url, ping_interval=None, max_queue=None, proxy=None) as client:
        await client.send("speak")
        time.sleep(1.0)
        if sends_first:
            await client.send("still here")
        read = 0
        try:
            while True:
                await asyncio.wait_for(client.recv(), 10)
                read += 1
        except ConnectionClosed as closed:
            return read, type(closed).__name__


with subprocess.Popen([sys.executable, "venue.py"], stdout=subprocess.PIPE, text=True) as venue:
    try:
        port = int(venue.stdout.readline())
        for words, sends_first, expected in (("reads", False, 80), ("sends", True, 0)):
            read, end = asyncio.run(told(port, sends_first=sends_first))
            print(f"{words} first: {read} of 80 messages, then {end}")
            assert (read, end) == (expected, "ConnectionClosedError")
    finally:
        venue.kill()
print("as found: websockets 17.4, asyncio of Python", sys.version.split()[0])
PY
timeout 60 env/bin/python client.py
