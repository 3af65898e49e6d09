"""What another worker tells is read once for all who want it; nobody misses or repeats any."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import aiohttp
import pytest

from processors.http.events import text
from processors.http.events.common import JOINED_BYTES, KEPT_MAX, Common, Commons
from processors.http.events.log import Place, told
from processors.http.events.reader import Part
from processors.http.events.relay import Relays
from processors.http.events.wanted import Wanted
from tests.processors.events.reading import Stream, reading
from tests.processors.events.site import Site, serving
from tests.processors.events.test_readers import tells
from tests.processors.events.test_readers import told as told_to

READERS = "headroom_http_event_readers"
ALL = Wanted(frozenset({"balances"}))


class Fellow:
    """Another worker, whose stretches a test writes; `asked` counts who reads it."""

    def __init__(self) -> None:
        self.asked = 0
        self.stretches: asyncio.Queue[text.Stretch | None] = asyncio.Queue()

    async def read(
        self, owner: str, partitions: frozenset[int], wanted: Wanted
    ) -> AsyncGenerator[text.Stretch, None]:
        self.asked += 1
        while (stretch := await self.stretches.get()) is not None:
            yield stretch

    def control(self, kind: str, **places: int) -> None:
        numbers = sorted(int(name[1:]) for name in places)
        self._put(text.control(kind, partitions=numbers), **places)

    def tell(self, word: str, **places: int) -> None:
        self._put(text.event("balances", b'"%b"' % word.encode()) if word else b"", **places)

    def _put(self, events: bytes, **places: int) -> None:
        self.stretches.put_nowait(text.Stretch(events, told(placed(**places))))


def placed(**places: int) -> dict[int, Place]:
    return {int(name[1:]): Place("life", seq) for name, seq in places.items()}


async def test_all_are_told_the_same_from_where_they_are() -> None:
    fellow, both = Fellow(), frozenset({1, 2})
    commons = Commons(fellow.read)
    with commons.held("there", both, ALL) as common, commons.held("there", both, ALL) as other:
        assert common is other
        assert common.number_of({}) is None
        # It comes to know one after the other; what it tells meanwhile is for nobody yet.
        fellow.control("current", p1=4)
        fellow.tell("early", p1=5)
        fellow._put(text.control("current", partitions=[2]), p1=5, p2=7)
        assert await common.newest() == placed(p1=5, p2=7)
        start = common.number_of(placed(p1=5, p2=7))
        assert start is not None
        # A stretch of one partition leaves the place in the other as it is.
        fellow.tell("a", p1=6)
        number, first = await common.following(start) or (0, None)
        assert first is not None
        assert (first.events, first.after) == (b'event: balances\ndata: "a"\n', placed(p1=6, p2=7))
        assert common.number_of(placed(p1=6, p2=7)) == number
        assert common.is_newest(number)
        fellow.tell("", p2=8)
        _, second = await common.following(number) or (0, None)
        assert second is not None
        assert (second.events, second.after) == (b"", placed(p1=6, p2=8))
        # Who is behind is told all that follows at once, but for what is too much.
        last, both_of_them = await common.following(start) or (0, None)
        assert both_of_them == (first.events, second.after)
        fellow.tell("b" * JOINED_BYTES, p1=9)
        fellow.tell("c", p1=10)
        while common.number_of(placed(p1=10, p2=8)) is None:
            await asyncio.sleep(0)
        after, third = await common.following(last) or (0, None)
        assert third is not None
        assert third.after == placed(p1=9, p2=8)
        assert not common.is_newest(after)
        # Nobody is at a place that was never told.
        assert common.number_of(placed(p1=5, p2=8)) is None
        assert common.number_of(placed(p1=6)) is None
    assert fellow.asked == 1
    with commons.held("there", both, ALL) as again:
        assert again is not common
    await commons.close()


async def test_who_is_too_slow_for_the_others_goes_its_own_way() -> None:
    fellow = Fellow()
    commons = Commons(fellow.read)
    with commons.held("there", frozenset({1}), ALL) as common:
        fellow.control("current", p1=0)
        await common.newest()
        for seq in range(1, KEPT_MAX + 2):
            fellow.tell("x", p1=seq)
        while common.number_of(placed(p1=KEPT_MAX + 1)) is None:
            await asyncio.sleep(0)
        assert common.number_of(placed(p1=0)) is None
        assert await common.following(0) is None
        number = common.number_of(placed(p1=1))
        assert number is not None
        assert await common.following(number) is not None
    await commons.close()


@pytest.mark.parametrize("kind", ["reset", "moved", "current", None])
async def test_what_each_has_to_hear_for_itself_is_the_end(kind: str | None) -> None:
    fellow = Fellow()
    commons = Commons(fellow.read)
    with commons.held("there", frozenset({1}), ALL) as common:
        fellow.control("current", p1=3)
        assert await common.newest() == placed(p1=3)
        number = common.number_of(placed(p1=3))
        assert number is not None
        if kind is None:
            fellow.stretches.put_nowait(None)
        else:
            fellow.control(kind, p1=4)
        assert await common.following(number) is None
        assert common.number_of(placed(p1=3)) is None
        assert await common.newest() is None
        # Whoever comes now begins another one.
        with commons.held("there", frozenset({1}), ALL) as other:
            assert other is not common
    await commons.close()


async def test_one_that_never_begins_is_over() -> None:
    async def refuse(*_: object) -> AsyncGenerator[text.Stretch, None]:
        raise aiohttp.ClientConnectionError
        yield

    commons = Commons(refuse)
    with commons.held("there", frozenset({1}), ALL) as common:
        assert await common.newest() is None
    common = Common(frozenset({1, 2}))
    fellow = Fellow()
    fellow.control("current", p1=3)
    fellow.stretches.put_nowait(None)
    await common.run(fellow.read("there", frozenset({1, 2}), ALL))
    assert await common.newest() is None
    await commons.close()


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Site, Site, str]]:
    """Two workers, a partition each; the address of the first."""
    here, there = Site(partitions=2), Site(partition=1, partitions=2)
    async with serving(here) as url, serving(there) as other_url:
        there.hub.url = other_url
        there.owners = {0: url, 1: other_url}
        here.owners = {0: "here", 1: other_url}
        yield here, there, url


async def until_read_by(site: Site, count: int) -> None:
    async with asyncio.timeout(30):
        while site.counted(READERS) != count:
            await asyncio.sleep(0.01)


async def test_many_readers_of_one_worker_are_one_of_another() -> None:
    """Also those who come with a past, or want all first: as soon as they are at the newest."""
    async with two() as (here, there, url), AsyncExitStack() as stack:
        streams = list[Stream]()
        for _ in range(4):
            stream = await stack.enter_async_context(reading(url, "?kind=balances"))
            await stream.all_current({0, 1})
            streams.append(stream)
        await until_read_by(there, 1)
        there.rows.put("a", 1)
        here.rows.put("b", 1)
        for stream in streams:
            for user in ("sfox:a", "sfox:b"):
                if (user, 1) not in told_to(stream):
                    await stream.until(tells(user, 1))  # type: ignore[arg-type]
        last_id = streams[0].last_id
        there.rows.put("a", 2)
        for stream in streams:
            await stream.until(tells("sfox:a", 2))  # type: ignore[arg-type]
        past = await stack.enter_async_context(reading(url, "?kind=balances", last_id=last_id))
        all_first = await stack.enter_async_context(reading(url, "?kind=balances&snapshot=true"))
        for late in (past, all_first):
            await late.all_current({0, 1})
        version = 2
        while there.counted(READERS) > 1:
            version += 1
            there.rows.put("a", version)
            for stream in (*streams, past, all_first):
                await stream.until(tells("sfox:a", version))  # type: ignore[arg-type]
        assert told_to(past) == [("sfox:a", n) for n in range(2, version + 1)]
        assert {e.kind for e in past.seen} == {"current", "balances"}
        for stream in streams:
            seen = [one for one in told_to(stream) if one[0] == "sfox:a"]
            assert seen == [("sfox:a", n) for n in range(1, version + 1)]


class Asking(Relays):
    """Asks nobody: each time one of these answers is given, which ends once a reader was told."""

    def __init__(self, *answers: list[text.Stretch]) -> None:
        super().__init__(None)
        self.asked: list[dict[str, str]] = []
        self.told = asyncio.Event()
        self._answers = iter(answers)

    async def _read(
        self, owner: str, asked: list[tuple[str, str]]
    ) -> AsyncGenerator[text.Stretch, None]:
        self.asked.append(dict(asked))
        for stretch in next(self._answers, []):
            yield stretch
        await self.told.wait()


async def test_once_it_was_told_anything_a_reader_goes_on_from_there() -> None:
    """Also where what was read for all ends at once: it has a past then."""
    current = text.Stretch(text.control("current", partitions=[1]), told(placed(p1=3)))
    event = text.Stretch(text.event("balances", b'{"user":"a"}'), told(placed(p1=4)))
    relays = Asking([current], [event])
    sent, places = list[bytes](), dict[int, Place]()

    async def send(stretch: bytes, after: Mapping[int, Place], **_: object) -> None:
        sent.append(stretch)
        places.update(after)
        relays.told.set()

    known = list[frozenset[int]]()
    reader = SimpleNamespace(
        wanted=ALL,
        out=SimpleNamespace(send=send, places=places),
        current=known.append,
        is_gone=lambda: False,
        hub=SimpleNamespace(pace_seconds=0),
    )
    await relays(Part("http://there", [1], begins_now=True, is_asked=False), reader)  # type: ignore[arg-type]
    assert sent == [current.text, event.text]
    assert known == [{1}]
    # For all from now on, then for this one alone from where it was.
    assert [asked.get("last_event_id") for asked in relays.asked[:2]] == [None, "1.life.3"]
    await relays.close()


async def test_readers_of_a_worker_that_goes_are_told_and_go_on_once_it_is_back() -> None:
    async with two() as (here, there, url), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(reading(url, "?kind=balances")) for _ in range(3)
        ]
        for stream in streams:
            await stream.all_current({0, 1})
        await until_read_by(there, 1)
        there.rows.put("a", 1)
        for stream in streams:
            await stream.until(tells("sfox:a", 1))  # type: ignore[arg-type]
        there.cut()
        there.rows.put("a", 2)
        for stream in streams:
            found = await stream.until(tells("sfox:a", 2))  # type: ignore[arg-type]
            assert "reset" not in {e.kind for e in found}
            assert told_to(stream) == [("sfox:a", 1), ("sfox:a", 2)]
        # One that wants other things has a connection of its own.
        other = await stack.enter_async_context(reading(url, "?kind=balances&user=sfox:a"))
        here.app.partition_of = lambda _: 1
        other = await stack.enter_async_context(reading(url, "?kind=balances&user=sfox:a"))
        await other.all_current({1})
        there.rows.put("a", 3)
        await other.until(tells("sfox:a", 3))  # type: ignore[arg-type]
