"""Producers of one name take turns: one works, the others wait until it is their turn.

A turn is a producer's whole life but for its process: it fences whoever wrote before, looks what
there is, connects, and ends with the lease. What it has spooled by then waits for the next one.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Final, NotRequired, Protocol, TypedDict

import msgspec
from prometheus_client import CollectorRegistry

from producers.bounds import Store
from producers.errors import SteppedBack
from producers.health import Health
from producers.kafka import Reaching, partitions_of
from producers.lease import Lease
from producers.line import Lines
from producers.metrics import ProducerMetrics
from producers.publisher import Access, Publisher, SpoolSettings
from producers.spool.folder import Folder, Owner
from producers.statuses import Frames, StatusSettings
from producers.waiting import unless_stopped
from schemas.following import Follow
from schemas.topics import LEASES
from schemas.traces import Spans

_AGAIN_SECONDS: Final = 1.0


class StandbySettings(msgspec.Struct, frozen=True):
    """Of all producers of a venue that share `name` one works; `topic` is where they agree."""

    name: str
    topic: str = LEASES


class ProducerReport(msgspec.Struct, frozen=True):
    """What a producer did; what came and what was found is published, dropped, or still spooled.

    `frames` came from the venue, `found` lay in the spool at the start, `spooled` do so at the end.
    `dropped` were let go because the spool was full. `stepped_back`: how often another producer
    took this one's place.
    """

    venue: str
    connections: int
    frames: int
    published: int
    found: int
    dropped: int
    spooled: int
    keys_refused: int
    reconnects: dict[str, int]
    counted: dict[str, int]
    stepped_back: int = 0


class Surroundings(TypedDict):
    """What a producer takes from outside: when to stop, clocks, chance, sleep, metrics, log.

    `clock_ns` is time since 1970, `monotonic` in seconds. `reaching` keeps what writes reaching a
    Kafka that moves. `health` is told how it goes. Who sets `read_keys` has keys read again, and
    connections made anew for which there is another one. `bounds` is where it is kept how often
    the venue was dialled. `spans` is told of traced frames.
    """

    stop: asyncio.Event
    clock_ns: Callable[[], int]
    monotonic: Callable[[], float]
    rng: Random
    sleep: Callable[[float], Awaitable[object]]
    registry: CollectorRegistry
    log: logging.Logger
    reaching: NotRequired[Reaching]
    health: NotRequired[Health]
    read_keys: NotRequired[asyncio.Event]
    bounds: NotRequired[Store]
    spans: NotRequired[Spans | None]


class Proving(Protocol):
    """A lease: see `producers.lease.Lease`."""

    def is_proved(self) -> bool:
        """Whether nobody else can have it at this moment."""


class Given(msgspec.Struct, frozen=True):
    """What a producer is given, for all its turns: see `producers.service.produce`."""

    lines: Lines
    kafka: Mapping[str, Any]
    follow: Follow
    access: Access
    statuses: StatusSettings
    spool: SpoolSettings
    around: Surroundings


async def take_turns(
    given: Given,
    standby: StandbySettings,
    work: Callable[[Given, Lease], Awaitable[ProducerReport]],
) -> ProducerReport:
    """Work whenever the lease is ours, until `stop` is set; all turns' reports in one."""
    around, venue = given.around, given.lines.venue
    await partitions_of(given.kafka, standby.topic, sleep=around["sleep"])
    active = ProducerMetrics.of(around["registry"]).active.labels(venue.name)
    active.set(0)
    reports = []
    name = f"headroom-producer.{venue.name}.{standby.name}"
    own = _own(given)
    lease = Lease(
        given.access,
        standby.topic,
        name,
        monotonic=around["monotonic"],
        sleep=asyncio.sleep,
        log=around["log"],
    )
    try:
        async with lease:
            while not around["stop"].is_set():
                around["log"].info("%s: waiting for the lease %s", venue.name, name)
                if "health" in around:
                    around["health"].stand_by()
                await unless_stopped(around["stop"], lease.until_held())
                if around["stop"].is_set():
                    break
                active.set(1)
                reports.append(await work(given, lease))
                active.set(0)
                await unless_stopped(around["stop"], _pause(around["sleep"]))
    finally:
        if own is not None:
            own.unlock()
    return _all_in_all(venue.name, reports)


class Vouching:
    """The frames that a status waits for: without a proof of the lease it vouches for nothing."""

    def __init__(self, frames: Frames, lease: Proving) -> None:
        self._frames = frames
        self._lease = lease

    @property
    def received(self) -> int:
        """How many came so far."""
        return self._frames.received

    async def settled(self, received: int, seconds: float) -> bool:
        """Whether Kafka has so many of them, and nobody else can have the lease."""
        return await self._frames.settled(received, seconds) and self._lease.is_proved()


async def mind_lease(lease: Lease, publisher: Publisher) -> None:
    """Have a publisher step back once it is known that the lease is another one's."""
    lost = asyncio.create_task(lease.until_lost())
    try:
        while True:
            fenced = asyncio.create_task(publisher.fenced.wait())
            await asyncio.wait({lost, fenced}, return_when=asyncio.FIRST_COMPLETED)
            fenced.cancel()
            if not publisher.fenced.is_set():
                return publisher.step_back(SteppedBack("it has the lease"))
            # Kafka itself fences who has left a transaction open for too long.
            if not await lease.proved_anew():
                return publisher.step_back(SteppedBack("this one's frames are fenced"))
            publisher.go_on()
    finally:
        lost.cancel()


async def _pause(sleep: Callable[[float], Awaitable[object]]) -> None:
    await sleep(_AGAIN_SECONDS)


def _own(given: Given) -> Folder | None:
    """Hold the spool's folder also while waiting; raises SpoolInUse."""
    if given.spool.folder is None:
        return None
    venue = given.lines.venue
    log: logging.Logger = given.around["log"]
    path = given.spool.folder / venue.name / "process"
    folder = Folder(path, Owner(venue.name, venue.raw_topic), log)
    try:
        folder.lock()
    except OSError:
        return None  # the spool itself says so
    return folder


def _all_in_all(venue: str, reports: list[ProducerReport]) -> ProducerReport:
    reconnects: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for one in reports:
        reconnects.update(one.reconnects)
        counted.update(one.counted)
    return ProducerReport(
        venue=venue,
        connections=sum(one.connections for one in reports),
        frames=sum(one.frames for one in reports),
        published=sum(one.published for one in reports),
        found=reports[0].found if reports else 0,
        dropped=sum(one.dropped for one in reports),
        spooled=reports[-1].spooled if reports else 0,
        keys_refused=sum(one.keys_refused for one in reports),
        reconnects=dict(reconnects),
        counted=dict(counted),
        stepped_back=sum(one.stepped_back for one in reports),
    )
