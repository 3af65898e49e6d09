"""`headroom work`: one worker, in a folder and on a port of its own."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Coroutine, Mapping
from importlib import metadata
from pathlib import Path
from random import random
from typing import Any, Final, TypeVar

import click
from confluent_kafka import KafkaException

from headroom.base.errors import OperatorError
from headroom.base.following import Reader
from headroom.base.known_topics import KnownTopic
from headroom.base.listening import listening, url_of
from headroom.base.reaching import check_credentials, keep_reaching
from headroom.base.settings import Settings
from headroom.operate.accounts import Bindings, claim
from headroom.operate.alerts.file import load_rules
from headroom.operate.generations import FIRST, app_name, names_of, read_book, tables_of
from headroom.operate.generations.follow import LiveGeneration
from headroom.operate.registry import schema_ids
from headroom.operate.resume.moved import vouching
from headroom.operate.tokens import access_of, kept
from headroom.operate.topics.acls import of_live_worker, to_begin
from headroom.operate.topics.admin import Admin, admin_of
from headroom.operate.topics.differences import CONTRACT, require_all
from headroom.operate.topics.known import beside, relied_on, settle
from headroom.operate.topics.rights import require_rights
from headroom.operate.topics.watch import Watch
from headroom.run.folder import give_up_name, name_in, own_folder
from headroom.run.strangers import Strangers
from headroom.run.traces import spans_to
from processors.app import Worker, WorkerSettings
from processors.engine.app import EngineSettings
from processors.engine.errors import EngineError, NameTaken, TransactionRefused
from processors.engine.member import FENCED_INSTANCE_ID
from processors.garbage import collect_rarely
from processors.http.crowd import Bounds
from processors.http.waiting import waiting
from schemas.topics import TOMBSTONE_SECONDS
from schemas.venues import VENUES

T = TypeVar("T")

log = logging.getLogger("headroom.worker")
_OTHER_PORT: Final = "give another one with --port or HEADROOM_HTTP_PORT (0: any free one)"


async def run_worker(settings: Settings, port: int, stop: asyncio.Event) -> None:
    """Work until told to stop; `ready URL` is printed when the tables are there.

    It works for the generation that is live; when another one is promoted, for that.
    """
    access, rules = access_of(settings), load_rules(settings.alerts_file)
    kafka = settings.kafka.arguments()
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(listening(settings.http_host, port, way=_OTHER_PORT))
        folder = stack.enter_context(own_folder(settings))
        spans = stack.enter_context(spans_to(settings.traces, "headroom-worker", chance=random))
        await check_credentials(kafka)
        admin = await stack.enter_async_context(admin_of(settings.kafka))
        await require_rights(admin, "work", to_begin())
        await require_all(admin, CONTRACT, partitions=settings.partitions)
        book = await read_book(kafka, partitions=settings.partitions)
        await require_rights(admin, *of_live_worker(book.live.name))
        # Before anything is done by what the tables say.
        await _settled(settings, admin, book.live.name, book.topics)
        await claim(settings)
        ids = await stack.enter_async_context(schema_ids(settings.registry))
        url = (settings.http_advertised_url or url_of(listener)).rstrip("/")
        if access is not None:
            await stack.enter_async_context(kept(access, settings.api_tokens_file))
        collect_rarely()
        follow = Reader.of(settings.kafka)
        bindings, strangers = Bindings(), Strangers(follow)
        async with (
            LiveGeneration(strangers).followed() as following,
            bindings.followed(strangers) as accounts,
        ):
            await accounts.until()
            # What was known before this worker was started has been read, and has commits.
            before = frozenset(book.topics)
            while not stop.is_set():
                async with waiting(listener, "another generation is being promoted"):
                    name = await _first(following.settled(), stop)
                if name is None:
                    return
                known = await _settled(settings, admin, name, following.topics)
                engine = _engine(settings, name, folder, following, url, read_before=before)
                worker = Worker(
                    WorkerSettings(
                        engine,
                        names=names_of(name, live=True),
                        owners=bindings.owners,
                        in_assets=settings.in_assets,
                        stale_after_seconds=settings.stale_after_seconds,
                        not_serving_seconds=settings.not_serving_seconds,
                        access=access,
                        bounds=Bounds(connections_max=settings.http_connections_max),
                        schema_ids=ids,
                        version=metadata.version("headroom"),
                        incarnations=following.incarnations,
                        rules=rules,
                        spans=spans,
                    ),
                    listener.dup(),
                    follow=follow,
                )
                strangers.tell(worker.metrics.foreign_records)
                log.info("starting on %s; questions at %s, tables in %s", name, url, folder)
                over = asyncio.Event()
                told = asyncio.create_task(_tell(following.over(name), stop, over, worker))
                watching = asyncio.create_task(_watch(settings, admin, name, known, worker))
                try:
                    await worker.run(over, on_serving=lambda: click.echo(f"ready {url}"))
                except EngineError as error:
                    if (taken := _name_taken(engine, error)) is None:
                        raise
                    give_up_name(folder)
                    raise taken from error
                finally:
                    told.cancel()
                    watching.cancel()
                before = frozenset(following.topics)


async def _settled(
    settings: Settings, admin: Admin, name: str, known: Mapping[str, KnownTopic]
) -> dict[str, KnownTopic]:
    """The topics of a generation, which are what they were."""
    return await settle(
        admin,
        settings.kafka,
        name,
        known,
        partitions=settings.partitions,
        replication_factor=settings.replication_factor,
    )


async def _watch(
    settings: Settings, admin: Admin, name: str, known: Mapping[str, KnownTopic], worker: Worker
) -> None:
    """Let the worker break as soon as a topic is not what it was: nothing is committed then."""
    tables = list(tables_of(name))
    names = sorted(CONTRACT.keys() | relied_on(name).keys())
    watch = Watch(admin, names, known, tables, partitions=settings.partitions, beside=beside(name))
    try:
        await watch.broken()
    except (OperatorError, EngineError) as error:
        worker.app.consumer.flight.fail(error)


def _name_taken(engine: EngineSettings, error: EngineError) -> NameTaken | None:
    """The error of a worker whose name another one has, whoever noticed; else None."""
    if isinstance(error, NameTaken):
        return error
    cause = error.cause if isinstance(error, TransactionRefused) else None
    if isinstance(cause, KafkaException) and cause.args[0].code() == FENCED_INSTANCE_ID:
        return NameTaken(str(engine.instance))
    return None


async def _first(found: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """What is found; None where `stop` is set before."""
    finding, stopping = asyncio.ensure_future(found), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((finding, stopping), return_when=asyncio.FIRST_COMPLETED)
        return finding.result() if finding.done() else None
    finally:
        finding.cancel()
        stopping.cancel()


async def _tell(
    over: Coroutine[Any, Any, None], stop: asyncio.Event, told: asyncio.Event, worker: Worker
) -> None:
    """Set an event once a generation is over, or `stop` is set."""
    try:
        await _first(over, stop)
    except OperatorError as error:
        worker.app.consumer.flight.fail(error)
    # Who promotes another one waits until nobody is left.
    worker.app.leaves = not stop.is_set()
    told.set()


def _engine(
    settings: Settings,
    name: str,
    folder: Path,
    following: LiveGeneration,
    url: str,
    *,
    read_before: frozenset[str],
) -> EngineSettings:
    """The engine's settings for a generation; each has local tables of its own."""
    instance = name_in(folder)
    # A name can come again; what is left of an earlier one belongs to another changelog.
    known = {f"{one}-{made_ns}" for one, made_ns in following.made_ns.items()}
    generations = folder / "generations"
    for found in generations.iterdir() if generations.exists() else ():
        if found.name not in known:
            shutil.rmtree(found, ignore_errors=True)
    tables = folder if name == FIRST else generations / f"{name}-{following.made_ns[name]}"
    tables.mkdir(parents=True, exist_ok=True)
    return EngineSettings(
        name=app_name(name),
        kafka=settings.kafka.arguments(),
        librdkafka=settings.kafka.properties(),
        guarantee="at_least_once" if settings.guarantee == "at_least_once" else "exactly_once",
        instance=instance,
        standby_replicas=settings.standby_replicas,
        tombstone_seconds=TOMBSTONE_SECONDS,
        data_dir=tables,
        partitions=settings.partitions,
        url=url,
        replication_factor=settings.replication_factor,
        store="memory" if settings.store == "memory" else "rocksdb",
        read_before=read_before,
        unbroken=frozenset(venue.raw_topic for venue in VENUES.values()),
        reaching=keep_reaching,
        vouch=vouching(settings),
    )
