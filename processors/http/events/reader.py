"""One reader of events, over all workers: the one asked tells of its own and passes on the others'.

What it reads is told in parts, each by the worker that holds the partitions. Where a partition
moves, the reader is told so at once, and later by the new one: from where it was, or anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from processors.http.events import text
from processors.http.events.hub import Hub
from processors.http.events.log import Place
from processors.http.events.out import Out
from processors.http.events.wanted import Wanted

HEARTBEAT_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 1.0
"""After so long it looks again for who may tell of a partition."""


class Part:
    """Some partitions, and the worker that tells of them.

    `begins_now`: the reader has no past, and is not told what is there already; `is_asked`: it is.
    """

    def __init__(
        self, owner: str, partitions: Iterable[int], *, begins_now: bool, is_asked: bool
    ) -> None:
        self.owner = owner
        self.partitions = set(partitions)
        self.begins_now = begins_now
        self.is_asked = is_asked


Relay = Callable[[Part, "EventReader"], Awaitable[None]]
"""Passes on what another worker tells of a part, until it does not any more."""


class EventReader:
    """A reader; `run` tells it events until it is gone, raises TooSlow or ConnectionError.

    `snapshot`: None where it says how far it was told; else whether it is told at first what is
    now. `is_fellow`: it is another worker, which asks for what is here alone. `is_gone` says
    whether nobody is there any more, `reset` counts why a reader was told anew.
    """

    def __init__(
        self,
        hub: Hub,
        wanted: Wanted,
        out: Out,
        relay: Relay,
        partitions: Iterable[int],
        *,
        snapshot: bool | None,
        is_fellow: bool,
        is_gone: Callable[[], bool],
        reset: Callable[[str], object],
    ) -> None:
        self.hub = hub
        self.wanted = wanted
        self.out = out
        self.is_gone = is_gone
        self._relay = relay
        self._partitions = set(partitions)
        self._is_fellow = is_fellow
        self._reset = reset
        # Of those that it was not told of yet: from now on, or what is now at first.
        self._begins_now = set(self._partitions) if snapshot is False else set[int]()
        self._asked = set(self._partitions) if snapshot else set[int]()
        # How far it was told of what is here.
        self.places: dict[int, Place] = {}
        self._news, self._turn = asyncio.Event(), asyncio.Event()
        self._is_over = False
        self._parts: dict[asyncio.Task[None], Part] = {}
        # Of these it knows that nobody tells of them at this moment.
        self._away: set[int] = set()
        self._not_before: dict[str, float] = {}

    def wake(self) -> None:
        """There may be something new for it."""
        self._news.set()

    def turn(self) -> None:
        """Another worker may have a partition, or it may be gone."""
        self._turn.set()
        self._news.set()

    def end(self) -> None:
        """Tell it nothing more, but that."""
        self._is_over = True
        self.turn()

    async def run(self) -> None:
        """Tell it events."""
        self.hub.enter(self)
        beating = asyncio.create_task(self._beat())
        try:
            if not self._partitions:
                await self.out.send(text.control("current", partitions=[]))
            await self._serve(beating)
        finally:
            self.hub.leave(self)
            for task in (beating, *self._parts):
                task.cancel()
            await asyncio.gather(beating, *self._parts, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            # What did not concern it is known, too: its id does not grow too old.
            self.out.places.update(self.places)
            await self.out.send(b"")

    # -- who tells of what

    async def _serve(self, beating: asyncio.Task[None]) -> None:
        is_first = True
        while not self._is_over and not self.is_gone():
            self._turn.clear()
            await self._place()
            if self._is_fellow and not self._partitions:
                return
            if not is_first:
                await self.lost(self._unserved())
            turning = asyncio.create_task(self._turn.wait())
            timeout = AGAIN_SECONDS if self._unserved() else None
            done, _ = await asyncio.wait(
                (turning, beating, *self._parts),
                timeout=timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            turning.cancel()
            # At the start a worker needs a moment to know what it has.
            is_first = is_first and bool(done)
            for task in [one for one in (beating, *self._parts) if one in done]:
                self._parts.pop(task, None)
                task.result()
        if not self.is_gone():
            await self.lost(self._partitions)

    async def _place(self) -> None:
        """Have each partition told of by who holds it."""
        owners = self.hub.owners()
        for task, part in list(self._parts.items()):
            if any(owners.get(one, part.owner) != part.owner for one in part.partitions):
                del self._parts[task]
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self.lost(part.partitions)
        found: dict[tuple[str, bool, bool], set[int]] = {}
        for one in self._unserved():
            owner = owners.get(one)
            if owner is None or not self._may_tell(one, owner):
                continue
            group = owner, one in self._begins_now, one in self._asked
            found.setdefault(group, set()).add(one)
        for (owner, begins_now, is_asked), some in found.items():
            part = Part(owner, some, begins_now=begins_now, is_asked=is_asked)
            telling = self._here(part) if owner == self.hub.url else self._passed_on(part)
            self._parts[asyncio.create_task(telling)] = part

    def _may_tell(self, partition: int, owner: str) -> bool:
        if owner == self.hub.url:
            return self.hub.log(partition) is not None
        if self._is_fellow:
            self._partitions.discard(partition)
            return False
        return asyncio.get_running_loop().time() >= self._not_before.get(owner, 0.0)

    def _unserved(self) -> set[int]:
        served = {one for part in self._parts.values() for one in part.partitions}
        return self._partitions - served

    async def lost(self, partitions: Iterable[int]) -> None:
        """Tell that nobody tells of these until it is told that they are `current`."""
        news = sorted(set(partitions) - self._away)
        if not news:
            return
        self._away.update(news)
        owners, workers = self.hub.owners(), self.hub.workers()
        to = {owners.get(one) for one in news} - {self.hub.url}
        where = to.pop() if len(to) == 1 else None
        await self.out.send(text.control("moved", partitions=news, to=where, workers=workers))

    def current(self, partitions: Iterable[int]) -> None:
        """It is told that it knows these."""
        for known in (self._away, self._begins_now, self._asked):
            known.difference_update(partitions)

    async def _passed_on(self, part: Part) -> None:
        """What another worker tells; it is asked again later, where it ends."""
        try:
            await self._relay(part, self)
        finally:
            loop = asyncio.get_running_loop()
            self._not_before[part.owner] = loop.time() + AGAIN_SECONDS
        await self.lost(part.partitions)

    # -- what is here

    async def _here(self, part: Part) -> None:
        while part.partitions:
            self._news.clear()
            away = {one for one in part.partitions if not self._is_told_of(one)}
            if away:
                part.partitions -= away
                for one in away:
                    self.places.pop(one, None)
                await self.lost(away)
                continue
            new = part.partitions - self.places.keys()
            if new:
                await self._begin(part, new)
                continue
            mine = {one: self.places[one] for one in self.places if one in part.partitions}
            if not self.hub.has_more(mine):
                await self._news.wait()
                continue
            stretch = await self.hub.news(self.wanted, mine)
            if stretch.text:
                await self.out.send(stretch.text, stretch.places)
            else:
                self.out.places.update(stretch.places)
            for one, place in stretch.places.items():
                self.places.pop(one, None)
                self.places[one] = place

    def _is_told_of(self, partition: int) -> bool:
        log, place = self.hub.log(partition), self.places.get(partition)
        return log is not None and (place is None or place.life == log.life)

    async def _begin(self, part: Part, partitions: set[int]) -> None:
        """Go on from where the reader was told of these, or tell anew."""
        starts: dict[int, Place] = {}
        anew: dict[str, dict[int, Place]] = {}
        for one in sorted(partitions):
            log = self.hub.log(one)
            if log is None:
                continue
            place = log.place() if part.begins_now else self.out.places.get(one)
            why = log.why_not(place)
            if why is None and place is not None:
                starts[one] = place
            elif why is not None:
                why = "asked" if part.is_asked else why
                anew.setdefault(why, {})[one] = log.place()
        for why, places in anew.items():
            starts.update(await self._tell_anew(why, places))
        self.places.update(starts)
        self.current(starts)
        if starts:
            await self.out.send(text.control("current", partitions=sorted(starts)), starts)

    async def _tell_anew(self, why: str, places: dict[int, Place]) -> dict[int, Place]:
        """Tell what is now of some partitions; those of them that it could tell of to the end."""
        self._reset(why)
        reset = text.control("reset", partitions=sorted(places), why=why)
        await self.out.send(reset, less=frozenset(places))
        whole: dict[int, Place] = {}
        for one, place in places.items():
            after: bytes | None = b""
            while after is not None:
                log = self.hub.log(one)
                if log is None or log.life != place.life:
                    break
                events, after = await self.hub.page(one, self.wanted, after)
                if events:
                    await self.out.send(events)
            else:
                log = self.hub.log(one)
                if log is not None and log.life == place.life:
                    whole[one] = place
        return whole
