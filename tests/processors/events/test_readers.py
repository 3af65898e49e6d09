"""Readers of one worker's events: slow ones, many, and those whose partition is restored."""

import asyncio
import gzip
import socket
import zlib
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from processors.http.access import Access, Grant, hashed
from processors.http.events import hub, out
from processors.http.events.made import KEPT_SECONDS
from processors.http.events.wanted import Wanted
from schemas.secrets import Secret
from tests.processors.events.reading import Event, Stream, reading
from tests.processors.events.site import Site, serving


def told(stream: Stream) -> list[tuple[str, int]]:
    return [(e.data["user"], e.data["version"]) for e in stream.seen if e.kind == "balances"]


def tells(user: str, version: int) -> object:
    def is_it(event: Event) -> bool:
        return event.data.get("user") == user and event.data["version"] >= version

    return is_it


async def until_counted(site: Site, name: str, value: float, **labels: str) -> None:
    async with asyncio.timeout(30):
        while site.counted(name, **labels) < value:
            await asyncio.sleep(0.01)


async def test_who_does_not_read_is_cut_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is sent no more than a socket holds; who reads is told of the newest in the end."""
    monkeypatch.setattr(out, "SLOW_SECONDS", 0.5)
    site = Site()
    async with serving(site) as url, reading(url, "?kind=balances") as other:
        await other.until(lambda e: e.kind == "current")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            address = urlsplit(url)
            await asyncio.to_thread(slow.connect, (address.hostname, address.port))
            slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            await until_counted(site, "headroom_http_event_readers", 2)
            names = [f"{number}-{'x' * 2_000}" for number in range(40)]
            version = 0
            async with asyncio.timeout(60):
                while not site.counted("headroom_http_event_readers_cut_total", why="slow"):
                    version += 1
                    for name in names:
                        site.rows.put(name, version)
                    await other.until(tells(f"sfox:{names[-1]}", version))  # type: ignore[arg-type]
        site.rows.put("last", 1)
        await other.until(tells("sfox:last", 1))  # type: ignore[arg-type]
        await until_counted(site, "headroom_http_event_readers_cut_total", 1, why="slow")
        assert site.counted("headroom_http_event_readers") == 1


async def test_readers_are_so_many_and_a_place_that_is_left_is_free_again() -> None:
    site = Site(places_max=2)
    async with serving(site) as url, aiohttp.ClientSession() as session:
        async with reading(url) as one, reading(url) as other:
            for stream in (one, other):
                await stream.until(lambda e: e.kind == "current")
            async with session.get(f"{url}/v1/events") as response:
                assert response.status == 503
                assert "Retry-After" in response.headers
                assert response.content_type == "application/problem+json"
            assert site.counted("headroom_http_event_readers_cut_total", why="full") == 1
        async with asyncio.timeout(30):
            while site.counted("headroom_http_event_readers"):
                await asyncio.sleep(0.01)
        async with reading(url) as again:
            await again.until(lambda e: e.kind == "current")


async def test_many_readers_each_of_one_user_are_told_of_theirs_alone() -> None:
    site = Site(places_max=200)
    async with serving(site) as url, aiohttp.ClientSession() as session:
        answers = [await session.get(f"{url}/v1/events?user=sfox:{n}") for n in range(80)]
        streams = [Stream(answer) for answer in answers]
        for stream in streams:
            await stream.until(lambda e: e.kind == "current")
        for number in range(80):
            site.rows.put(str(number), 2)
        for number, stream in enumerate(streams):
            found = await stream.until(lambda e: e.kind == "balances")
            assert {e.data["user"] for e in found} == {f"sfox:{number}"}


async def test_many_changes_while_somebody_is_away_are_told_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they are by then; and where too many are forgotten, that and all anew."""
    monkeypatch.setattr(hub, "CHANGES_MAX", 12)
    site = Site()
    async with serving(site) as url:
        async with reading(url, "?kind=balances") as stream:
            await stream.until(lambda e: e.kind == "current")
            site.rows.put("a", 1)
            await stream.until(tells("sfox:a", 1))  # type: ignore[arg-type]
            last_id = stream.last_id
        async with reading(url, "?kind=balances&user=sfox:c") as other:
            for version in (2, 3, 4):
                site.rows.put("a", version)
                site.rows.put("c", version)
                await other.until(tells("sfox:c", version))  # type: ignore[arg-type]
        async with reading(url, "?kind=balances", last_id=last_id) as stream:
            await stream.until(tells("sfox:c", 4))  # type: ignore[arg-type]
            assert told(stream) == [("sfox:a", 4), ("sfox:c", 4)]
            assert "reset" not in {e.kind for e in stream.seen}
            for number in range(20):
                site.rows.put(f"more-{number}", 1)
            await stream.until(tells("sfox:more-19", 1))  # type: ignore[arg-type]
        async with reading(url, "?kind=balances", last_id=last_id) as stream:
            first = await stream.next()
            assert (first.kind, first.data["why"]) == ("reset", "too_old")
            await stream.until(lambda e: e.kind == "current")
            assert len(told(stream)) == 22


