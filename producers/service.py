"""A producer's whole life: look into Kafka, keep all lines up, write, and account for it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from aiokafka.errors import KafkaError

from producers.bounds import Bounds
from producers.epochs import EpochSource, greatest_epoch
from producers.errors import KafkaUnreachable, SteppedBack, WrongKey
from producers.feed import Feed
from producers.health import Health
from producers.kafka import partitions_of, reach, unreachable
from producers.keys import READ_SECONDS, Keys
from producers.latency import Latency
from producers.lease import Lease
from producers.line import Lines, World
from producers.logs import quiet_libraries
from producers.metrics import ProducerMetrics
from producers.neighbours import Neighbours
from producers.publisher import IN_MEMORY, Access, Publisher, SpoolSettings
from producers.statuses import Reporter, StatusSettings, StatusWriter
from producers.turns import (
    Given,
    ProducerReport,
    StandbySettings,
    Surroundings,
    Vouching,
    mind_lease,
    take_turns,
)
from schemas.following import Follow, Followed
from schemas.venues import Venue

_STATUSES: Final = StatusSettings()
_MIND_SECONDS: Final = 1.0
_READ_SECONDS: Final = 60.0


async def produce(
    lines: Lines,
    kafka: Mapping[str, Any],
    *,
    follow: Follow,
    access: Access,
    statuses: StatusSettings = _STATUSES,
    spool: SpoolSettings = IN_MEMORY,
    standby: StandbySettings | None = None,
    **around: Unpack[Surroundings],
) -> ProducerReport:
    """Carry a venue's balance frames to their raw topic until `stop` is set, then flush.

    `kafka` are aiokafka's own client arguments, `access` gives librdkafka's for the same Kafka,
    `follow` reads what other producers tell. `spool` is where frames wait for Kafka.
    `statuses` is where and how often it is told how the connections are. With `standby`, of all
    that share its name one works at a time, and the others wait. A lost venue is tried
    again for ever; raises ProducerError (see `producers.errors`) where that cannot help. A key
    given up ends its own line only; WrongKey is raised when no line is left.
    """
    venue = lines.venue
    quiet_libraries()
    ProducerMetrics.of(around["registry"]).begin(venue.name)
    await reach(kafka)
    await partitions_of(kafka, venue.raw_topic, sleep=around["sleep"])
    await partitions_of(kafka, statuses.topic, sleep=around["sleep"])
    await partitions_of(kafka, statuses.public_topic, sleep=around["sleep"])
    given = Given(lines, kafka, follow, access, statuses, spool, around)
    if standby is None:
        return await work(given)
    return await take_turns(given, standby, work)


async def work(given: Given, lease: Lease | None = None) -> ProducerReport:
    """Keep all lines up, until `stop` is set or, where there is a lease, it is not ours."""
    lines, kafka, around = given.lines, given.kafka, given.around
    metrics = ProducerMetrics.of(around["registry"])
    instance = f"{around['rng'].getrandbits(64):016x}"
    neighbours = Neighbours(lines.lines[0].venue.name, instance)
    reaching = around.get("reaching")
    feeds: list[Feed] = []

    def overflowed() -> None:
        for feed in feeds:
            feed.overflowed()

    def take(key: bytes | None, value: bytes | None, _: float | None) -> None:
        neighbours.take(key or b"", value, around["monotonic"]())

    publisher = Publisher(
        given.access,
        lines.venue.raw_topic,
        venue=lines.venue.name,
        log=around["log"],
        metrics=metrics,
        spool=given.spool,
        keys=lines.keys,
        clock_ns=around["clock_ns"],
        monotonic=around["monotonic"],
        overflowed=overflowed,
        fencing=None if lease is None else lease.name,
    )
    following = given.follow(
        given.statuses.topic, take, forget=neighbours.forget, read_committed=False
    )
    refused, stepped_back = 0, False
    try:
        # Whoever wrote in our place writes no more, before it is looked what there is.
        async with (
            publisher,
            following as followed,
            StatusWriter(
                kafka, given.statuses, reaching=reaching, refused=publisher.refuse
            ) as writer,
        ):
            await _known(followed, kafka)
            epochs = EpochSource(
                await greatest_epoch(kafka, lines.venue.raw_topic, sleep=around["sleep"]),
                around["clock_ns"],
            )
            # Nobody's epoch is used again, though raw may have lost what was told under it.
            epochs.observe(neighbours.greatest_epoch)
            epochs.observe(publisher.greatest_epoch)
            reporter = Reporter(
                writer.write,
                frames=publisher if lease is None else Vouching(publisher, lease),
                every_seconds=given.statuses.every_seconds,
                sleep=around["sleep"],
                monotonic=around["monotonic"],
                log=around["log"],
            )
            bounds = Bounds(
                around.get("bounds"),
                attempts=lines.attempts,
                requests=lines.requests,
                keys=lines.keys,
                clock_ns=around["clock_ns"],
                monotonic=around["monotonic"],
                log=around["log"],
            )
            bounds.restore()
            latency = Latency(
                publisher,
                metrics.send_seconds.labels(lines.venue.name).observe,
                monotonic=around["monotonic"],
            )
            leave = asyncio.Event()
            world = World(
                clock_ns=around["clock_ns"],
                monotonic=around["monotonic"],
                rng=around["rng"],
                sleep=around["sleep"],
                stop=leave,
                log=around["log"],
                metrics=metrics,
                publisher=publisher,
                epochs=epochs,
                attempts=lines.attempts,
                requests=lines.requests,
                tell=reporter.tell,
                instance=instance,
                handed_over=latency.handed_over,
                key_ring=lines.key_ring,
                bounds=bounds,
                lease=0 if lease is None else epochs.next(),
            )
            feeds += [
                Feed(line, world, neighbours.accounts_of(line.connection)) for line in lines.lines
            ]
            health = around.get("health") or Health(around["monotonic"])
            health.follow([feed.health for feed in feeds], publisher, reporter)
            unfollow = metrics.lines.follow([feed.condition for feed in feeds])
            helpers = [
                asyncio.create_task(_mind(neighbours, feeds, world, writer, lines, health)),
                asyncio.create_task(latency.run()),
                asyncio.create_task(_leave_at(around["stop"], leave)),
                # What lies in a socket by then is read, and kept.
                asyncio.create_task(_leave_at(publisher.stepping_back, leave)),
            ]
            if lines.key_ring is not None and lines.key_ring.can_change:
                told = around.get("read_keys") or asyncio.Event()
                helpers.append(asyncio.create_task(_read_keys(lines.key_ring, told, feeds, world)))
            if lease is not None:
                helpers.append(asyncio.create_task(mind_lease(lease, publisher)))
            try:
                async with reporter.running([feed.status for feed in feeds]):
                    refused = await _run_all(feeds, world, lines.venue)
            finally:
                unfollow()
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
            publisher.raise_if_stepped_back()
    except (SteppedBack, KafkaUnreachable) as error:
        if lease is None:
            raise
        around["log"].warning("%s: %s", lines.venue.name, error)
        stepped_back = True
    return _report(lines.venue, feeds, publisher, refused, stepped_back=stepped_back)


async def _leave_at(event: asyncio.Event, leave: asyncio.Event) -> None:
    """Have the lines closed in order."""
    await event.wait()
    leave.set()


async def _known(following: Followed, kafka: Mapping[str, Any]) -> None:
    """Wait for what others told before; raises KafkaUnreachable.

    Later a Kafka that is away is waited for: what others tell is of use, but no reason to stop.
    """
    try:
        async with asyncio.timeout(_READ_SECONDS):
            await following.until()
    except TimeoutError as error:
        raise unreachable(kafka, error) from error


async def _mind(
    neighbours: Neighbours,
    feeds: Sequence[Feed],
    world: World,
    writer: StatusWriter,
    lines: Lines,
    health: Health,
) -> None:
    """Begin anew where another producer came and went; clear away what nobody has any more."""
    connections = {line.connection for line in lines.lines}
    while True:
        await world.sleep(_MIND_SECONDS)
        world.publisher.observe()
        health.tick()
        for feed in feeds:
            epoch = neighbours.superseding(feed.status(), world.monotonic())
            if epoch is not None:
                world.epochs.observe(epoch)
                feed.supersede()
        if world.lease and neighbours.greatest_lease > world.lease:
            world.publisher.step_back(SteppedBack("it has begun after this one"))
        forgotten = neighbours.forgotten(connections, world.monotonic())
        if forgotten:
            with contextlib.suppress(KafkaError):  # it is looked at again in a moment
                await writer.forget(forgotten)


async def _read_keys(keys: Keys, told: asyncio.Event, feeds: Sequence[Feed], world: World) -> None:
    """Read the keys again, every few seconds and where it is `told`."""
    read_at = world.monotonic()
    while True:
        await world.sleep(_MIND_SECONDS)
        at_once = told.is_set()
        if not at_once and world.monotonic() - read_at < READ_SECONDS:
            continue
        told.clear()
        read_at = world.monotonic()
        # A file may be on a disk that does not answer.
        changed = await asyncio.to_thread(keys.renew, world.log)
        if at_once and not changed:
            world.log.info("the keys are what they were")
        for feed in feeds:
            feed.rekeyed(at_once=at_once)


async def _run_all(feeds: Sequence[Feed], world: World, venue: Venue) -> int:
    """Run all feeds to their end; the number of refused keys.

    A key given up ends its own line and leaves the others alone, until there is another key for
    it; when it was the last one, there is nothing left to do and WrongKey is raised.
    """
    running = {asyncio.create_task(feed.run()): feed for feed in feeds}
    waiting: dict[asyncio.Task[None], Feed] = {}
    refused: dict[Feed, WrongKey] = {}
    try:
        while running:
            watched: set[asyncio.Future[None]] = {*running, *waiting, world.publisher.failed}
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if world.publisher.failed in done:
                world.publisher.failed.result()
            for task in waiting.keys() & done:
                feed = waiting.pop(task)
                del refused[feed]
                running[asyncio.create_task(feed.run())] = feed
            for task in running.keys() & done:
                feed = running.pop(task)
                error = _settle(task, world, venue)
                if error is not None:
                    refused[feed] = error
                    waiting[asyncio.create_task(feed.until_another_key())] = feed
    finally:
        left = [*running, *waiting]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    if len(refused) == len(feeds):
        raise next(reversed(refused.values()))
    return len(refused)


def _settle(task: "asyncio.Task[None]", world: World, venue: Venue) -> WrongKey | None:
    """The error of a line that has ended because its key was refused; None for any other end."""
    try:
        task.result()
    except WrongKey as error:
        world.metrics.keys_refused.labels(venue.name).inc()
        world.log.error("%s", error)  # noqa: TRY400 - one line for the operator, no traceback
        return error
    return None


def _report(
    venue: Venue, feeds: Sequence[Feed], publisher: Publisher, refused: int, *, stepped_back: bool
) -> ProducerReport:
    reconnects: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for feed in feeds:
        reconnects.update({str(reason): times for reason, times in feed.reconnects.items()})
        counted.update({str(kind): times for kind, times in feed.counted.items()})
    return ProducerReport(
        venue=venue.name,
        connections=sum(feed.connections for feed in feeds),
        frames=sum(feed.frames for feed in feeds),
        published=publisher.acknowledged,
        found=publisher.found,
        dropped=publisher.dropped,
        spooled=publisher.waiting,
        keys_refused=refused,
        reconnects=dict(reconnects),
        counted=dict(counted),
        stepped_back=int(stepped_back),
    )
