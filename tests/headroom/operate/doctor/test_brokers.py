"""Brokers that do not let us in, and why: over real sockets, without a Kafka."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka.errors import SaslAuthenticationFailed

from headroom.operate.doctor.brokers import Broker, Cluster, dialled, reachable, why
from headroom.operate.doctor.findings import ok
from headroom.operate.doctor.looking import Check, looked
from headroom.operate.doctor.venues import look_at_venue
from tests.producers.certificates import Authority

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def problem(port: int, authority: Path | None = None) -> str:
    arguments = {"bootstrap_servers": f"localhost:{port}"}
    if authority is not None:
        context = ssl.create_default_context(cafile=str(authority))
        arguments |= {"security_protocol": "SSL", "ssl_context": context}  # type: ignore[dict-item]
    cluster = await dialled(arguments, dial_seconds=5)
    (finding,) = reachable(cluster)
    assert finding.status == "fail"
    return f"{finding.reason}: {finding.do}"


async def test_why_a_broker_lets_nobody_in_is_said_in_plain_words(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(hang_up, authority.serving(expired=True)) as port:
        assert "certificate has expired" in await problem(port, authority.file)
    async with serving(hang_up, authority.self_signed()) as port:
        assert "HEADROOM_KAFKA_SSL_CAFILE" in await problem(port, authority.file)
    async with serving(hang_up) as port:
        assert "it may expect TLS: see HEADROOM_KAFKA_SECURITY_PROTOCOL" in await problem(port)
        assert "it may expect" in await problem(port, authority.file)
    assert "nobody listens there" in await problem(1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "says nothing for 2 s: it hangs"),
        (socket.gaierror(-2, "x"), "its name is unknown"),
        (SaslAuthenticationFailed("x"), "does not take the credentials: correct HEADROOM_KAFKA_SA"),
        (OSError("odd"), "odd"),
    ],
)
def test_other_errors_have_words_too(error: Exception, words: str) -> None:
    assert words in ": ".join(why(error, tls=False, seconds=2))


def test_one_bootstrap_server_is_enough_and_every_broker_is_needed() -> None:
    there, away = Broker("a:1", others=(("b", 2),)), Broker("b:2", "nobody", "start it")
    statuses = [one.status for one in reachable(Cluster((there, away), (away,)))]
    assert statuses == ["ok", "warn", "fail"]
    assert [one.status for one in reachable(Cluster((away,)))] == ["fail"]


async def test_a_venue_that_hangs_is_told_and_its_certificate_is_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ca_file = str(authority.file)
    async with serving(say_nothing) as port:
        url = f"wss://localhost:{port}/ws"
        (found,) = await look_at_venue(url, "HEADROOM_X_URL", ca_file, seconds=0.2)
    assert (found.status, "says nothing for 0.2 s" in found.reason) == ("fail", True)
    for expired, status, words in ((False, "ok", "in 29 days"), (True, "fail", "has expired")):
        async with serving(say_nothing, authority.serving(expired=expired)) as port:
            url = f"wss://localhost:{port}/ws"
            (found,) = await look_at_venue(url, "HEADROOM_X_URL", ca_file, seconds=5)
        assert (found.status, words in found.reason) == (status, True), found
        assert ("HEADROOM_CA_FILE" in found.do) is expired
    (found,) = await look_at_venue("ws://127.0.0.1:1/", "HEADROOM_X_URL", None, seconds=5)
    assert (found.status, "HEADROOM_X_URL" in found.do) == ("fail", True)
    (found,) = await look_at_venue("wss://h:x/", "HEADROOM_X_URL", None, seconds=5)
    assert found.status == "warn"


async def test_a_check_that_hangs_or_breaks_keeps_no_other() -> None:
    async def hang() -> list[object]:
        await asyncio.Event().wait()
        return []

    async def break_down() -> list[object]:
        raise RuntimeError("odd")

    async def well() -> list[object]:
        return [ok(await asyncio.to_thread(lambda: "fine"))]

    checks = [Check(name, 0.1, look) for name, look in (("h", hang), ("b", break_down))]
    found = await looked([*checks, Check("w", 30, well)])
    assert [(one.check, one.findings[0].status) for one in found] == [
        ("h", "fail"),
        ("b", "fail"),
        ("w", "ok"),
    ]
    assert "no answer within 0.1 s" in found[0].findings[0].reason
    assert "RuntimeError: odd" in found[1].findings[0].reason
