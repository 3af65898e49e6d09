"""How a connection dies, seen from the venue."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import Final

from websockets.frames import Frame, Opcode

from headroom.local.sandbox.faults import LARGE_MEGABYTES
from headroom.local.sandbox.pace import Sleep

# Linger on, for 0 seconds: the kernel answers a close with RST instead of FIN.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)
_LOOK_SECONDS: Final = 0.005
_LOOKS_MAX: Final = 400
_REASON_BYTES_MAX: Final = 123


def reset(transport: asyncio.BaseTransport) -> None:
    """End a connection with RST, so that what the peer has not read yet may be lost to it."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


async def reset_once_delivered(transport: asyncio.WriteTransport, sleep: Sleep) -> None:
    """End a connection with RST when the peer's machine has all that was sent, or after 2 s.

    So a frame that stands in the journal has arrived, however the connection ended.
    """
    for _ in range(_LOOKS_MAX):
        if transport.is_closing() or not _undelivered(transport):
            break
        await sleep(_LOOK_SECONDS)
    reset(transport)


def _undelivered(transport: asyncio.WriteTransport) -> bool:
    if transport.get_write_buffer_size():
        return True
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    # Bytes that the peer's kernel has not acknowledged. Linux and macOS know the same request.
    count = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int.from_bytes(count, sys.byteorder) > 0


def framed(text: str | bytes) -> bytes:
    """A WebSocket message of a server, as its bytes: one frame, text or binary."""
    opcode = Opcode.TEXT if isinstance(text, str) else Opcode.BINARY
    data = text.encode() if isinstance(text, str) else text
    return Frame(opcode, data).serialize(mask=False)


def padded(text: str, megabytes: int | None) -> str:
    """A JSON object with an unknown field that is so large."""
    size = (megabytes or LARGE_MEGABYTES) * 1_000_000
    return f'{{"padding": "{"x" * size}", {text[1:]}'


def key_reason(api_key: str) -> str:
    """What a venue says that closes with the key in its words; at most 123 bytes, as a close may.

    Source: RFC 6455, section 5.5.
    """
    return f"api key {api_key} has expired"[:_REASON_BYTES_MAX]
