"""Requests that cannot be read, over real sockets: neither answer nor log quotes them."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from processors.http.access import Access, Grant, hashed
from processors.http.server import Server
from processors.http.waiting import waiting
from schemas.secrets import Secret
from tests.processors.events.site import Site

TOKEN = "canary-token-0123456789-0123456789"
WORKER = "canary-worker-0123456789-0123456789"


class Questions:
    def routes(self) -> list[web.RouteDef]:
        async def boom(request: web.Request) -> web.Response:
            raise ValueError(f"unforeseen {request.path_qs} {request.headers['Authorization']}")

        async def body(request: web.Request) -> web.Response:
            return web.Response(text=await request.text())

        return [web.get("/v1/boom", boom), web.put("/v1/body", body)]


@contextlib.asynccontextmanager
async def a_worker(listener: socket.socket) -> AsyncIterator[None]:
    app: Any = SimpleNamespace(serving=True, consumer=SimpleNamespace(stalled=list))
    metrics: Any = SimpleNamespace(registry=CollectorRegistry())
    questions: Any = Questions()
    access = Access([Grant("risk", hashed(TOKEN), None)], Secret(WORKER))
    async with Server(
        app, questions, Site().events, metrics, listener.dup(), access, not_serving_seconds=300.0
    ).serving():
        yield


def one_that_waits(listener: socket.socket) -> AbstractAsyncContextManager[None]:
    return waiting(listener, "not yet")


Serving = Callable[[socket.socket], AbstractAsyncContextManager[None]]


@pytest.fixture(params=[a_worker, one_that_waits])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    serving: Serving = request.param
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving(listener):
            yield listener.getsockname()[1]


async def said(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer, after which the connection is at its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = (line.partition(": ")[::2] for line in head[1:-2])
            headers = {name.lower(): value for name, value in fields}
            body = await reader.readexactly(int(headers["content-length"]))
            if headers.get("connection") == "close":
                assert await reader.read() == b""
            return int(head[0].split()[1]), headers, body
    finally:
        writer.close()


def get(path: str, *headers: str, token: str = TOKEN) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: w", f"Authorization: Bearer {token}", *headers, "", ""]
    return "\r\n".join(lines).encode()


UNREADABLE = {
    "a token with a control character": get("/v1/users", token=TOKEN + "\x01"),
    "a token with a bare CR": get("/v1/users", token=TOKEN + "\rx"),
    "a token with a NUL": get("/v1/users", token=TOKEN + "\0"),
    "a header's name": get("/v1/users", f"{TOKEN} x: 1"),
    "a header that is too long": get("/v1/users", "X: " + TOKEN * 300),
    "no header at all": get("/v1/users", TOKEN),
    "a method": b"canary\x01 / HTTP/1.1\r\nHost: w\r\n\r\n",
    "a version": b"GET /canary HTTP/canary\r\nHost: w\r\n\r\n",
    "a target": b"GET http://[canary/ HTTP/1.1\r\nHost: w\r\n\r\n",
    "a length": get("/v1/users", "Content-Length: canary"),
    "a coding": get("/v1/users", "Transfer-Encoding: canary"),
    "no HTTP": b"canary\x16\x03\x01\r\n\r\n",
}


@pytest.mark.parametrize("request_", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_cannot_be_read_is_400_and_quoted_nowhere(
    port: int, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    status, headers, body = await said(port, request_)
    assert (status, headers["connection"]) == (400, "close")
    assert headers["content-type"].startswith("application/problem+json")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "this request cannot be read",
    }
    assert "canary" not in caplog.text + repr(headers) + repr(caplog.records)
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert len(lines[0].getMessage()) < 200


async def test_many_that_cannot_be_read_are_a_line(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        assert (await said(port, UNREADABLE["a token with a NUL"]))[0] == 400
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == 1


async def test_a_body_that_cannot_be_read_is_quoted_nowhere(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The head is read and answered, and what follows it is no chunk."""
    request = get("/v1/users", "Transfer-Encoding: chunked") + b"canary\r\ncanary\r\n"
    status, _, body = await said(port, request)
    assert status >= 400
    assert b"canary" not in body
    assert "canary" not in caplog.text


@pytest.mark.parametrize("serving", [a_worker])
async def test_a_body_that_is_asked_for_and_cannot_be_read_is_400(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    request = get("/v1/body", "Transfer-Encoding: chunked").replace(b"GET", b"PUT")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving(listener):
            status, _, body = await said(listener.getsockname()[1], request + b"canary\r\n")
    assert (status, json.loads(body)["detail"]) == (400, "this request cannot be read")
    assert "canary" not in caplog.text


async def test_an_unknown_expectation_is_a_problem_document(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    status, headers, body = await said(port, get("/livez", f"Expect: {TOKEN}"))
    assert status == 417
    assert headers["content-type"].startswith("application/problem+json")
    assert json.loads(body)["detail"] == "Expectation Failed"
    assert "canary" not in caplog.text


@pytest.mark.parametrize("serving", [a_worker])
async def test_a_method_that_is_not_allowed_is_told_which_are(serving: Serving) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving(listener):
            request = get("/livez").replace(b"GET", b"DELETE")
            status, headers, body = await said(listener.getsockname()[1], request)
    assert (status, json.loads(body)["status"]) == (405, 405)
    assert headers["content-type"].startswith("application/problem+json")
    assert set(headers["allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize("serving", [a_worker])
async def test_an_unforeseen_error_tells_where_and_quotes_nothing(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving(listener):
            answers = [
                await said(listener.getsockname()[1], get("/v1/boom?canary")) for _ in range(3)
            ]
    assert {(status, json.loads(body)["detail"]) for status, _, body in answers} == {
        (500, "see the worker's log")
    }
    (line,) = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert "ValueError" in line
    assert "test_unreadable.py" in line
    assert "canary" not in caplog.text
