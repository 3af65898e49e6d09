"""A producer's whole life: look into Kafka, keep all lines up, write, and account for it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from producers.bounds import Bounds
from producers.epochs import EpochSource, greatest_epoch
from producers.errors import KafkaUnreachable, SteppedBack, WrongKey
from producers.feed import Feed
from producers.health import Health
from producers.kafka import partitions_of, reach, unreachable
from producers.latency import Latency
from producers.lease import Lease
from producers.line import Lines, World
from producers.logs import quiet_libraries
from producers.metrics import ProducerMetrics
from producers.minding import mind, read_keys
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
    turn, stepped_back = _Turn(given, lease), False
    try:
        await turn.run()
    except (SteppedBack, KafkaUnreachable) as error:
        if lease is None:
            raise
        given.around["log"].warning("%s: %s", given.lines.venue.name, error)
        stepped_back = True
    return turn.report(stepped_back=stepped_back)


class _Turn:
    """What a producer has while it works, made from what it is given; `run` connects."""

    def __init__(self, given: Given, lease: Lease | None) -> None:
        self._given, self._lease = given, lease
        self._lines, self._around = given.lines, given.around
        self._venue = given.lines.venue
        self._instance = f"{self._around['rng'].getrandbits(64):016x}"
        self._metrics = ProducerMetrics.of(self._around["registry"])
        # By the name that its lines tell their states under.
        self._neighbours = Neighbours(self._lines.lines[0].venue.name, self._instance)
        self._feeds: list[Feed] = []
        # Set where the lines are to be closed in order.
        self._leave = asyncio.Event()
        self._refused = 0
        self._publisher = Publisher(
            given.access,
            self._venue.raw_topic,
            venue=self._venue.name,
            log=self._around["log"],
            metrics=self._metrics,
            spool=given.spool,
            keys=self._lines.keys,
            clock_ns=self._around["clock_ns"],
            monotonic=self._around["monotonic"],
            overflowed=self._overflowed,
            fencing=None if lease is None else lease.name,
        )

    async def run(self) -> None:
        """From the first look into Kafka to the last frame that it takes."""
        given, around = self._given, self._around
        following = given.follow(
            given.statuses.topic, self._take, forget=self._neighbours.forget, read_committed=False
        )
        # Whoever wrote in our place writes no more, before it is looked what there is.
        async with (
            self._publisher,
            following as followed,
            StatusWriter(
                given.kafka,
                given.statuses,
                reaching=around.get("reaching"),
                refused=self._publisher.refuse,
            ) as writer,
        ):
            await _known(followed, given.kafka)
            reporter, latency = self._reporter(writer), self._latency()
            world = self._world(await self._epochs(), reporter, latency)
            self._feeds += [
                Feed(line, world, self._neighbours.accounts_of(line.connection))
                for line in self._lines.lines
            ]
            await self._keep_up(world, reporter, writer, latency)
            self._publisher.raise_if_stepped_back()

    async def _keep_up(
        self, world: World, reporter: Reporter, writer: StatusWriter, latency: Latency
    ) -> None:
        """Run the lines to their end, and beside them whatever looks after them."""
        feeds, lines, around = self._feeds, self._lines, self._around
        health = around.get("health") or Health(around["monotonic"])
        health.follow([feed.health for feed in feeds], self._publisher, reporter)
        unfollow = self._metrics.lines.follow([feed.condition for feed in feeds])
        connections = {line.connection for line in lines.lines}
        helpers = [
            asyncio.create_task(mind(self._neighbours, feeds, world, writer, connections, health)),
            asyncio.create_task(latency.run()),
            asyncio.create_task(_leave_at(around["stop"], self._leave)),
            # What lies in a socket by then is read, and kept.
            asyncio.create_task(_leave_at(self._publisher.stepping_back, self._leave)),
        ]
        if lines.key_ring is not None and lines.key_ring.can_change:
            told = around.get("read_keys") or asyncio.Event()
            helpers.append(asyncio.create_task(read_keys(lines.key_ring, told, feeds, world)))
        if self._lease is not None:
            helpers.append(asyncio.create_task(mind_lease(self._lease, self._publisher)))
        try:
            async with reporter.running([feed.status for feed in feeds]):
                self._refused = await _run_all(feeds, world, self._venue)
        finally:
            unfollow()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    def report(self, *, stepped_back: bool) -> ProducerReport:
        """What was done."""
        return _report(
            self._venue, self._feeds, self._publisher, self._refused, stepped_back=stepped_back
        )

    # -- what it has

    async def _epochs(self) -> EpochSource:
        """Nobody's epoch is used again, though raw may have lost what was told under it."""
        kafka, around = self._given.kafka, self._around
        greatest = await greatest_epoch(kafka, self._venue.raw_topic, sleep=around["sleep"])
        epochs = EpochSource(greatest, around["clock_ns"])
        epochs.observe(self._neighbours.greatest_epoch)
        epochs.observe(self._publisher.greatest_epoch)
        return epochs

    def _reporter(self, writer: StatusWriter) -> Reporter:
        publisher, lease, around = self._publisher, self._lease, self._around
        return Reporter(
            writer.write,
            frames=publisher if lease is None else Vouching(publisher, lease),
            every_seconds=self._given.statuses.every_seconds,
            sleep=around["sleep"],
            monotonic=around["monotonic"],
            log=around["log"],
        )

    def _latency(self) -> Latency:
        observe = self._metrics.send_seconds.labels(self._venue.name).observe
        return Latency(self._publisher, observe, monotonic=self._around["monotonic"])

    def _bounds(self) -> Bounds:
        lines, around = self._lines, self._around
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
        return bounds

    def _world(self, epochs: EpochSource, reporter: Reporter, latency: Latency) -> World:
        lines, around = self._lines, self._around
        return World(
            clock_ns=around["clock_ns"],
            monotonic=around["monotonic"],
            rng=around["rng"],
            sleep=around["sleep"],
            stop=self._leave,
            log=around["log"],
            metrics=self._metrics,
            publisher=self._publisher,
            epochs=epochs,
            attempts=lines.attempts,
            requests=lines.requests,
            tell=reporter.tell,
            instance=self._instance,
            handed_over=latency.handed_over,
            key_ring=lines.key_ring,
            bounds=self._bounds(),
            spans=around.get("spans"),
            lease=0 if self._lease is None else epochs.next(),
        )

    # -- what is told to it

    def _overflowed(self) -> None:
        for feed in self._feeds:
            feed.overflowed()

    def _take(self, key: bytes | None, value: bytes | None, _: float | None) -> None:
        self._neighbours.take(key or b"", value, self._around["monotonic"]())


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
