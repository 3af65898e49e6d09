"""The way to a venue: names that fail, move or lead nowhere, IPv6, proxies, what ~/.netrc says."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from producers.connection import NotOpened
from producers.errors import ConfigurationError
from producers.hercle.negotiate import negotiate
from producers.outcomes import ReconnectReason
from producers.reach import check_reach, proxy_for
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret, redacted
from tests.producers.certificates import Authority
from tests.producers.test_negotiate import hub
from tests.producers.worlds import CALM, CANARY, Given, let_in, running, until

HOST = "venue.example"
PASSWORD = "canary-of-the-proxy-0123"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own proxies."""
    for name in ("wss", "https", "http", "all", "no", "socks", "ws"):
        for text in (f"{name}_proxy", f"{name}_proxy".upper()):
            monkeypatch.delenv(text, raising=False)


class Names:
    """What names stand for: addresses, or nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[str] = []
        self.asked = 0
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._find)

    def _find(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != HOST:
            return self._real(host, port, *args, **kwargs)
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (family(one), socket.SOCK_STREAM, 6, "", (one, int(port))) for one in self.addresses
        ]


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


class Venue:
    """An sFOX at some address, with the name of the certificate."""

    def __init__(self) -> None:
        self.came = 0
        self.port = 0

    async def talk(self, socket: ServerConnection) -> None:
        self.came += 1
        await let_in(socket)
        await socket.wait_closed()

    @asynccontextmanager
    async def at(self, address: str, tls: ssl.SSLContext, port: int = 0) -> AsyncIterator[None]:
        async with serve(self.talk, address, port, ssl=tls) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield


def line(authority: Authority, port: int, host: str = HOST) -> SfoxLine:
    url = f"wss://{host}:{port}/ws"
    return SfoxLine(
        SfoxSettings(api_key=Secret(CANARY), url=url, deadlines=CALM, ca_file=str(authority.file))
    )


async def test_a_name_that_is_not_found_is_tried_again_and_may_move(
    names: Names, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    tls = authority.serving(HOST)
    one, two = Venue(), Venue()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        await first.enter_async_context(one.at("127.0.0.1", tls))
        await stack.enter_async_context(two.at("127.0.0.2", tls, one.port))
        given = Given(line(authority, one.port))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.UNREACHABLE] > 1)
            names.addresses = ["127.0.0.1"]
            await until(lambda: one.came)
            await until(lambda: given.feed.health().state == "connected")
            # The name moves, then what was there goes away: the next connection asks anew.
            names.addresses = ["127.0.0.2"]
            await first.aclose()
            await until(lambda: two.came)


@asynccontextmanager
async def black_hole(address: str, port: int) -> AsyncIterator[None]:
    """An address that answers nothing at all, as one does that is not routed."""
    with socket.socket() as hole:
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind((address, port))
        hole.listen(0)
        full = [socket.socket() for _ in range(8)]
        try:
            for one in full:
                one.setblocking(False)
                one.connect_ex((address, port))
            yield
        finally:
            for one in full:
                one.close()


async def test_an_address_that_leads_nowhere_keeps_nobody_from_the_next_one(
    names: Names, tmp_path: Path
) -> None:
    authority, venue = Authority(tmp_path), Venue()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(venue.at("127.0.0.1", authority.serving(HOST)))
        await stack.enter_async_context(black_hole("127.0.0.3", venue.port))
        names.addresses = ["127.0.0.3", "127.0.0.1"]
        given = Given(line(authority, venue.port))
        async with running(given):
            await until(lambda: venue.came)
            assert not given.feed.reconnects


@pytest.mark.parametrize("host", ["[::1]", HOST])
async def test_ipv6_by_address_and_by_name(host: str, names: Names, tmp_path: Path) -> None:
    authority, venue = Authority(tmp_path), Venue()
    names.addresses = ["::1"]
    tls = authority.serving("localhost" if host == "[::1]" else host)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(venue.at("::1", tls))
        await stack.enter_async_context(running(Given(line(authority, venue.port, host))))
        await until(lambda: venue.came)


async def test_a_hub_on_ipv6() -> None:
    async with hub(at="::1", host="[::1]") as served:
        endpoint = await negotiate(served.url, Secret(CANARY), timeout_seconds=5)
    assert endpoint.url.startswith("ws://[::1]:")


# -- proxies


class Proxy:
    """An HTTP proxy that knows one way only: to `port` of this machine; what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[bytes] = []
        self.port = self.leads_to = 0
        self._status = status

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://somebody:{PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        writer.write(f"HTTP/1.1 {self._status} so\r\n\r\n".encode())
        if self._status != 200:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        ways = [_copy(reader, back), _copy(there, writer)]
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def test_a_proxy_is_asked_for_the_venue_and_sees_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, venue, proxy = Authority(tmp_path), Venue(), Proxy()
    async with venue.at("127.0.0.1", authority.serving(HOST)), proxy.serving() as url:
        proxy.leads_to = venue.port
        monkeypatch.setenv("HTTPS_PROXY", url)
        async with running(Given(line(authority, venue.port))):
            await until(lambda: venue.came)
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT {HOST}:{venue.port} ".encode())
    assert b"Proxy-Authorization: Basic " in head
    assert CANARY.encode() not in head


