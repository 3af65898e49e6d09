"""A producer's whole life: look into Kafka, keep all lines up, write, and account for it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, TypedDict, Unpack

import msgspec
from prometheus_client import CollectorRegistry

from producers.epochs import EpochSource, greatest_epoch
from producers.errors import WrongKey
from producers.feed import Feed
from producers.kafka import partitions_of, reach
from producers.line import Lines, World
from producers.logs import quiet_libraries
from producers.metrics import ProducerMetrics
from producers.publisher import Publisher
from producers.statuses import Reporter, StatusSettings, StatusWriter
from schemas.venues import Venue

_STATUSES: Final = StatusSettings()


class ProducerReport(msgspec.Struct, frozen=True):
    """What a producer did; `frames` equals `published` where it ended in order."""

    venue: str
    connections: int
    frames: int
    published: int
    keys_refused: int
    reconnects: dict[str, int]
    counted: dict[str, int]


class Surroundings(TypedDict):
    """What a producer takes from outside: when to stop, clocks, chance, sleep, metrics, log.

    `clock_ns` is time since 1970, `monotonic` in seconds.
    """

    stop: asyncio.Event
    clock_ns: Callable[[], int]
    monotonic: Callable[[], float]
    rng: Random
    sleep: Callable[[float], Awaitable[object]]
    registry: CollectorRegistry
    log: logging.Logger


async def produce(
    lines: Lines,
    kafka: Mapping[str, Any],
    *,
    statuses: StatusSettings = _STATUSES,
    **around: Unpack[Surroundings],
) -> ProducerReport:
    """Carry a venue's balance frames to their raw topic until `stop` is set, then flush.

    `kafka` are aiokafka's own client arguments. `statuses` is where and how often it is told how
    the connections are. A lost venue is tried again for ever; raises ProducerError (see
    `producers.errors`) where that cannot help. A refused key ends its own line only; WrongKey is
    raised when no line is left.
    """
    venue = lines.venue
    quiet_libraries()
    metrics = ProducerMetrics.of(around["registry"])
    await reach(kafka)
    greatest = await greatest_epoch(kafka, venue.raw_topic, sleep=around["sleep"])
    await partitions_of(kafka, statuses.topic, sleep=around["sleep"])
    epochs = EpochSource(greatest, around["clock_ns"])
    acknowledged = metrics.frames_published.labels(venue.name).inc
    async with (
        Publisher(kafka, venue.raw_topic, acknowledged=acknowledged) as publisher,
        StatusWriter(kafka, statuses.topic) as writer,
    ):
        reporter = Reporter(
            writer.write,
            every_seconds=statuses.every_seconds,
            sleep=around["sleep"],
            log=around["log"],
        )
        world = World(
            clock_ns=around["clock_ns"],
            monotonic=around["monotonic"],
            rng=around["rng"],
            sleep=around["sleep"],
            stop=around["stop"],
            log=around["log"],
            metrics=metrics,
            publisher=publisher,
            epochs=epochs,
            attempts=lines.attempts,
            requests=lines.requests,
            tell=reporter.tell,
        )
        feeds = [Feed(line, world) for line in lines.lines]
        async with reporter.running([feed.status for feed in feeds]):
            refused = await _run_all(feeds, world, venue)
            await publisher.flush()
        return _report(venue, feeds, publisher.acknowledged, refused)


async def _run_all(feeds: Sequence[Feed], world: World, venue: Venue) -> int:
    """Run all feeds to their end; the number of refused keys.

    A refused key ends its own line and leaves the others alone; when it was the last one, there
    is nothing left to do and WrongKey is raised.
    """
    running = {asyncio.create_task(feed.run()) for feed in feeds}
    refused: list[WrongKey] = []
    try:
        while running:
            watched: set[asyncio.Future[None]] = {*running, world.publisher.failed}
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if world.publisher.failed in done:
                world.publisher.failed.result()
            for task in running & done:
                running.discard(task)
                _settle(task, refused, world, venue)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if len(refused) == len(feeds):
        raise refused[-1]
    return len(refused)


def _settle(
    task: "asyncio.Task[None]", refused: list[WrongKey], world: World, venue: Venue
) -> None:
    try:
        task.result()
    except WrongKey as error:
        refused.append(error)
        world.metrics.keys_refused.labels(venue.name).inc()
        world.log.error("%s", error)  # noqa: TRY400 - one line for the operator, no traceback


def _report(venue: Venue, feeds: Sequence[Feed], published: int, refused: int) -> ProducerReport:
    reconnects: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for feed in feeds:
        reconnects.update({str(reason): times for reason, times in feed.reconnects.items()})
        counted.update({str(kind): times for kind, times in feed.counted.items()})
    return ProducerReport(
        venue=venue.name,
        connections=sum(feed.connections for feed in feeds),
        frames=sum(feed.frames for feed in feeds),
        published=published,
        keys_refused=refused,
        reconnects=dict(reconnects),
        counted=dict(counted),
    )
