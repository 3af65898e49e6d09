"""How a venue is reached from here: whom its certificate has to come from, and through which proxy.

Both are asked for anew with each connection, so that a changed file counts with the next one.
"""

import asyncio
import socket
import ssl
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohappyeyeballs import start_connection
from aiohttp import ClientConnectorCertificateError

from producers.errors import ConfigurationError
from producers.settings import check_all, is_loopback
from schemas.secrets import Secret

CA_FILE: Final = "HEADROOM_CA_FILE"
HAPPY_EYEBALLS_SECONDS: Final = 0.25
"""After so long the next address of a name is tried beside the first one (RFC 8305, section 8)."""
_GONE: Final = (BrokenPipeError, ConnectionResetError)
SECURE: Final = frozenset({"wss", "https"})
_VARIABLES: Final = {"wss": "WSS_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}
_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """What verifies certificates and names, by the system's authorities or those in a file (PEM).

    There is no way to turn that off. Raises ConfigurationError.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        kind = type(error).__name__
        raise ConfigurationError(CA_FILE, f"cannot be loaded: {kind}") from None


def check_reach(url: str, ca_file: str | None) -> None:
    """That a venue may be reached from here at all; raises ConfigurationError."""
    check_all(lambda: tls_context(ca_file), lambda: proxy_for(_parts(url)))


def _parts(url: str) -> SplitResult:
    """The parts of a URL; of one that is none (`check_url` says so) no part."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def proxy_for(parts: SplitResult) -> str | None:
    """The proxy for a URL by the environment, None where it is reached without one.

    `WSS_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, in that order, in capitals or not; `NO_PROXY` names
    hosts that need none; this machine never does. Its password is a secret from here on. Raises
    ConfigurationError, which does not tell the URL.
    """
    host = parts.hostname or ""
    if parts.scheme not in SECURE or is_loopback(host):
        return None
    if proxy_bypass(f"{host}:{parts.port or _PORTS[parts.scheme]}"):
        return None
    given = getproxies()
    for name, variable in _VARIABLES.items():
        if name in given:
            return _checked(given[name], variable)
    return None


def _checked(text: str, variable: str) -> str:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(variable, "is not the URL of a proxy") from None
    for secret in {parts.password or "", unquote(parts.password or "")}:
        if secret:
            Secret(secret, ours=True)
    if parts.scheme not in ("http", "https") or not host:
        problem = "must be the URL of a proxy that begins with http:// or https://"
        raise ConfigurationError(variable, problem)
    if parts.username and parts.password is None:
        raise ConfigurationError(variable, "has a user without a password")
    return f"{parts.scheme}://{parts.netloc}"


class ReadToTheEnd(socket.socket):
    """A socket whose end is told by reading alone.

    asyncio ends a connection on which a write fails, and what the venue had sent before it broke
    off lies in the socket unread: a ping then would cost frames that had arrived. So a write to
    who is gone counts as done.
    """

    def send(self, data: Any, flags: int = 0, /) -> int:  # noqa: ANN401 - as the socket has it
        """How many bytes were taken; all of them where nobody takes any more."""
        try:
            return super().send(data, flags)
        except _GONE:
            return memoryview(data).nbytes

    def sendmsg(self, buffers: Any, *more: Any) -> int:  # noqa: ANN401 - the same
        """The same for several buffers, which asyncio uses from Python 3.12 on."""
        try:
            return super().sendmsg(buffers, *more)
        except _GONE:
            return sum(memoryview(one).nbytes for one in buffers)


async def dial(parts: SplitResult) -> socket.socket:
    """A connection to the host of a URL: to whichever of its addresses answers first.

    The first one may lead nowhere, without a word (an IPv6 that is not routed): the next is tried
    beside it. Raises OSError.
    """
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await start_connection(
        found,
        happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS,
        interleave=1,
        loop=loop,
        socket_factory=lambda address: ReadToTheEnd(*address[:3]),
    )


def why_not_trusted(error: BaseException) -> str | None:
    """What is wrong with the other side's certificate; None where the error is another one."""
    if isinstance(error, ClientConnectorCertificateError):
        error = error.certificate_error
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return None
