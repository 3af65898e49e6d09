"""Hercle's negotiation and lines, against a small hub: tokens in headers, never in URLs."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from aiohttp import web

from producers.connection import KeyRefused, NotOpened
from producers.errors import WrongKey
from producers.hercle import HercleLine, HercleSettings
from producers.hercle.negotiate import Endpoint, negotiate
from producers.logs import quiet_libraries
from producers.outcomes import ReconnectReason
from schemas.secrets import Secret
from tests.producers import frames
from tests.producers.worlds import CANARY, SHORT, Given, running, until

ANSWER = {
    "negotiateVersion": 1,
    "connectionId": "id-1",
    "connectionToken": "token/1+",
    "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
}


class Hub:
    """What was asked, and what is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str | None]] = []
        self.upgraded: list[tuple[str, str | None, str | None]] = []
        self.answers: Callable[[int], object] = lambda _: ANSWER
        self.socket_status = 101
        self.talks: Callable[[web.WebSocketResponse], object] | None = None

    async def negotiate(self, request: web.Request) -> web.Response:
        self.asked.append((str(request.rel_url), request.headers.get("Authorization")))
        answer = self.answers(len(self.asked))
        if isinstance(answer, web.Response):
            return answer
        return web.json_response(answer, headers={"Set-Cookie": "server=7; Path=/"})

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        headers = request.headers
        self.upgraded.append(
            (str(request.rel_url), headers.get("Authorization"), headers.get("Cookie"))
        )
        if self.socket_status != 101:
            return web.Response(status=self.socket_status)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        await self.talks(socket)
        return socket


@asynccontextmanager
async def hub(
    tls: ssl.SSLContext | None = None, *, at: str = "127.0.0.1", host: str | None = None
) -> AsyncIterator[Hub]:
    """A hub at an address; `host` is what its URL calls it."""
    served = Hub()
    app = web.Application()
    app.router.add_post("/hub/negotiate", served.negotiate)
    app.router.add_get("/hub", served.upgrade)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, at, 0, ssl_context=tls).start()
    scheme = "http" if tls is None else "https"
    served.url = f"{scheme}://{host or at}:{runner.addresses[0][1]}/hub"
    try:
        yield served
    finally:
        await runner.cleanup()


async def ask(served: Hub) -> Endpoint:
    return await negotiate(served.url, Secret(CANARY), timeout_seconds=5)


async def test_the_key_is_a_bearer_token_and_the_connection_token_an_id() -> None:
    async with hub() as served:
        endpoint = await ask(served)
    assert served.asked == [("/hub/negotiate?negotiateVersion=1", f"Bearer {CANARY}")]
    assert endpoint.url == served.url.replace("http", "ws", 1) + "?id=token%2F1%2B"
    headers = {"Authorization": f"Bearer {CANARY}", "Cookie": "server=7"}
    assert endpoint.headers() == headers
    assert CANARY not in repr(endpoint)


async def test_an_older_server_knows_the_connection_by_its_id() -> None:
    async with hub() as served:
        served.answers = lambda _: {"connectionId": "id-0"}
        assert (await ask(served)).url.endswith("?id=id-0")


async def test_a_redirect_is_followed_with_the_token_that_it_gives() -> None:
    async with hub() as served:
        moved = {"url": served.url + "?hub=live", "accessToken": "second-token"}
        served.answers = lambda times: moved if times == 1 else ANSWER
        endpoint = await ask(served)
    assert served.asked[1] == (
        "/hub/negotiate?hub=live&negotiateVersion=1",
        "Bearer second-token",
    )
    assert endpoint.url.endswith("/hub?hub=live&id=token%2F1%2B")
    assert endpoint.headers()["Authorization"] == "Bearer second-token"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        ({"error": "closed\n" + CANARY}, "handshake_refused", "closed Secret(hidden)"),
        ({"url": "http://example.com/hub"}, "protocol_error", "redirected to a URL that http://"),
        ({"url": "https://u:p@example.com/"}, "protocol_error", "redirected to a URL that must"),
        ({"url": "/hub"}, "protocol_error", "redirected to a URL that must be"),
        ({}, "protocol_error", "no connection token"),
        ({"connectionToken": 5}, "protocol_error", "cannot be read"),
        ([], "protocol_error", "cannot be read"),
        (
            ANSWER | {"availableTransports": [{"transport": "LongPolling"}]},
            "protocol_error",
            "the hub offers no WebSockets, which this producer needs, but LongPolling",
        ),
        (ANSWER | {"availableTransports": []}, "protocol_error", "but nothing"),
        (
            ANSWER
            | {"availableTransports": [{"transport": "WebSockets", "transferFormats": ["Binary"]}]},
            "protocol_error",
            "takes no text",
        ),
        ("x" * 100_000, "protocol_error", "too large"),
    ],
    ids=range(11),
)
async def test_answers_that_are_of_no_use(answer: object, reason: str, words: str) -> None:
    async with hub() as served:
        served.answers = lambda _: answer
        with pytest.raises(NotOpened) as caught:
            await ask(served)
    assert caught.value.reason == reason
    assert words in caught.value.detail
    assert CANARY not in str(caught.value)


