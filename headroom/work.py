"""`headroom work`: one worker, in a folder and on a port of its own."""

import asyncio
import contextlib
import fcntl
import logging
import socket
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click

from headroom.errors import OperatorError
from headroom.registry import registered
from headroom.settings import Settings
from headroom.tokens import access_of
from headroom.topics import require
from processors.app import Worker, WorkerSettings
from processors.engine import EngineSettings
from processors.garbage import collect_rarely
from schemas.topics import TOMBSTONE_SECONDS

APP_NAME = "headroom"
WORKERS_PER_MACHINE_MAX = 1_000

log = logging.getLogger("headroom.worker")


async def run_worker(settings: Settings, port: int, stop: asyncio.Event) -> None:
    """Work until told to stop; `ready URL` is printed when the tables are there."""
    access = access_of(settings)
    kafka = settings.kafka.arguments()
    with _listening(settings.http_host, port) as listener, _own_folder(settings) as folder:
        await require(kafka, partitions=settings.partitions)
        schema_ids = await registered(settings.registry)
        host, bound = listener.getsockname()[:2]
        url = settings.http_advertised_url or f"http://{host}:{bound}"
        engine = EngineSettings(
            name=APP_NAME,
            kafka=kafka,
            librdkafka=settings.kafka.properties(),
            guarantee=(
                "at_least_once" if settings.guarantee == "at_least_once" else "exactly_once"
            ),
            instance=_instance(folder),
            standby_replicas=settings.standby_replicas,
            tombstone_seconds=TOMBSTONE_SECONDS,
            data_dir=folder,
            partitions=settings.partitions,
            url=url.rstrip("/"),
            replication_factor=settings.replication_factor,
            store="memory" if settings.store == "memory" else "rocksdb",
        )
        worker = Worker(
            WorkerSettings(
                engine,
                stale_after_seconds=settings.stale_after_seconds,
                access=access,
                schema_ids=schema_ids,
                version=metadata.version("headroom"),
            ),
            listener,
        )
        collect_rarely()
        log.info("starting; questions at %s, tables in %s", url, folder)
        await worker.run(stop, on_serving=lambda: click.echo(f"ready {url}"))


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
        path.write_text(f"{APP_NAME}-{uuid.uuid4().hex}", encoding="ascii")
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
