"""What changes in this worker's partitions, kept for its readers as long as there are any.

Rows are noted as they are settled, which costs the agents a look at a dictionary where nobody
reads. Many times a second what was noted goes into the logs, and the readers who have news are
woken. Whatever is made for readers takes its turn, and rests for twice as long as it took: with
much to tell each is told later, and of the newest only, while the agents go on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from processors.engine.app import EngineApp
from processors.http.events import text
from processors.http.events.log import Change, Log, Place, Places
from processors.http.events.made import Made, Name, Stretch
from processors.http.events.source import Source, Told
from processors.http.events.wanted import Wanted

log = logging.getLogger("headroom.http")

TICK_SECONDS: Final = 0.05
PACE_SECONDS_MAX: Final = 0.25
"""Of very many readers each is told something as seldom as this."""
_A_READER_SECONDS: Final = 0.0005
LOOK_SECONDS: Final = 0.5
"""How often freshness is looked at, which changes by itself; less often where that takes long."""
LINGER_SECONDS: Final = 60.0
"""For how long after its last reader a worker keeps noting what changes, for one who comes back."""
CHANGES_MAX: Final = 200_000
"""Of all partitions together: some 200 bytes each, and for how long a reader may be away."""
EVENTS_AT_ONCE: Final = 100
STRETCH_BYTES: Final = 64 * 1024
_REST: Final = 2
_LOOK_REST: Final = 10
_AFTER_ERROR_SECONDS: Final = 5.0
# The event loop's timers are no finer than a millisecond.
_OWED_SECONDS_MAX: Final = 0.005


class Reader(Protocol):
    """One who reads events here."""

    wanted: Wanted
    places: dict[int, Place]

    def wake(self) -> None:
        """There may be something for it."""

    def turn(self) -> None:
        """Who tells of what may be another one."""

    def is_gone(self) -> bool:
        """Whether nobody is there any more."""


class _Live:
    """A partition whose changes are noted; `is_ready` once that lacks nothing."""

    def __init__(self, log: Log, sources: int) -> None:
        self.log = log
        self.dirty: list[dict[bytes, None]] = [{} for _ in range(sources)]
        self.is_ready = False


class Hub:
    """The logs of this worker's partitions, and who reads them.

    `life` makes the name of a log, another one each time.
    """

    def __init__(
        self,
        app: EngineApp,
        url: str,
        sources: Sequence[Source],
        *,
        life: Callable[[], str],
        monotonic: Callable[[], float],
    ) -> None:
        self._app = app
        self.url = url
        self._sources = sources
        self._by_kind = {kind: source for source in sources for kind in source.kinds}
        self.kinds = tuple(self._by_kind)
        self._life = life
        self._monotonic = monotonic
        self._lives: dict[int, _Live] = {}
        self._readers: dict[Reader, None] = {}
        self._needed = asyncio.Event()
        self._left_at = self._looked_at = self._look_took = 0.0
        self._owners: dict[int, str | None] = {}
        self._turn = asyncio.Lock()
        self._owed = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._made = Made()
        self._making: dict[Name, asyncio.Future[None]] = {}
        for number, source in enumerate(sources):
            source.table.on_settled(self._noting(number), unseen=self._over)

    # -- who reads

    def enter(self, reader: Reader) -> None:
        """Wake a reader from here on."""
        self._readers[reader] = None
        self._needed.set()

    def leave(self, reader: Reader) -> None:
        """Wake it no more."""
        self._readers.pop(reader, None)
        self._left_at = self._monotonic()

    def owners(self) -> Mapping[int, str | None]:
        """The worker that holds each partition, as this one knows it; None: nobody is known to."""
        return self._owners

    def partition_of(self, key: bytes) -> int:
        """The partition of a user."""
        return self._app.partition_of(key)

    def workers(self) -> list[str]:
        """The other workers."""
        return [url for url in self._app.workers() if url != self.url]

    def log(self, partition: int) -> Log | None:
        """The log of a partition, while this worker tells of it."""
        live = self._lives.get(partition)
        return live.log if live is not None and live.is_ready and self._app.serving else None

    def has_more(self, places: Places) -> bool:
        """Whether something changed after a reader's places."""
        logs = ((self.log(one), place) for one, place in places.items())
        return any(log is not None and log.head != place.seq for log, place in logs)

    # -- what is told

    async def news(self, wanted: Wanted, places: Places) -> Stretch:
        """What follows on a reader's places; nothing of partitions whose log they are not of."""
        name = wanted, tuple(places.items())
        while (stretch := self._made.stretch(name)) is None:
            making = self._making.get(name)
            if making is None:
                return await self._make(name)
            # Shielded: who goes meanwhile does not take it away from the others.
            await asyncio.shield(making)
        return stretch

    async def _make(self, name: Name) -> Stretch:
        """Make a stretch for all who ask for it by then."""
        making = self._making[name] = asyncio.get_running_loop().create_future()
        try:
            async with self._turns():
                wanted, places = name
                stretch = self._made.stretches[name] = self._stretch(wanted, dict(places))
                making.set_result(None)
        finally:
            del self._making[name]
            if not making.done():
                making.set_result(None)
        return stretch

    async def page(
        self, partition: int, wanted: Wanted, after: bytes
    ) -> tuple[bytes, bytes | None]:
        """The next users of a partition as they are now; and what follows, None: nothing does.

        `after` is empty at first. Nothing where the partition was taken away.
        """
        async with self._turns():
            # Who is told of rows as they are now is not told later what was made of them before.
            self._made.forget()
            if self.log(partition) is None:
                return b"", None
            if wanted.keys is not None:
                return self._of_some(partition, wanted, wanted.keys, after)
            first, _, key = after.partition(b":")
            number = int(first or b"0")
            source = self._sources[number]
            found, last = source.page(partition, wanted.kinds, key, EVENTS_AT_ONCE)
            events = text.joined(self._events(partition, wanted, found))
            if last is not None:
                return events, b"%d:%s" % (number, last)
            return events, b"%d:" % (number + 1) if number + 1 < len(self._sources) else None

    def _of_some(
        self, partition: int, wanted: Wanted, keys: frozenset[bytes], after: bytes
    ) -> tuple[bytes, bytes | None]:
        here = sorted(key for key in keys if self._app.partition_of(key) == partition)
        rest = [key for key in here if key > after]
        kinds = [kind for kind in self.kinds if kind in wanted.kinds]
        events: list[bytes] = []
        for number, key in enumerate(rest, 1):
            events += self._events(partition, wanted, [(kind, key) for kind in kinds])
            if len(events) >= EVENTS_AT_ONCE and number < len(rest):
                return text.joined(events), key
        return text.joined(events), None

    def _events(
        self, partition: int, wanted: Wanted, found: Iterable[tuple[str, bytes]]
    ) -> list[bytes]:
        told = (one for k, key in found for one in self._by_kind[k].tell(partition, k, key))
        return [one.event for one in told if one.belongs_to(wanted)]

    @asynccontextmanager
    async def _turns(self) -> AsyncIterator[None]:
        async with self._turn:
            begun = self._monotonic()
            yield
            self._owed += _REST * (self._monotonic() - begun)
            if self._owed > _OWED_SECONDS_MAX:
                owed, self._owed = self._owed, 0.0
                await asyncio.sleep(owed)

    def _stretch(self, wanted: Wanted, places: Places) -> Stretch:
        events: list[bytes] = []
        size, after = 0, dict(places)
        # Where not all of it fits, those who come last come first the next time.
        for partition, place in places.items():
            log = self.log(partition)
            if log is None or log.life != place.life:
                continue
            left = EVENTS_AT_ONCE - len(events)
            if left <= 0 or size >= STRETCH_BYTES:
                break
            found, seq = log.since(place.seq, wanted.kinds, wanted.keys, left)
            for number, change in enumerate(found):
                if size >= STRETCH_BYTES:
                    seq = found[number - 1].seq
                    break
                for told in self._tell(partition, change):
                    if told.belongs_to(wanted):
                        events.append(told.event)
                        size += len(told.event)
            del after[partition]
            after[partition] = Place(log.life, seq)
        return Stretch(text.joined(events), after)

    def _tell(self, partition: int, change: Change) -> Sequence[Told]:
        """What is told of a change, made once for all readers."""
        told = self._made.told((partition, change))
        if told is None:
            source = self._by_kind[change.kind]
            told = source.tell(partition, change.kind, change.key, change.about)
            self._made.tellings[partition, change] = told
        return told

    # -- what changes

    def _noting(self, number: int) -> Callable[[int, Iterable[bytes]], None]:
        def note(partition: int, keys: Iterable[bytes]) -> None:
            live = self._lives.get(partition)
            if live is not None:
                live.dirty[number].update(dict.fromkeys(keys))

        return note

    def _over(self, partition: int) -> None:
        """A partition went, or was restored: what changed meanwhile was not noted."""
        self._lives.pop(partition, None)
        self._made.forget()

    @property
    def pace_seconds(self) -> float:
        """How often a reader is told something: one of many seldomer, and more at once."""
        return min(PACE_SECONDS_MAX, max(TICK_SECONDS, len(self._readers) * _A_READER_SECONDS))

    async def run(self) -> None:
        """Note and wake until cancelled."""
        try:
            while True:
                await self._needed.wait()
                await self._run_once()
        finally:
            self._look_no_more()

    async def _run_once(self) -> None:
        begun = self._monotonic()
        try:
            await self._tick()
        except Exception:  # readers are told anew, agents go on
            log.exception("no events for a moment")
            self._forget_all()
            self._needed.set()
            await asyncio.sleep(_AFTER_ERROR_SECONDS)
        took = self._monotonic() - begun
        if not self._readers and self._monotonic() - self._left_at > LINGER_SECONDS:
            self._forget_all()
        else:
            await asyncio.sleep(max(self.pace_seconds, _REST * took))

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _forget_all(self) -> None:
        self._needed.clear()
        self._look_no_more()
        for partition in list(self._lives):
            self._forget(partition)
        self._made.forget()

    def _forget(self, partition: int) -> None:
        self._lives.pop(partition, None)
        for source in self._sources:
            source.forget(partition)

    async def _tick(self) -> None:
        serving = self._app.serving
        owners = self._app.owners(self._sources[0].table) if serving else {}
        is_moving, self._owners = owners != self._owners, owners
        if serving:
            await self._begin()
            for partition, live in list(self._lives.items()):
                self._enter(partition, live)
            self._look_behind()
        self._made.grow_old(self._monotonic())
        for number, reader in enumerate(list(self._readers)):
            if is_moving or reader.is_gone():
                reader.turn()
            elif self._has_news(reader):
                reader.wake()
            if number % 100 == 99:  # noqa: PLR2004 - so many at once take about a millisecond
                await asyncio.sleep(0)

    async def _begin(self) -> None:
        """Begin to note what changes in partitions that are new here."""
        table = self._sources[0].table
        for partition in sorted(table.open_partitions - self._lives.keys()):
            for source in self._sources:
                source.forget(partition)
            most = max(1, CHANGES_MAX // max(1, len(table.open_partitions)))
            live = _Live(Log(self._life(), most=most), len(self._sources))
            self._lives[partition] = live
            try:
                for source in self._sources:
                    async for _ in source.look(partition):
                        pass
            except KeyError:
                self._lives.pop(partition, None)
                continue
            live.is_ready = self._lives.get(partition) is live
            for reader in list(self._readers):
                reader.turn()

    def _enter(self, partition: int, live: _Live) -> None:
        try:
            for source, dirty in zip(self._sources, live.dirty, strict=True):
                if dirty:
                    keys = list(dirty)
                    dirty.clear()
                    for thing in source.changed(partition, keys):
                        live.log.enter(*thing)
        except KeyError:
            self._lives.pop(partition, None)

    def _look_behind(self) -> None:
        """Have it looked at what changed by itself, beside all else: of many rows it takes long."""
        if self._looking is not None:
            if not self._looking.done():
                return
            looked, self._looking = self._looking, None
            looked.result()
        since = self._monotonic() - self._looked_at
        if since >= max(LOOK_SECONDS, _LOOK_REST * self._look_took):
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Enter what changed by itself: freshness, as connections come and go and time passes."""
        begun = self._monotonic()
        for partition, live in list(self._lives.items()):
            try:
                for source in self._sources:
                    async for thing in source.look(partition):
                        if self._lives.get(partition) is live:
                            live.log.enter(*thing)
            except KeyError:
                self._lives.pop(partition, None)
        self._looked_at = self._monotonic()
        self._look_took = self._looked_at - begun

    def _has_news(self, reader: Reader) -> bool:
        """Whether it is to be told something; where nothing concerns it, it goes on silently."""
        for partition, place in list(reader.places.items()):
            live = self._lives.get(partition)
            if live is None or live.log.life != place.life:
                return True
            if live.log.head == place.seq:
                continue
            keys, kinds = reader.wanted.keys, reader.wanted.kinds
            if keys is None or live.log.since(place.seq, kinds, keys, 1)[0]:
                return True
            reader.places[partition] = live.log.place()
        return False