async def test_redirects_have_an_end() -> None:
    async with hub() as served:
        served.answers = lambda _: {"url": served.url}
        with pytest.raises(NotOpened, match="more than 5 redirects"):
            await ask(served)
    assert len(served.asked) == 6


async def test_a_token_that_is_no_header_is_not_sent() -> None:
    async with hub() as served:
        served.answers = lambda _: {"url": served.url, "accessToken": "a\r\nb"}
        with pytest.raises(NotOpened):
            await ask(served)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_told_by_the_negotiation(status: int) -> None:
    async with hub() as served:
        served.answers = lambda _: web.Response(status=status)
        with pytest.raises(KeyRefused, match=f"HTTP {status}"):
            await ask(served)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
async def test_other_statuses_are_tried_again(status: int) -> None:
    async with hub() as served:
        headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else None
        served.answers = lambda _: web.Response(status=status, headers=headers)
        with pytest.raises(NotOpened, match=f"HTTP {status}") as caught:
            await ask(served)
    assert caught.value.reason is ReconnectReason.HANDSHAKE_REFUSED


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_to_be_left_alone_is_kept(status: int) -> None:
    async with hub() as served:
        headers = {"Retry-After": "77"}
        served.answers = lambda _: web.Response(status=status, headers=headers)
        with pytest.raises(NotOpened, match="asks us to wait for 77 s") as caught:
            await ask(served)
    assert caught.value.wait_seconds == 77.0


async def test_a_hub_that_is_not_there_is_tried_again() -> None:
    async with hub() as served:
        pass
    with pytest.raises(NotOpened) as caught:
        await ask(served)
    assert caught.value.reason is ReconnectReason.UNREACHABLE


def line(served: Hub, **changes: object) -> HercleLine:
    settings = {
        "url": served.url,
        "api_keys": (Secret(CANARY),),
        "client_id": "me",
        "poll_seconds": Decimal("0.05"),
        "deadlines": SHORT,
    }
    return HercleLine(HercleSettings(**settings | changes), 1)


async def balances(socket: web.WebSocketResponse) -> None:
    """A hub that shakes hands and answers each question, with a ping in front."""
    await socket.receive()
    await socket.send_str("{}\x1e")
    async for message in socket:
        for text in message.data.split("\x1e")[:-1]:
            if json.loads(text).get("target") == "GetBalances":
                await socket.send_str('{"type":6}\x1e' + frames.HERCLE.decode() + "\x1e")


async def test_balances_come_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    async with hub() as served:
        served.talks = balances
        given = Given(line(served))
        async with running(given):
            await given.published.until(3)
    frame, key, headers = given.published.records[2]
    assert (frame, key, headers.receipt) == (frames.HERCLE, b"user-123", 3)
    assert (headers.venue, headers.feed) == ("hercle", "account.balances.snapshot")
    (url, bearer, cookie), *_ = served.upgraded
    assert (url, bearer, cookie) == ("/hub?id=token%2F1%2B", f"Bearer {CANARY}", "server=7")
    assert CANARY not in caplog.text


async def test_a_silent_hub_is_left_although_its_socket_lives() -> None:
    async def silent(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("{}\x1e")
        async for _ in socket:
            pass

    async with hub() as served:
        served.talks = silent
        given = Given(line(served, poll_seconds=Decimal(60)))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.SILENT] >= 1)


async def test_after_a_close_message_what_follows_is_kept_and_the_hub_asked_anew() -> None:
    async def leave(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        close = '{"type": 7, "allowReconnect": true}\x1e'
        await socket.send_str("{}\x1e" + close)
        await socket.send_str(frames.HERCLE.decode() + "\x1e")
        await socket.close()

    async with hub() as served:
        served.talks = leave
        given = Given(line(served))
        async with running(given):
            await given.published.until(2)
    assert given.published.order[:2] == [(5_001, 1), (5_002, 1)]
    assert given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE] >= 1


async def test_a_wrong_key_may_also_be_told_by_the_websocket() -> None:
    async with hub() as served:
        served.socket_status = 401
        with pytest.raises(WrongKey, match="HEADROOM_HERCLE_API_KEY"):
            await asyncio.wait_for(Given(line(served)).feed.run(), 10)
        served.socket_status = 404
        given = Given(line(served))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.HANDSHAKE_REFUSED] >= 2)
