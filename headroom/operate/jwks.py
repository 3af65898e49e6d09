"""The issuer of JWTs that a worker believes, and where its keys are read: over HTTPS, or a file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp

from headroom.base.settings import JwtSettings
from processors.http.issuer import Issuer
from processors.http.issuer_keys import BYTES_MAX, Keys

URL_SECONDS: Final = 300.0
AGAIN_SECONDS: Final = 30.0
FILE_SECONDS: Final = 5.0
_OK: Final = 200
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


def issuer_of(settings: JwtSettings | None) -> Issuer | None:
    """The issuer of these settings; nothing is read before its keys are."""
    if settings is None:
        return None
    return Issuer(
        _keys_of(settings),
        issuer=settings.issuer,
        audience=settings.audience,
        users_claim=settings.users_claim,
        questions_per_minute=settings.questions_per_minute,
    )


def _keys_of(settings: JwtSettings) -> Keys:
    is_file = settings.jwks_file is not None
    every, again = (FILE_SECONDS, FILE_SECONDS) if is_file else (URL_SECONDS, AGAIN_SECONDS)
    return Keys(reader_of(settings), every_seconds=every, again_seconds=again)


def reader_of(settings: JwtSettings) -> Callable[[], Awaitable[bytes]]:
    """What brings the JWKS of these settings; it raises OSError or ValueError."""
    if settings.jwks_file is not None:
        return _from_file(settings.jwks_file)
    return _from_url(settings.jwks_url or "")


def _from_file(path: Path) -> Callable[[], Awaitable[bytes]]:
    def bounded() -> bytes:
        with path.open("rb") as file:
            return _bounded(file.read(BYTES_MAX + 1))  # of an endless one no more

    async def read() -> bytes:
        return await asyncio.to_thread(bounded)

    return read


def _from_url(url: str) -> Callable[[], Awaitable[bytes]]:
    async def read() -> bytes:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                # Where it leads elsewhere, that is not where its operator said.
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != _OK:
                    raise ValueError(f"status {response.status}")
                text = b""
                async for some in response.content.iter_any():
                    text = _bounded(text + some)
                return text
        except aiohttp.ClientError as error:
            raise OSError(type(error).__name__) from error

    return read


def _bounded(text: bytes) -> bytes:
    if len(text) > BYTES_MAX:
        raise ValueError("it is longer than a mebibyte")
    return text
