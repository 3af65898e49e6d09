"""`headroom work`: one worker, in a folder and on a port of its own."""

import asyncio
import contextlib
import fcntl
import logging
import shutil
import socket
import uuid
from collections.abc import Coroutine, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import click

from headroom.accounts import Bindings, claim
from headroom.errors import OperatorError
from headroom.generations import FIRST, app_name, names_of
from headroom.generations.follow import LiveGeneration
from headroom.registry import registered
from headroom.settings import Settings
from headroom.tokens import access_of
from headroom.topics import require
from processors.app import Worker, WorkerSettings
from processors.engine import EngineSettings
from processors.garbage import collect_rarely
from processors.http.waiting import waiting
from schemas.topics import TOMBSTONE_SECONDS

T = TypeVar("T")
WORKERS_PER_MACHINE_MAX = 1_000

log = logging.getLogger("headroom.worker")


async def run_worker(settings: Settings, port: int, stop: asyncio.Event) -> None:
    """Work until told to stop; `ready URL` is printed when the tables are there.

    It works for the generation that is live; when another one is promoted, for that.
    """
    access = access_of(settings)
    kafka = settings.kafka.arguments()
    with _listening(settings.http_host, port) as listener, _own_folder(settings) as folder:
        await require(kafka, partitions=settings.partitions)
        await claim(settings)
        schema_ids = await registered(settings.registry)
        host, bound = listener.getsockname()[:2]
        url = (settings.http_advertised_url or f"http://{host}:{bound}").rstrip("/")
        collect_rarely()
        bindings = Bindings()
        accounts = bindings.following(kafka)
        async with LiveGeneration(kafka).followed() as following, accounts.followed():
            await accounts.until()
            while not stop.is_set():
                async with waiting(listener, "another generation is being promoted"):
                    name = await _first(following.settled(), stop)
                if name is None:
                    return
                engine = _engine(settings, name, folder, following, url)
                worker = Worker(
                    WorkerSettings(
                        engine,
                        names=names_of(name, live=True),
                        owners=bindings.owners,
                        in_assets=settings.in_assets,
                        stale_after_seconds=settings.stale_after_seconds,
                        access=access,
                        schema_ids=schema_ids,
                        version=metadata.version("headroom"),
                        incarnations=following.incarnations,
                    ),
                    listener.dup(),
                )
                log.info("starting on %s; questions at %s, tables in %s", name, url, folder)
                over = asyncio.Event()
                told = asyncio.create_task(_tell(following.over(name), stop, over, worker))
                try:
                    await worker.run(over, on_serving=lambda: click.echo(f"ready {url}"))
                finally:
                    told.cancel()


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
    await _first(over, stop)
    # Who promotes another one waits until nobody is left.
    worker.app.leaves = not stop.is_set()
    told.set()


def _engine(
    settings: Settings, name: str, folder: Path, following: LiveGeneration, url: str
) -> EngineSettings:
    """The engine's settings for a generation; each has local tables of its own."""
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
        instance=_instance(folder),
        standby_replicas=settings.standby_replicas,
        tombstone_seconds=TOMBSTONE_SECONDS,
        data_dir=tables,
        partitions=settings.partitions,
        url=url,
        replication_factor=settings.replication_factor,
        store="memory" if settings.store == "memory" else "rocksdb",
    )


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket, before anything else is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            message = (
                f"cannot listen on {host}:{port} ({error.strerror}): "
                "give another one with --port or HEADROOM_HTTP_PORT (0: any free one)"
            )
            raise OperatorError(message) from error
        yield listener
    finally:
        listener.close()


def _instance(folder: Path) -> str:
    """This worker's name in the group: the same for as long as its folder lasts.

    A worker that is started again soon is the same member to Kafka, which then moves nothing.
    """
    path = folder / "instance"
    if not path.exists():
        path.write_text(f"headroom-{uuid.uuid4().hex}", encoding="ascii")
    return path.read_text(encoding="ascii")


@contextlib.contextmanager
def _own_folder(settings: Settings) -> Iterator[Path]:
    """A folder that no other worker on this machine has: the first one that is free.

    So a worker that is started again finds the tables that it left.
    """
    for number in range(WORKERS_PER_MACHINE_MAX):
        folder = settings.data_dir / f"worker-{number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("ab")
        except OSError as error:
            message = f"HEADROOM_DATA_DIR cannot be used: {error.strerror}: {folder}"
            raise OperatorError(message) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    message = f"{WORKERS_PER_MACHINE_MAX} workers use {settings.data_dir} already"
    raise OperatorError(message)
