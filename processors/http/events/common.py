"""What another worker tells of all users, read once for all readers who want the same of it.

A reader who is at the newest goes on together with the others. Who comes with a past, wants all
first, or is too slow for the others is told over a connection of its own until it has caught up: a
place is exact, so it changes over without a gap, and without being told anything twice.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

import aiohttp

from processors.http.events import text
from processors.http.events.log import Place, Places, places_of
from processors.http.events.wanted import Wanted

KEPT_MAX: Final = 32
"""So many stretches are kept for readers who are behind the others."""
JOINED_BYTES: Final = 256 * 1024
"""About so much is told at once."""

Read = Callable[[str, frozenset[int], Wanted], AsyncGenerator[text.Stretch, None]]
"""What a worker tells of partitions from now on; it ends, or raises, where it tells no more."""
ERRORS: Final = (aiohttp.ClientError, TimeoutError, ConnectionError, ValueError)
"""Of one that does not answer, or not as it should."""


class Kept(NamedTuple):
    """Events, and how far who gets them is told then."""

    events: bytes
    after: dict[int, Place]


class Common:
    """What one worker tells of some partitions; `run` reads it as long as somebody is there."""

    def __init__(self, partitions: frozenset[int]) -> None:
        self.partitions = partitions
        self.held = 0
        # As it comes to know them, which is one after the other.
        self._current: set[int] = set()
        self._begins: dict[int, Place] = {}
        # The first of the kept has this number; the places are those before it.
        self._first = 0
        self._before: Places = {}
        self._kept: deque[Kept] = deque()
        # Readers go together: what follows for one does for the next.
        self._joined: tuple[int, int, int, Kept] | None = None
        self.is_over = False
        self._news: asyncio.Future[None] | None = None

    async def run(self, stretches: AsyncGenerator[text.Stretch, None]) -> None:
        """Read until it ends; whatever is no event ends it, and each reader sees for itself."""
        try:
            async with contextlib.aclosing(stretches):
                async for stretch in stretches:
                    if not self._take(stretch):
                        break
                    # Those who can take it do so now.
                    await asyncio.sleep(0)
        except ERRORS:
            pass  # who reads on for itself says so
        finally:
            self.is_over = True
            self._tell()

    def _take(self, stretch: text.Stretch) -> bool:
        """Keep a stretch; whether it is one that all may be told."""
        about = {n: p for n, p in places_of(stretch.id).items() if n in self.partitions}
        control = text.control_of(stretch.text) if stretch.text else None
        if self._before:
            if control is None:
                self._add(Kept(stretch.text, {**self._tail(), **about}))
            return control is None
        # Until all are told of what is told is nobody's: who comes begins after it.
        self._begins.update(about)
        if control is not None:
            kind, said = control
            if kind != "current":
                return False
            self._current.update(said.partitions)
        if self.partitions <= self._current and self.partitions == self._begins.keys():
            self._before = dict(self._begins)
            self._tell()
        return True

    def _add(self, kept: Kept) -> None:
        self._kept.append(kept)
        if len(self._kept) > KEPT_MAX:
            self._before = self._kept.popleft().after
            self._first += 1
        self._tell()

    def _tail(self) -> Places:
        return self._kept[-1].after if self._kept else self._before

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    async def _changed(self) -> None:
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        # Shielded: one who goes does not take it away from the others.
        await asyncio.shield(self._news)

    # -- for readers

    async def newest(self) -> Places | None:
        """How far it is by now; None: it is over. Waits until it has begun."""
        while not self._before and not self.is_over:
            await self._changed()
        return None if self.is_over else self._tail()

    def number_of(self, places: Mapping[int, Place]) -> int | None:
        """Where a reader may go on whose places these are; None: nowhere (yet)."""
        if not self._before or self.is_over:
            return None
        found = self._end
        for kept in reversed(self._kept):
            if kept.after == places:
                return found
            found -= 1
        return found if self._before == places else None

    async def following(self, number: int) -> tuple[int, Kept] | None:
        """What follows, not too much at once; None: it is not kept any more, or nothing ever does.

        And the number that goes on from there.
        """
        while number == self._end and not self.is_over:
            await self._changed()
        if not self._first <= number < self._end:
            return None
        if self._joined is None or self._joined[:2] != (number, self._end):
            self._joined = number, self._end, *self._join(number)
        return self._joined[2:]

    def _join(self, number: int) -> tuple[int, Kept]:
        size, some = 0, list[Kept]()
        for kept in islice(self._kept, number - self._first, None):
            some.append(kept)
            size += len(kept.events)
            if size >= JOINED_BYTES:
                break
        events = text.joined([one.events for one in some if one.events])
        return number + len(some), Kept(events, some[-1].after)

    def is_newest(self, number: int) -> bool:
        """Whether nothing follows yet."""
        return number == self._end

    @property
    def _end(self) -> int:
        return self._first + len(self._kept)


class Commons:
    """The commons of a worker, by whom they are read from, and what is wanted."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._all: dict[tuple[str, frozenset[int], Wanted], Common] = {}
        self._running: dict[Common, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End all."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    @contextlib.contextmanager
    def held(self, owner: str, partitions: frozenset[int], wanted: Wanted) -> Iterator[Common]:
        """The one that is read from `owner`; it is read while anybody holds it."""
        name = owner, partitions, wanted
        common = self._all.get(name)
        if common is None or common.is_over:
            common = self._all[name] = Common(partitions)
            running = common.run(self._read(owner, partitions, wanted))
            self._running[common] = asyncio.create_task(running)
        common.held += 1
        try:
            yield common
        finally:
            common.held -= 1
            if not common.held:
                self._running.pop(common).cancel()
                if self._all.get(name) is common:
                    del self._all[name]
