"""The agents once more, over the frames that a replay reads, until all that follows is folded."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from faust.types import TP

from headroom.base.clients import Clients, Place
from headroom.base.following import Reader
from headroom.base.reaching import keep_reaching
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Bindings
from headroom.operate.alerts.file import load_rules
from headroom.operate.generations import Generation, app_name, kept_of, names_of
from headroom.operate.replay.asked import RAW_TOPICS, placed
from headroom.operate.resume.moved import vouching
from processors.app import Pipeline, WorkerSettings
from processors.engine.app import EngineSettings
from processors.engine.errors import PositionsMoved
from processors.engine.marks import Commit, Vouch
from processors.names import Accounts, Names
from schemas.incarnations import Incarnation
from schemas.topics import TOMBSTONE_SECONDS

_LOOK_SECONDS: Final = 0.25
# Nobody waits for a single frame: larger batches tell each user fewer times.
_RECORDS_AT_ONCE: Final = 8_000
_TRANSACTION_RECORDS: Final = 32_000
# Nobody asks this worker anything; the name keeps it apart from others in its group.
_URL: Final = "http://127.0.0.1:1"


class Pace(msgspec.Struct, frozen=True):
    """How far a replay is: frames done, of how many, at which time of a steady clock."""

    done: int
    total: int
    at_seconds: float

    def rate_since(self, earlier: "Pace") -> float:
        """Frames a second; 0 where nothing was done, or no time went by."""
        seconds = self.at_seconds - earlier.at_seconds
        return (self.done - earlier.done) / seconds if seconds > 0 else 0.0


class Job(msgspec.Struct, frozen=True):
    """What a run of the agents is to do.

    `names` is where it tells what, `frames_of` whose frames it reads, `until` to where in raw.
    `incarnations` are those of the raw topics.
    """

    generation: str
    names: Names
    frames_of: Mapping[str, Accounts]
    until: dict[Place, int]
    version: str
    total: int
    start: dict[Place, int]
    incarnations: Mapping[str, Sequence[Incarnation]]


def job_of(generation: Generation) -> Job:
    """The run that makes a generation."""
    starts, ends = placed(generation.starts), placed(generation.ends)
    return Job(
        generation.name,
        names_of(generation.name, live=False),
        generation.frames_of,
        ends,
        generation.code,
        sum(ends.values()) - sum(starts.values()),
        starts,
        generation.incarnations,
    )


async def rebuild(
    settings: Settings,
    job: Job,
    folder: Path,
    instance: str,
    show: Callable[[Pace], None],
    stop: asyncio.Event,
) -> bool:
    """Run the agents until everything is done; whether it is, or `stop` was set before.

    Raises whatever broke the work.
    """
    run = _Run(settings, job, folder, instance)
    return await run.until_done(show, stop)


async def work_along(
    settings: Settings,
    job: Job,
    folder: Path,
    instance: str,
    show: Callable[[Pace], None],
    stop: asyncio.Event,
) -> int:
    """Run the agents beside those of whoever runs the job, until `stop` is set.

    How many frames were read here. Raises whatever broke the work.
    """
    run = _Run(settings, job, folder, instance)
    return await run.until_stopped(show, stop)


class _Run:
    """The pipeline of a job, and how far it is."""

    def __init__(self, settings: Settings, job: Job, folder: Path, instance: str) -> None:
        self._job = job
        self._partitions = settings.partitions
        self._follow = Reader.of(settings.kafka)
        self._clients = Clients(settings.kafka)
        engine = EngineSettings(
            name=app_name(job.generation),
            kafka=settings.kafka.arguments(),
            librdkafka=settings.kafka.properties(),
            guarantee="at_least_once" if settings.guarantee == "at_least_once" else "exactly_once",
            instance=instance,
            tombstone_seconds=TOMBSTONE_SECONDS,
            data_dir=folder,
            partitions=settings.partitions,
            url=_URL,
            replication_factor=settings.replication_factor,
            store="memory" if settings.store == "memory" else "rocksdb",
            read_until=job.until,
            # By then most of what the users were told of is told anew: the sums take the newest.
            read_last=frozenset([job.names.contributions]),
            records_at_once=_RECORDS_AT_ONCE,
            transaction_records=_TRANSACTION_RECORDS,
            reaching=keep_reaching,
            vouch=vouching(settings) if _is_live(job) else _vouch(job),
        )
        # Who has an account now is who had it, for all that is read.
        self._bindings = Bindings()
        worker = WorkerSettings(
            engine,
            names=job.names,
            frames_of=job.frames_of,
            owners=self._bindings.owners,
            in_assets=settings.in_assets,
            version=job.version,
            incarnations=job.incarnations,
            rules=load_rules(settings.alerts_file),
        )
        self._pipeline = Pipeline(worker)
        self._pipeline.app.leaves = True
        read = {topic for topic in RAW_TOPICS if _venue(topic) in job.frames_of}
        self._raw = {place: end for place, end in job.until.items() if place[0] in read}

    async def until_done(self, show: Callable[[Pace], None], stop: asyncio.Event) -> bool:
        done = False

        async def watch() -> None:
            nonlocal done
            done = await self._watched(show, stop)

        await self._run(watch)
        return done and await self._settled(stop)

    async def until_stopped(self, show: Callable[[Pace], None], stop: asyncio.Event) -> int:
        async def watch() -> None:
            await self._serving(stop)
            async for pace in self._paces(stop):
                show(pace)
            await stop.wait()

        await self._run(watch)
        return self._frames_read()

    def _frames_read(self) -> int:
        """One of several accounts counts for each, and again where its work was done again."""
        metrics = self._pipeline.metrics
        samples = (
            sample
            for counter in (metrics.normalised, metrics.dead_letters)
            for family in counter.collect()
            for sample in family.samples
        )
        return int(sum(one.value for one in samples if one.name.endswith("_total")))

    async def _run(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._bindings.followed(self._follow) as accounts:
            await accounts.until()
            await self._pipeline.run(watch)

    async def _watched(self, show: Callable[[Pace], None], stop: asyncio.Event) -> bool:
        await self._serving(stop)
        async for pace in self._paces(stop):
            show(pace)
        done = not stop.is_set() and await self._folded(stop)
        if done:
            # The rate is that of all the work, not of the frames alone.
            show(Pace(self._job.total, self._job.total, time.monotonic()))
        return done

    async def _serving(self, stop: asyncio.Event) -> None:
        serving = asyncio.Event()
        self._pipeline.app.tables.when_serving(serving.set)
        waits = [asyncio.create_task(event.wait()) for event in (serving, stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _paces(self, stop: asyncio.Event) -> AsyncIterator[Pace]:
        """How far the frames are, again and again, until all of them are done."""
        start, total = self._job.start, self._job.total
        while not stop.is_set():
            reached = await self._reached(self._raw, RAW_TOPICS)
            left = sum(
                end - max(start.get(place, 0), reached[place]) for place, end in self._raw.items()
            )
            yield Pace(total - left, total, time.monotonic())
            if left <= 0:
                return
            await _pause(stop, _LOOK_SECONDS)

    async def _folded(self, stop: asyncio.Event) -> bool:
        """Wait until what the frames became is folded too: by the users, then by the sums."""
        topics, before = self._job.names.folded, dict[Place, int]()
        while not stop.is_set():
            # All that was written: what is committed is so before Kafka shows it as committed.
            ends = await asyncio.to_thread(
                lambda: self._clients.ends(topics, self._partitions, committed=False)
            )
            reached = await self._reached(ends, topics)
            done = all(reached[place] >= end for place, end in ends.items())
            # What was done since the last look may have led to more.
            if done and ends == before:
                return True
            before = ends if done else {}
            await _pause(stop, _LOOK_SECONDS / 5)
        return False

    async def _settled(self, stop: asyncio.Event) -> bool:
        """Wait until whoever reads what is committed sees all of it."""
        topics = kept_of(self._job.generation, self._job.names)
        while not stop.is_set():
            if await asyncio.to_thread(self._clients.is_settled, topics, self._partitions):
                return True
            await _pause(stop, _LOOK_SECONDS / 5)
        return False

    async def _reached(
        self, places: Collection[Place], topics: Collection[str]
    ) -> dict[Place, int]:
        """The offsets up to which everything is done; of what others work on, as Kafka knows it."""
        progress = self._pipeline.app.consumer.flight.progress
        own: dict[Place, int | None] = {place: progress.reached(TP(*place)) for place in places}
        told: dict[Place, int] = {}
        if None in own.values():
            # One that may still move is not waited for: the next look sees it.
            told = await asyncio.to_thread(
                lambda: self._clients.committed(
                    app_name(self._job.generation), topics, self._partitions, stable=False
                )
            )
        return {place: max(own[place] or 0, told.get(place, 0)) for place in places}


def _is_live(job: Job) -> bool:
    return job.names == names_of(job.generation, live=True)


def _vouch(job: Job) -> Vouch:
    """Commits without a mark of ours: an earlier version's lie within what is to be read."""
    drop = f"headroom replay drop {job.generation}"

    async def vouch(strange: Mapping[TP, Commit]) -> None:
        for tp, commit in sorted(strange.items()):
            place = (tp.topic, tp.partition)
            start, end = job.start.get(place, 0), job.until.get(place)
            if end is not None and not start <= commit.offset <= max(start, end):
                why = f"it is made of what lies from {start} to {end}"
                raise PositionsMoved(
                    topic=tp.topic, partition=tp.partition, found=commit.offset, why=why, way=drop
                )

    return vouch


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _venue(topic: str) -> str:
    return topic.removeprefix("raw.").partition(".")[0]
