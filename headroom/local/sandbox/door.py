"""Where a venue listens: it can be shut for a while, its port kept, and show other papers."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from headroom.local.sandbox.orders import Ordered

HOST: Final = "127.0.0.1"


class Papers(msgspec.Struct, frozen=True):
    """The certificates of a venue that speaks TLS, each a PEM file that has its key, too.

    `other` is what it shows while the fault `certificate` is on.
    """

    own: Path
    other: Path | None = None


class Door:
    """Listens by `listen(port, context)`, which returns the port and how to listen no more.

    Connections stay when it is shut. Port 0 is any free one, and the same one from then on.
    """

    def __init__(
        self,
        listen: Callable[[int, ssl.SSLContext | None], Awaitable[tuple[int, Callable[[], object]]]],
        port: int,
        papers: Papers | None,
    ) -> None:
        self._listen = listen
        self._papers = papers
        self._context: ssl.SSLContext | None = None
        self._leave: Callable[[], object] | None = None
        self._kept: socket.socket | None = None
        self.port = port

    async def open(self) -> None:
        """Listen; raises OSError where the port is taken or a certificate cannot be read."""
        if self._papers is not None and self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(self._papers.own)
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._leave is None:
            self.port, self._leave = await self._listen(self.port, self._context)

    def shut(self) -> None:
        """Refuse whoever comes from now on."""
        if self._leave is None:
            return
        self._leave()
        self._leave = None
        # Bound and not listening: nobody else takes the port, and whoever knocks gets RST.
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind((HOST, self.port))

    def close(self) -> None:
        """Shut it for good."""
        if self._leave is not None:
            self._leave()
            self._leave = None
        if self._kept is not None:
            self._kept.close()

    def changed(self, ordered: Ordered, begin: Callable[[Awaitable[None]], object]) -> None:
        """A fault has begun or ended; `begin` does something beside all else."""
        begins = not ordered.over.is_set()
        match ordered.fault.name:
            case "refuse" if begins:
                self.shut()
            case "refuse":
                begin(self.open())
            case "certificate":
                self._show(other=begins)

    def _show(self, *, other: bool) -> None:
        """Show the other certificate to whoever comes from now on, or the own one again."""
        if self._context is None or self._papers is None:
            return
        path = self._papers.other if other else self._papers.own
        if path is not None:
            self._context.load_cert_chain(path)
