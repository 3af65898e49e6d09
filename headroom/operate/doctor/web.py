"""Who is asked over HTTP: the schema registry, and where an issuer's keys are. GET alone."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from headroom.base.settings import JwtSettings, RegistrySettings
from headroom.operate.doctor.findings import Finding, fail, ok
from headroom.operate.doctor.judging import Reading
from headroom.operate.jwks import reader_of
from processors.http.issuer_keys import keys_of
from producers.reach import why_not_trusted

_REGISTRY: Final = "HEADROOM_SCHEMA_REGISTRY_URL"
_ACCEPT: Final = "application/vnd.schemaregistry.v1+json"
_NS_PER_MS: Final = 1_000_000
_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})


class Answered(msgspec.Struct, frozen=True):
    """What was found, and what time it was there where that was told."""

    finding: Finding
    clock: Reading | None = None


async def ask_registry(
    settings: RegistrySettings | None, *, seconds: float, clock_ns: Callable[[], int] = time.time_ns
) -> Answered:
    """Whether a schema registry answers and lets this program in: one GET, nothing registered."""
    if settings is None:
        return Answered(ok("none is set"))
    user, auth = settings.username, None
    if user is not None:
        password = "" if settings.password is None else settings.password.reveal()
        auth = aiohttp.BasicAuth(user, password, "utf-8")
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        url = URL(settings.url) / "subjects"
        async with aiohttp.ClientSession(timeout=timeout, auth=auth) as session:
            before_ns = clock_ns()
            async with session.get(
                url, allow_redirects=False, headers={"Accept": _ACCEPT}
            ) as response:
                after_ns = clock_ns()
                status, date = response.status, response.headers.get("Date")
                finding = _judged(url.host or "", status, await response.content.read(64))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return Answered(_unreachable(_REGISTRY, error, seconds))
    return Answered(finding, _clock("the schema registry", date, before_ns, after_ns))


def _judged(host: str, status: int, begin: bytes) -> Finding:
    if status in _REFUSED:
        way = "correct HEADROOM_SCHEMA_REGISTRY_USERNAME and …_PASSWORD"
        return fail(f"{host} does not let this program in (status {status})", way)
    if status != _OK or not begin.lstrip().startswith(b"["):
        said = f"what answers at {host} is no schema registry (status {status})"
        return fail(said, f"correct {_REGISTRY}")
    return ok(f"{host} answers")


def _clock(of: str, date: str | None, before_ns: int, after_ns: int) -> Reading | None:
    """An answer's `Date` (RFC 9110, section 6.6.1), which tells whole seconds."""
    with contextlib.suppress(TypeError, ValueError):
        theirs = parsedate_to_datetime(date or "")
        theirs_ms = int(theirs.timestamp()) * 1000
        before_ms, after_ms = before_ns // _NS_PER_MS, after_ns // _NS_PER_MS
        return Reading(of, "by its answer's Date", theirs_ms, before_ms, after_ms, coarse_ms=1000)
    return None


async def look_at_issuer(settings: JwtSettings | None, *, seconds: float) -> list[Finding]:
    """Whether the keys of the issuer of JWTs can be read, and one of them used."""
    if settings is None:
        return [ok("none is set")]
    where = "HEADROOM_JWKS_URL" if settings.jwks_file is None else "HEADROOM_JWKS_FILE"
    try:
        async with asyncio.timeout(seconds):
            count = len(keys_of(await reader_of(settings)()))
    except (OSError, ValueError) as error:
        return [
            fail(
                f"the keys at {where} cannot be read: {_words(error, seconds)}", f"correct {where}"
            )
        ]
    return [ok(f"keys at {where}: {count}")]


def _unreachable(setting: str, error: Exception, seconds: float) -> Finding:
    return fail(f"nobody answers: {_words(error, seconds)}", f"correct {setting}, or the way there")


def _words(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no word for {seconds:g} s"
    if isinstance(error, aiohttp.ClientConnectorError) and why_not_trusted(error) is None:
        return str(error.os_error.strerror or error.os_error)
    return why_not_trusted(error) or str(error) or type(error).__name__
