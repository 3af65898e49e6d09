"""A venue that sends as fast as it is read, or at a rate: frames that were made beforehand.

It speaks sFOX's protocol up to the subscription, says where it is, and begins at SIGUSR1.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Iterator
from typing import Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from schemas.venues import VENUES

_CHUNK_FRAMES: Final = 64
_TICK_SECONDS: Final = 0.01


def frames(count: int, size_bytes: int, users: int) -> Iterator[bytes]:
    """Balance frames of about this size, numbered from 3 on, each a WebSocket frame."""
    feed = VENUES["sfox"].feed
    for number in range(3, count + 3):
        head = (
            f'{{"sequence":{number},"recipient":"{feed}",'
            f'"timestamp":{1_710_367_000_000_000_000 + number * 1_000_003},'
            f'"payload":{{"user_id":"user-{number % users:04d}","updates":['
        )
        entry = '{"currency":"btc","balance":"9.99850081","available":"9.99850081","held":"0"},'
        entries = max(0, size_bytes - len(head) - 4) // len(entry)
        text = (head + entry * entries).rstrip(",") + "]}}"
        # Frames of the same account and size differ in their numbers only.
        yield Frame(Opcode.TEXT, text.encode()).serialize(mask=False, extensions=[])


async def run(options: argparse.Namespace) -> None:
    """Serve until it is killed."""
    made = list(frames(options.frames, options.bytes, options.users))
    chunks = [b"".join(made[at : at + _CHUNK_FRAMES]) for at in range(0, len(made), _CHUNK_FRAMES)]
    del made
    go = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, go.set)

    async def talk(socket: ServerConnection) -> None:
        for action in ("authenticate", "subscribe"):
            await socket.recv()
            payload = {"action": action}
            answer = {"type": "success", "sequence": 1 + (action == "subscribe"), **payload}
            await socket.send(json.dumps({**answer, "payload": payload}))
        print("subscribed 1", flush=True)
        await go.wait()
        loop = asyncio.get_running_loop()
        begun, sent = loop.time(), 0
        for chunk in chunks:
            while options.rate and sent > (loop.time() - begun) * options.rate:
                await asyncio.sleep(_TICK_SECONDS)
            async with socket.send_context():
                socket.transport.write(chunk)
            sent += _CHUNK_FRAMES
        print("sent 1", flush=True)
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, compression=None, write_limit=1 << 20) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=600)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=0, help="frames a second; 0: all at once")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
