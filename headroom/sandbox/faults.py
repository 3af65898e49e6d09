"""The place for faults to order: what is sent instead of a frame, and how a connection dies."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Final

# Linger on, for 0 seconds: the kernel answers a close with RST instead of FIN.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)


class Faults:
    """No faults: every balance frame goes out once, as it is. Subclass it to order some."""

    def on_frame(self, text: str) -> Sequence[str]:
        """What to send instead of a frame: nothing withholds it, two send it twice."""
        return (text,)


def reset(transport: asyncio.BaseTransport) -> None:
    """End a connection with RST, so that what the peer has not read yet may be lost to it."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
