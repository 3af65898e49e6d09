"""SignalR's negotiation: which WebSocket to open, with which token; never a token in a URL.

Source: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md
"""

import ssl
from typing import Final
from urllib.parse import SplitResult, quote, urlunsplit

import aiohttp
import msgspec

from producers.connection import UNAUTHORISED, KeyRefused, NotOpened, not_before, way
from producers.errors import ConfigurationError
from producers.manners import retry_after_seconds
from producers.outcomes import ReconnectReason, excerpt
from producers.reach import why_not_trusted
from producers.settings import check_url, is_header_text
from schemas.secrets import Secret

_REDIRECTS_MAX: Final = 5
_ANSWER_BYTES_MAX: Final = 64 * 1024
_SOCKET_SCHEMES: Final = {"https": "wss", "http": "ws"}
_SOCKETS: Final = "WebSockets"
_OK: Final = 200


class Endpoint(msgspec.Struct, frozen=True):
    """Where the hub's WebSocket is, and the token it wants in the Authorization header.

    `connection` is the token in the URL. Both are looked for in what the hub says for as long as
    somebody holds this.
    """

    url: str
    token: Secret
    connection: Secret
    cookie: str | None

    def headers(self) -> dict[str, str]:
        """What the opening handshake carries beside the usual."""
        headers = {"Authorization": f"Bearer {self.token.reveal()}"}
        if self.cookie is not None:
            headers["Cookie"] = self.cookie
        return headers


class _Transport(msgspec.Struct, rename="camel"):
    transport: str = ""
    transfer_formats: list[str] | None = None


class _Answer(msgspec.Struct, rename="camel"):
    url: str | None = None
    access_token: str | None = None
    error: str | None = None
    connection_token: str | None = None
    connection_id: str | None = None
    available_transports: list[_Transport] | None = None


async def negotiate(
    url: str, key: Secret, *, timeout_seconds: float, ca_file: str | None = None
) -> Endpoint:
    """Ask the hub at `url` for a connection; follows a few redirects, with the tokens they give.

    Raises KeyRefused for 401 and 403, NotOpened for everything else that goes wrong.
    """
    token = key
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    for _ in range(_REDIRECTS_MAX + 1):
        parts = _checked(url)
        context, proxy = way(url, ca_file)
        try:
            # Its own way to find a proxy would look for passwords in ~/.netrc, too.
            async with aiohttp.ClientSession(timeout=timeout, proxy=proxy) as http:
                answer, cookie = await _ask(http, parts, token, context)
        except KeyRefused as refused:
            if token is key:
                raise
            raise KeyRefused(f"{refused.detail}, with a token that the hub gave") from None
        except aiohttp.ClientConnectorCertificateError as error:
            reason, detail = ReconnectReason.CERTIFICATE_REFUSED, why_not_trusted(error) or ""
            raise NotOpened(reason, excerpt(detail)) from None
        except aiohttp.ClientError as error:
            detail = excerpt(str(error) or type(error).__name__)
            raise NotOpened(ReconnectReason.UNREACHABLE, detail) from None
        if answer.error is not None:
            detail = excerpt(key.redact(token.redact(answer.error)))
            raise NotOpened(ReconnectReason.HANDSHAKE_REFUSED, detail)
        if answer.url is None:
            return _endpoint(parts, token, answer, cookie)
        url = answer.url
        if answer.access_token:
            token = Secret(answer.access_token, fleeting=True)
            if not is_header_text(answer.access_token):
                raise NotOpened(ReconnectReason.PROTOCOL_ERROR, "an access token of no use")
    raise NotOpened(ReconnectReason.PROTOCOL_ERROR, f"more than {_REDIRECTS_MAX} redirects")


async def _ask(
    http: aiohttp.ClientSession, parts: SplitResult, token: Secret, context: ssl.SSLContext | None
) -> tuple[_Answer, str | None]:
    async with http.post(
        _negotiate_url(parts),
        headers={"Authorization": f"Bearer {token.reveal()}"},
        allow_redirects=False,
        ssl=context or True,
    ) as response:
        if response.status in UNAUTHORISED:
            raise KeyRefused(f"HTTP {response.status} on negotiate")
        if response.status != _OK:
            told = response.headers
            wait_seconds = retry_after_seconds(told.get("Retry-After"), told.get("Date"))
            detail = f"HTTP {response.status} on negotiate{not_before(wait_seconds)}"
            reason = ReconnectReason.HANDSHAKE_REFUSED
            raise NotOpened(reason, detail, wait_seconds=wait_seconds)
        body = await _bounded(response)
        # Where several servers stand behind one name, a cookie leads to the one that answered.
        cookies = [f"{name}={morsel.coded_value}" for name, morsel in response.cookies.items()]
    try:
        return msgspec.json.decode(body, type=_Answer), "; ".join(cookies) or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = "the answer to negotiate cannot be read"
        raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail) from None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _ANSWER_BYTES_MAX:
            detail = "the answer to negotiate is too large"
            raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail)
    return bytes(body)


def _checked(url: str) -> SplitResult:
    try:
        return check_url(url, setting="HEADROOM_HERCLE_URL", schemes=("https", "http"))
    except ConfigurationError as error:
        # Our own URL was checked when the settings were made, so the venue sent us here.
        detail = excerpt(f"redirected to a URL that {error.problem}")
        raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail) from None


def _negotiate_url(parts: SplitResult) -> str:
    path = parts.path.rstrip("/") + "/negotiate"
    return urlunsplit(
        (parts.scheme, parts.netloc, path, _with(parts.query, "negotiateVersion=1"), "")
    )


def _endpoint(parts: SplitResult, token: Secret, answer: _Answer, cookie: str | None) -> Endpoint:
    # Version 0 of the negotiation, which a server may answer with, knows the id alone.
    connection = answer.connection_token or answer.connection_id
    if not connection:
        detail = "the answer to negotiate has no connection token"
        raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail)
    _check_transports(answer.available_transports)
    query = _with(parts.query, "id=" + quote(connection, safe=""))
    scheme = _SOCKET_SCHEMES[parts.scheme]
    url = urlunsplit((scheme, parts.netloc, parts.path, query, ""))
    return Endpoint(
        url=url,
        token=token,
        connection=Secret(connection, fleeting=True),
        cookie=cookie,
    )


def _check_transports(offered: list[_Transport] | None) -> None:
    """That text goes over a WebSocket there; a server that does not say is tried."""
    if offered is None:
        return
    names = [item.transport for item in offered]
    if _SOCKETS not in names:
        only = ", ".join(names) or "nothing"
        detail = excerpt(f"the hub offers no WebSockets, which this producer needs, but {only}")
        raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail)
    formats = [item.transfer_formats for item in offered if item.transport == _SOCKETS]
    if all(each is not None and "Text" not in each for each in formats):
        detail = "the hub takes no text over WebSockets, only a binary protocol"
        raise NotOpened(ReconnectReason.PROTOCOL_ERROR, detail)


def _with(query: str, parameter: str) -> str:
    return f"{query}&{parameter}" if query else parameter
