"""`GET /v1/events`: who may read, what, and how many at once."""

import asyncio
import contextlib
from collections.abc import Iterator
from http import HTTPMethod
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from processors.http.access import Access, grant_of, passed_on
from processors.http.asked import note_asked
from processors.http.encodings import takes_gzip
from processors.http.events.hub import Hub
from processors.http.events.log import Place, places_of
from processors.http.events.out import BUFFER_BYTES, Out, TooSlow
from processors.http.events.reader import EventReader
from processors.http.events.relay import PATH, Relays
from processors.http.events.wanted import Wanted, narrowed
from processors.http.events.zipped import Pieces, Zipped
from processors.http.problems import bad_request, not_yet
from processors.http.runner import STREAMED
from processors.metrics import Metrics
from schemas.venues import VENUES

if TYPE_CHECKING:
    from processors.http.grants import Grant

NAMES_MAX: Final = 200
"""So many users, assets or venues at most may be named."""
READERS_SHARE: Final = 2
"""Readers are one half of those who may be connected at most: questions are asked, too."""
_DIGITS_MAX: Final = 6
_MIND_SECONDS: Final = 1.0
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    # A proxy that gathers answers would hold events back.
    "X-Accel-Buffering": "no",
    "Vary": "Accept-Encoding",
}


class Events:
    """The readers of one worker, `places_max` at most.

    A reader takes a place for itself and one for each other worker that it may read from.
    """

    def __init__(
        self, hub: Hub, relays: Relays, metrics: Metrics, *, partitions: int, places_max: int
    ) -> None:
        self._hub = hub
        self._relays = relays
        self._metrics = metrics
        self._partitions = partitions
        self._places_max = places_max
        self._places = 0
        self._pieces = Pieces()
        self._readers: dict[EventReader, Grant] = {}
        self._is_over = False

    def routes(self) -> list[web.RouteDef]:
        """The path of the contract."""
        return [web.get(PATH, self.events)]

    async def close(self) -> None:
        """Tell all readers to go on elsewhere."""
        self._is_over = True
        for reader in self._readers:
            reader.end()

    async def mind(self, access: Access) -> None:
        """End, once a second, the streams of readers whose token is known no more."""
        while True:
            await asyncio.sleep(_MIND_SECONDS)
            for reader, grant in self._readers.items():
                if not access.knows(grant):
                    reader.end()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Events until the reader goes, or has to."""
        wanted = self._wanted(request)
        partitions = self._read_by(request, wanted)
        places, snapshot = _begin(request)
        zipped = self._zipped(request)
        headers = _HEADERS if zipped is None else _HEADERS | {hdrs.CONTENT_ENCODING: "gzip"}
        if request.method == HTTPMethod.HEAD:
            return web.Response(headers=headers)
        is_fellow = passed_on(request)
        with self._place(1 if is_fellow else 1 + len(self._hub.workers())):
            response = web.StreamResponse(headers=headers)
            request[STREAMED] = True
            await response.prepare(request)
            transport = request.transport
            if transport is None:
                return response
            transport.set_write_buffer_limits(high=BUFFER_BYTES)
            told = {one: at for one, at in places.items() if one in partitions}
            out = Out(response, told, zipped=zipped)
            reader = EventReader(
                self._hub,
                wanted,
                out,
                self._relays,
                partitions,
                snapshot=snapshot,
                is_fellow=is_fellow,
                is_gone=transport.is_closing,
                reset=lambda why: self._metrics.event_resets.labels(why).inc(),
            )
            self._readers[reader] = grant_of(request)
            try:
                await out.begin()
                await reader.run()
                await out.end()
            except TooSlow:
                self._metrics.event_readers_cut.labels("slow").inc()
                transport.abort()
            except ConnectionError:
                pass
            finally:
                del self._readers[reader]
            return response

    def _zipped(self, request: web.Request) -> Zipped | None:
        said = request.headers.getall(hdrs.ACCEPT_ENCODING, [])
        return Zipped(self._pieces) if takes_gzip(said) else None

    def _wanted(self, request: web.Request) -> Wanted:
        known = self._hub.kinds
        kinds = _names(request, "kind") or frozenset(known)
        if not kinds.issubset(known):
            raise bad_request(f"kind is one of {', '.join(known)}")
        venues, assets = _names(request, "venue"), _names(request, "asset")
        if venues is not None and not venues.issubset(VENUES):
            raise bad_request(f"venue is one of {', '.join(VENUES)}")
        users = narrowed(_names(request, "user"), grant_of(request).users)
        note_asked(request, sorted(users or ()))
        return Wanted(
            kinds,
            None if users is None else frozenset(map(str.encode, users)),
            None if assets is None else frozenset(map(str.upper, assets)),
            venues,
        )

    def _read_by(self, request: web.Request, wanted: Wanted) -> frozenset[int]:
        """The partitions in which there may be something for a reader."""
        if passed_on(request):
            said = request.query.get("partitions", "").split(",")
            numbers = {int(one) for one in said if one.isdecimal() and len(one) <= _DIGITS_MAX}
            return frozenset(numbers.intersection(range(self._partitions)))
        if wanted.keys is None:
            return frozenset(range(self._partitions))
        return frozenset(self._hub.partition_of(key) for key in wanted.keys)

    @contextlib.contextmanager
    def _place(self, count: int) -> Iterator[None]:
        """Take so many places; raises 503 where there are not as many."""
        if self._is_over or self._places + count > self._places_max:
            self._metrics.event_readers_cut.labels("full").inc()
            raise not_yet("too many read events of this worker")
        self._places += count
        self._metrics.event_readers.inc()
        try:
            yield
        finally:
            self._places -= count
            self._metrics.event_readers.dec()


def _names(request: web.Request, name: str) -> frozenset[str] | None:
    names = frozenset(request.query.getall(name, []))
    if len(names) > NAMES_MAX:
        raise bad_request(f"{NAMES_MAX} names at most, each as {name}=")
    if any("\ud800" <= letter <= "\udfff" for one in names for letter in one):
        raise bad_request(f"{name} is not UTF-8")
    return names or None


def _begin(request: web.Request) -> tuple[dict[int, Place], bool | None]:
    """How far a reader says that it was told; where it says nothing, whether it wants all first."""
    snapshot = request.query.get("snapshot", "false")
    if snapshot not in ("true", "false"):
        raise bad_request("snapshot is true or false")
    last = request.headers.get("Last-Event-ID") or request.query.get("last_event_id")
    if not last:
        return {}, snapshot == "true"
    return places_of(last), None
