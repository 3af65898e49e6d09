"""What has reached the socket is read, also where the venue has broken the connection behind it."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from producers.connection import open_socket
from producers.reach import ReadToTheEnd
from tests.producers.certificates import Authority
from tests.producers.worlds import CALM, until
from tests.producers_chaos.relay import unacknowledged

# Less than a window, so that all of it has arrived before anybody reads.
TOLD = [b'{"number":%d,"%s":0}' % (number, b"x" * 400) for number in range(80)]
_RESET = struct.pack("ii", 1, 0)
_TCP_CLOSE = 7


def is_broken(sock: socket.socket) -> bool:
    """Whether the kernel knows that the other side has broken the connection."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE


async def talk(venue: ServerConnection) -> None:
    await venue.recv()
    for message in TOLD:
        await venue.send(message, text=True)
    sock = venue.transport.get_extra_info("socket")
    await until(lambda: unacknowledged(sock) == 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    venue.transport.abort()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_write_that_fails_leaves_what_had_come_before(
    tmp_path: Path, *, secure: bool
) -> None:
    """A ping, say, when nobody has read for a moment: it must not take along what lies there."""
    authority = Authority(tmp_path)
    tls = authority.serving() if secure else None
    read: list[bytes] = []
    async with serve(talk, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"{'wss' if secure else 'ws'}://localhost:{port}/"
        ca_file = str(authority.file) if secure else None
        opened = await open_socket(url, headers={}, deadlines=CALM, ca_file=ca_file)
        sock = opened.transport.get_extra_info("socket")
        transport: Any = opened.transport
        if secure:  # what lies beneath, as where this process had stood still
            transport = transport._ssl_protocol._transport
        transport.pause_reading()
        await opened.send("speak")
        await until(lambda: is_broken(sock))
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2):
                await opened.ping()
                await asyncio.sleep(0)
        transport.resume_reading()
        with contextlib.suppress(ConnectionClosed):
            while True:
                read += await opened.messages()
    assert read == TOLD


def test_what_cannot_be_written_any_more_is_not_told() -> None:
    ours, theirs = socket.socketpair()
    with contextlib.closing(ReadToTheEnd(fileno=ours.detach())) as sock:
        theirs.sendall(b"the last word")
        theirs.close()
        for _ in range(2):
            assert sock.send(b"a ping") == len(b"a ping")
            assert sock.sendmsg([b"a ", b"ping"]) == len(b"a ping")
        assert sock.recv(100) == b"the last word"
        assert sock.recv(100) == b""
