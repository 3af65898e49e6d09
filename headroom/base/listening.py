"""A socket to be asked on, bound before anything else: a port that is taken is said first."""

import contextlib
import socket
from collections.abc import Iterator

from headroom.base.errors import OperatorError


@contextlib.contextmanager
def listening(host: str, port: int, *, way: str) -> Iterator[socket.socket]:
    """A bound socket while the block runs; port 0 is any free one.

    Raises OperatorError, which tells the `way` to another port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            message = f"cannot listen on {host}:{port} ({error.strerror}): {way}"
            raise OperatorError(message) from error
        yield listener
    finally:
        listener.close()


def url_of(listener: socket.socket) -> str:
    """Where it listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