async def test_the_hub_is_asked_through_the_proxy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, proxy = Authority(tmp_path), Proxy()
    async with hub(authority.serving(HOST), host=HOST) as served, proxy.serving() as url:
        proxy.leads_to = urlsplit(served.url).port or 0
        monkeypatch.setenv("https_proxy", url)
        await negotiate(served.url, Secret(CANARY), timeout_seconds=5, ca_file=str(authority.file))
    (head,) = proxy.asked
    assert head.startswith(b"CONNECT venue.example:")
    assert served.asked[0][1] == f"Bearer {CANARY}"


@pytest.mark.parametrize("status", [407, 502])
async def test_a_proxy_that_refuses_is_told_without_its_password(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, proxy = Authority(tmp_path), Proxy(status)
    async with proxy.serving() as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        given = Given(line(authority, 443))
        async with running(given):
            await until(lambda: sum(given.feed.reconnects.values()) > 1)
            doubt = given.feed.status().doubt
        with pytest.raises(NotOpened) as caught:
            await negotiate(f"https://{HOST}/hub", Secret(CANARY), timeout_seconds=5)
    assert doubt is not None
    assert str(status) in doubt.reason
    assert PASSWORD not in doubt.reason + str(caught.value)
    assert redacted(f"x {PASSWORD}") == "x Secret(hidden)"


def test_which_proxy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    there = urlsplit(f"wss://{HOST}/ws")
    assert proxy_for(there) is None
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    assert proxy_for(there) == "http://all:1"
    monkeypatch.setenv("HTTPS_PROXY", "secure:2")
    assert proxy_for(there) == "http://secure:2"
    monkeypatch.setenv("WSS_PROXY", "https://sockets:3/")
    assert proxy_for(there) == "https://sockets:3"
    for own in ("ws://127.0.0.1:1/", "wss://localhost/", "wss://[::1]/"):
        assert proxy_for(urlsplit(own)) is None
    monkeypatch.setenv("NO_PROXY", "other.example,.example")
    assert proxy_for(there) is None


@pytest.mark.parametrize(
    "text",
    [
        f"socks5://somebody:{PASSWORD}@proxy:1080",
        f"ftp://{PASSWORD}@proxy",
        "http://",
        "http://[::1",
        "http://proxy:port",
        f"http://somebody@proxy?{PASSWORD}",
    ],
)
def test_a_proxy_that_cannot_be_one_is_one_clear_line(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", text)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        check_reach(f"wss://{HOST}/ws", None)
    assert PASSWORD not in str(caught.value)


async def test_what_netrc_says_of_a_venue_is_not_asked_for(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be sent in place of the key, or end the producer."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    authority = Authority(tmp_path)
    names.addresses = ["127.0.0.1"]
    async with hub(authority.serving(HOST), host=HOST) as served:
        await negotiate(served.url, Secret(CANARY), timeout_seconds=5, ca_file=str(authority.file))
    assert served.asked[0][1] == f"Bearer {CANARY}"
