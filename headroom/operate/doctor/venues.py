"""A venue dialled once, with its TLS handshake and nothing beyond: no request, no login."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from headroom.operate.doctor.findings import Finding, fail, ok, warn
from headroom.operate.doctor.judging import judge_certificate
from producers.errors import ConfigurationError
from producers.reach import SECURE, dial, proxy_for, tls_context, why_not_trusted

_PROXIES: Final = "WSS_PROXY, HTTPS_PROXY or ALL_PROXY"
_AUTHORITY: Final = "the venue has to renew it, or HEADROOM_CA_FILE names its authority"


def _now() -> datetime:
    return datetime.now(UTC)


async def look_at_venue(
    url: str,
    setting: str,
    ca_file: str | None,
    *,
    seconds: float,
    now: Callable[[], datetime] = _now,
) -> list[Finding]:
    """Whether a venue can be reached, and for how long its certificate will be accepted."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        context = tls_context(ca_file) if parts.scheme in SECURE else None
        proxy = proxy_for(parts)
    except (ConfigurationError, ValueError):
        return [warn("not dialled: its settings are wrong", "see `settings`")]
    if proxy is not None:
        # What it makes of a name it says to who asks, and that is one connection more there.
        found = await _dialled(urlsplit(proxy), None, _PROXIES, seconds, now)
        behind = warn(f"{host} lies behind that proxy: not dialled", "see the producer's log")
        return [*found, behind]
    return await _dialled(parts, context, setting, seconds, now)


async def _dialled(
    parts: SplitResult,
    context: ssl.SSLContext | None,
    setting: str,
    seconds: float,
    now: Callable[[], datetime],
) -> list[Finding]:
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(seconds):
            with await dial(parts) as found:
                if context is None:
                    return [ok(f"{host} takes connections")]
                not_after = await _handshake(found, context, host)
    except (OSError, ValueError) as error:
        return [_unreachable(error, host, setting, seconds)]
    return [judge_certificate(host, not_after, now=now())]


async def _handshake(dialled: socket.socket, context: ssl.SSLContext, host: str) -> str:
    """When the certificate ends that the other side shows, and that was accepted."""
    _, writer = await asyncio.open_connection(sock=dialled.dup(), ssl=context, server_hostname=host)
    try:
        return str(writer.get_extra_info("peercert")["notAfter"])
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _unreachable(error: Exception, host: str, setting: str, seconds: float) -> Finding:
    if (problem := why_not_trusted(error)) is not None:
        return fail(f"{host}: {problem}", _AUTHORITY)
    if isinstance(error, TimeoutError):
        said = f"{host} says nothing for {seconds:g} s"
    elif isinstance(error, socket.gaierror):
        said = f"the name {host} is unknown"
    else:
        said = f"{host} cannot be reached: {getattr(error, 'strerror', None) or error}"
    return fail(said, f"correct {setting}, or the way there")
