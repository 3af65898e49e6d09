"""Asking a worker over HTTP: with a token where there is one, and a clear word for no answer."""

from typing import Final

import aiohttp
import orjson
from yarl import URL

from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from schemas.secrets import Secret

TIMEOUT_SECONDS: Final = 10.0
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_UNAVAILABLE: Final = 503


class NotAnswered(OperatorError):
    """The worker said no, or nothing."""


class NotYet(NotAnswered):
    """The worker is there and cannot answer now: its tables are restored or moved."""


def session(token: Secret | None) -> aiohttp.ClientSession:
    """Connections that show this token, to be closed by who opened them."""
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    return aiohttp.ClientSession(timeout=timeout, headers=headers)


async def get(connections: aiohttp.ClientSession, url: str, path: str) -> bytes:
    """A worker's answer to a path, which is encoded already; raises `NotAnswered`."""
    try:
        address = URL(url + path, encoded=True)
        async with connections.get(address, allow_redirects=False) as response:
            status, body = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        message = f"no worker answers at {url}: is `headroom work` running?"
        raise NotAnswered(message) from error
    if status == _OK:
        return body
    raise refused(status, body)


def refused(status: int, body: bytes) -> NotAnswered:
    """What a worker says instead of an answer."""
    try:
        detail = printable(str(orjson.loads(body)["detail"]))
    except (ValueError, KeyError, TypeError):
        detail = f"status {status}"
    if status == _UNAUTHORIZED:
        detail += " (HEADROOM_API_TOKEN, or HEADROOM_API_TOKEN_FILE)"
    return (NotYet if status == _UNAVAILABLE else NotAnswered)(detail)
