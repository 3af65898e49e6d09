"""Questions to another worker: what of its answer is believed, and who is asked how often.

The other worker is a socket that says what a test wants, in the pieces that it wants.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.http import lines
from processors.http.fellows import Fellows
from processors.http.lines import LineLost, Lines, Odd, Place, Said, place_of, request_of
from schemas.secrets import Secret
from tests.schemas.strategies import PROPERTY

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
PLAIN = HEAD + b'ETag: W/"1-a"\r\nContent-Length: 2\r\n\r\n{}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
GONE = b"<gone>"


class Other:
    """Who is asked: `said` are its answers in turn, the last one for ever; at `GONE` it closes."""

    def __init__(self, *said: bytes) -> None:
        self.said = list(said)
        self.heard: list[bytes] = []
        self.connected = 0
        self.at_once = self.at_once_seen = 0
        self.gate: asyncio.Event | None = None
        self.meetings: set[Any] = set()
        self.url = ""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        self.meetings.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heard.append(await reader.readuntil(b"\r\n\r\n"))
                self.at_once += 1
                self.at_once_seen = max(self.at_once, self.at_once_seen)
                if self.gate is not None:
                    await self.gate.wait()
                self.at_once -= 1
                said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
                writer.write(said.removesuffix(GONE))
                await writer.drain()
                if said.endswith(GONE):
                    break
        writer.transport.abort()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Other"]:
        server = await asyncio.start_server(self.meet, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            if self.gate is not None:
                self.gate.set()
            await asyncio.gather(*self.meetings)

    @property
    def place(self) -> Place:
        found = place_of(self.url)
        assert found is not None
        return found


Ask = Callable[..., Any]


@contextlib.asynccontextmanager
async def asking(other: Other, at_once_max: int = 10) -> AsyncIterator[Ask]:
    """A way to ask the other one."""
    made = Lines(at_once_max)

    async def ask(*, seconds: float = 20.0, again: bool = True) -> Said:
        request = request_of(other.place, "/a?b", {})
        return await made.ask(other.place, request, seconds=seconds, again=again)

    async with other.listening():
        try:
            yield ask
        finally:
            made.close()


def read(*pieces: bytes) -> Said | Exception | None:
    """What a line makes of the pieces of an answer; None: it waits for more."""
    loop: Any = asyncio.new_event_loop()
    try:
        line = lines._Line(set())
        line._answer = loop.create_future()
        for piece in pieces:
            line.data_received(piece)
        if not line._answer.done():
            return None
        return line._answer.exception() or line._answer.result()
    finally:
        loop.close()


@given(st.lists(st.integers(0, len(PLAIN)), max_size=4))
@PROPERTY
def test_in_whatever_pieces_an_answer_comes_it_is_the_same(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(PLAIN)]
    pieces = [PLAIN[one:other] for one, other in itertools.pairwise(at)]
    said = read(*pieces)
    assert isinstance(said, Said)
    assert (said.status, said.content_type, said.body) == (200, "application/json", b"{}")
    assert said.headers["etag"] == 'W/"1-a"'
    assert read(PLAIN[:-1]) is None


@pytest.mark.parametrize(
    "said",
    [
        CHUNKED,
        HEAD + b"\r\n{}",
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Length: -2\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\n X: folded\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nX : 1\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nX: 1\nY: 2\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_not_plain_is_odd(said: bytes) -> None:
    assert isinstance(read(said), Odd)


def test_without_a_body_no_length_is_needed() -> None:
    said = read(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
    assert isinstance(said, Said)
    assert (said.status, said.body) == (304, b"")


def test_nothing_can_be_put_into_a_request() -> None:
    place = place_of("http://one:80/behind/")
    assert place == Place("one", 80, "one", "/behind")
    bytes_ = request_of(place, "/a%0A", {"X": "é"}, b"{}")
    assert bytes_.startswith(b"POST /behind/a%0A HTTP/1.1\r\nHost: one\r\nX: \xc3\xa9\r\n")
    assert bytes_.endswith(b"\r\n\r\n{}")
    for path, headers in (
        ("/a b", {}),
        ("/a\r\nX: 1", {}),
        ("/a", {"X": "1\nY: 2"}),
        ("/a", {"X": "1\0"}),
        ("/\udcff", {}),
    ):
        with pytest.raises(Odd):
            request_of(place, path, headers)


@pytest.mark.parametrize("url", ["https://one:1", "http://u:p@one", "one:1", "", "http://[::1"])
def test_what_is_not_plainly_http_has_no_place(url: str) -> None:
    assert place_of(url) is None


async def test_a_connection_is_kept_for_the_next_question() -> None:
    other = Other(PLAIN)
    async with asking(other) as ask:
        for _ in range(5):
            assert (await ask()).body == b"{}"
        assert other.connected == 1


@pytest.mark.parametrize("after", [b"more", b""])
async def test_a_connection_that_says_more_or_means_to_close_is_not_kept(after: bytes) -> None:
    closing = PLAIN.replace(b"ETag", b"Connection: close\r\nETag")
    other = Other(PLAIN + after if after else closing)
    async with asking(other) as ask:
        for _ in range(2):
            assert (await ask()).body == b"{}"
        assert other.connected == 2


async def test_who_is_gone_when_asked_once_more_is_asked_anew() -> None:
    """As where the other end closes what lay idle, just then; but nothing that may not be twice."""
    other = Other(PLAIN, GONE, PLAIN, GONE, PLAIN)
    async with asking(other) as ask:
        await ask()
        assert (await ask()).body == b"{}"
        assert (other.connected, len(other.heard)) == (2, 3)
        with pytest.raises(LineLost):
            await ask(again=False)


async def test_a_new_connection_that_is_lost_is_no_answer() -> None:
    other = Other(GONE)
    async with asking(other) as ask:
        with pytest.raises(LineLost):
            await ask()
        assert other.connected == 1
    with pytest.raises(OSError, match="Connect call failed"):
        await Lines(1).ask(other.place, b"", seconds=5.0, again=True)


async def test_a_part_of_an_answer_is_none_and_it_is_not_asked_twice() -> None:
    other = Other(PLAIN, PLAIN[:-1] + GONE, PLAIN)
    async with asking(other) as ask:
        await ask()
        with pytest.raises(LineLost) as caught:
            await ask()
        assert caught.value.begun
        assert len(other.heard) == 2


async def test_who_does_not_answer_in_time_is_not_asked_again_over_this_connection() -> None:
    other = Other(PLAIN)
    async with asking(other) as ask:
        await ask()
        other.gate = asyncio.Event()
        with pytest.raises(TimeoutError):
            await ask(seconds=0.01)
        other.gate.set()
        other.said = [PLAIN.replace(b"{}", b"[]")]
        assert (await ask()).body == b"[]"
        assert other.connected == 2


async def test_no_more_are_asked_at_once_than_may_be_and_all_get_their_answer() -> None:
    other = Other(PLAIN)
    other.gate = asyncio.Event()
    async with asking(other, at_once_max=3) as ask:
        asked = [asyncio.create_task(ask()) for _ in range(10)]
        async with asyncio.timeout(20):
            while other.at_once < 3:
                await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await ask(seconds=0.01)
        other.gate.set()
        assert {one.body for one in await asyncio.gather(*asked)} == {b"{}"}
        assert other.at_once_seen == 3


async def test_who_does_not_speak_as_workers_do_is_asked_by_another_client_for_a_while() -> None:
    """That one says what it is (`User-Agent`)."""
    other = Other(CHUNKED, CHUNKED, CHUNKED, PLAIN)
    fellows = Fellows(Secret("canary-0123456789"), timeout=aiohttp.ClientTimeout(total=20))
    async with other.listening():
        for _ in range(2):
            said = await fellows.answer(
                other.url, "/a?b", headers={"If-None-Match": '"x"'}, seconds=20
            )
            assert (said.status, said.content_type, said.body) == (200, "application/json", b"{}")
        fellows._odd[other.url] = 0.0
        await fellows.answer(other.url, "/a?b", headers={"If-None-Match": '"x"'}, seconds=20)
        await fellows.close()
    assert [b"User-Agent" in heard for heard in other.heard] == [False, True, True, False]
    for heard in other.heard:
        assert heard.startswith(b"GET /a?b HTTP/1.1\r\n")
        assert b"Authorization: Bearer canary-0123456789\r\n" in heard
        assert b'If-None-Match: "x"\r\n' in heard
        assert b"Accept-Encoding: identity\r\n" in heard
        assert b"X-Headroom-Forwarded: 1\r\n" in heard


async def test_a_question_that_is_odd_makes_nobody_so() -> None:
    other = Other(PLAIN)
    fellows = Fellows(None, timeout=aiohttp.ClientTimeout(total=20))
    async with other.listening():
        for tag in ('"\udcff"', '"a"'):
            headers = {"If-None-Match": tag}
            said = await fellows.answer(other.url, "/a", headers=headers, seconds=20)
            assert said.body == b"{}"
        await fellows.close()
    assert [b"User-Agent" in heard for heard in other.heard] == [True, False]