async def test_what_was_written_by_another_worker_ends_the_life_of_a_log() -> None:
    """A restore wrote rows of which nobody was told: all is told anew, to who reads on, too."""
    site = Site()
    async with serving(site) as url, reading(url, "?kind=balances") as stream:
        await stream.until(lambda e: e.kind == "current")
        site.rows.put("a", 1)
        await stream.until(tells("sfox:a", 1))  # type: ignore[arg-type]
        site.rows.unseen(0)
        again = await stream.until(lambda e: e.kind == "current")
        assert [e.kind for e in again] == ["moved", "reset", "balances", "current"]
        assert again[1].data["why"] == "another_life"


async def test_what_is_told_is_made_once_for_all_and_never_older_than_what_was_seen() -> None:
    site, wanted, now = Site(), Wanted(frozenset({"balances"})), 1_000.0
    site.hub._monotonic = lambda: now
    await site.hub._tick()
    log = site.hub.log(0)
    assert log is not None
    places = {0: log.place()}
    site.rows.put("a", 1)
    await site.hub._tick()
    first = await site.hub.news(wanted, places)
    assert b'"version":1' in first.text
    # The row is another one by now; who comes a moment later goes the same way, and is told after.
    site.rows.put("a", 2)
    assert (await site.hub.news(wanted, places)) is first
    await site.hub._tick()
    assert (await site.hub.news(wanted, places)) is first
    assert b'"version":2' in (await site.hub.news(wanted, first.places)).text
    # A quarter of a second later it gets old, and then it is forgotten.
    for later in (first, None):
        now += KEPT_SECONDS
        await site.hub._tick()
        found = await site.hub.news(wanted, places)
        assert (found is first) == (later is first)
    assert b'"version":2' in found.text
    # But whoever was shown all rows as they are now is not told what they were.
    site.rows.put("a", 3)
    page, _ = await site.hub.page(0, wanted, b"")
    assert b'"version":3' in page
    assert b'"version":3' in (await site.hub.news(wanted, places)).text


async def test_whose_token_counts_no_more_is_told_no_more() -> None:
    site = Site()
    access = Access([Grant(n, hashed(n), frozenset({"sfox:a"})) for n in "xy"], Secret("w" * 32))
    async with (
        serving(site, access) as url,
        reading(url, token="x") as over,
        reading(url, token="y") as other,
    ):
        for stream in (over, other):
            await stream.until(lambda e: e.kind == "current")
        access.replace([Grant("y", hashed("y"), frozenset({"sfox:a"}))])
        with pytest.raises(EOFError):
            await over.until(lambda _: False)
        site.rows.put("b", 1)
        site.rows.put("a", 1)
        found = await other.until(lambda e: e.kind == "balances")
        assert {e.data["user"] for e in found} == {"sfox:a"}


async def test_what_is_deleted_is_told_and_by_the_filters_that_it_had() -> None:
    site = Site()
    async with serving(site) as url, reading(url, "?kind=exposure&venue=sfox") as stream:
        await stream.until(lambda e: e.kind == "current")
        site.rows.put("a", 1, deleted=True)
        (event,) = await stream.until(lambda e: e.kind == "exposure")
        assert event.data == {"user": "sfox:a", "version": 1, "deleted": True}


async def test_who_takes_gzip_is_sent_the_same_in_less() -> None:
    """One whole gzip stream to its end, and each event is there as soon as it was sent."""
    site = Site()
    for number in range(300):
        site.rows.put(f"user-{number:03d}", 1)
    query = "/v1/events?snapshot=true&kind=balances"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with serving(site) as url:
            zipped = await session.get(url + query, headers={"Accept-Encoding": "br, gzip"})
            plain = await session.get(url + query, headers={"Accept-Encoding": "gzip;q=0"})
            for answer in (zipped, plain):
                assert answer.headers["Vary"] == "Accept-Encoding"
            assert zipped.headers["Content-Encoding"] == "gzip"
            assert "Content-Encoding" not in plain.headers
            sent = await _until(zipped, b"event: current", zlib.decompressobj(wbits=31))
            site.rows.put("one more", 1)
            sent += await _until(zipped, b"sfox:one more", None)
        sent += await zipped.content.read()
        said = await plain.content.read()
    # When each is told what differs: ids, what comes together, and what may come again.
    read = gzip.decompress(sent)
    assert _data(read) == _data(said)
    assert len([line for line in _data(read) if b'"accounts"' in line]) == 301
    assert len(sent) < len(read) / 4


def _data(stream: bytes) -> set[bytes]:
    return {line for line in stream.split(b"\n") if line.startswith((b"event: ", b"data: "))}


async def _until(answer: aiohttp.ClientResponse, wanted: bytes, reading: Any) -> bytes:
    """What is sent until this is there: read by `reading`, or as it is."""
    sent = seen = b""
    async with asyncio.timeout(30):
        while wanted not in seen:
            some = await answer.content.readany()
            assert some
            sent += some
            seen += some if reading is None else reading.decompress(some)
    return sent
