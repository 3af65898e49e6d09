"""A venue's producer as a command: settings from the environment, the world from this machine."""

import asyncio
import contextlib
import inspect
import logging
import os
import time
from collections.abc import AsyncIterator
from random import SystemRandom
from typing import Final

import click
from prometheus_client import CollectorRegistry, ProcessCollector

from headroom.base.environment import Environment
from headroom.base.errors import KafkaUnreachable
from headroom.base.following import Reader
from headroom.base.listening import listening, url_of
from headroom.base.mistakes import Mistakes
from headroom.base.options import load_settings
from headroom.base.reaching import check_credentials, keep_reaching
from headroom.base.running import run
from headroom.base.settings import Settings
from headroom.operate.topics.acls import of_producer
from headroom.operate.topics.admin import admin_of
from headroom.operate.topics.rights import require_rights
from headroom.run.probes import probed
from headroom.run.traces import spans_to
from headroom.run.venue.module import Module
from producers.bounds import FileStore
from producers.health import Health
from producers.publisher import SpoolSettings
from producers.service import produce
from producers.turns import StandbySettings, Surroundings

log = logging.getLogger("headroom.producer")
_OTHER_PORT: Final = "give another one in HEADROOM_PROBES_PORT (0: any free one)"


def producer(module: Module) -> click.Command:
    """The command that runs a venue's producer; its help is what the venue says of its lines."""

    def command() -> None:
        mistakes = Mistakes()
        settings = load_settings(mistakes, serves=True)
        read = mistakes.of(lambda: module.lines(Environment(os.environ)))
        reached = mistakes.of(settings.kafka.arguments)
        lines, arguments = mistakes.whole(read), mistakes.whole(reached)
        follow, lease = Reader.of(settings.kafka), settings.producer_lease
        read_keys = asyncio.Event()
        # A terminal that is closed ends a producer whose keys cannot be read again.
        can_change = lines.key_ring is not None and lines.key_ring.can_change

        async def carry(stop: asyncio.Event) -> None:
            around = _surroundings(stop, read_keys)
            # Beside the spool: on the volume that stays.
            around["bounds"] = FileStore(settings.spool_dir / lines.venue.name / "bounds.json")
            async with _seen(settings, around, lines.venue.name):
                # Where Kafka is away what follows says so, and nobody is to wait for it twice.
                if await check_credentials(arguments):
                    rights = of_producer(lines.venue.name, lease=lease)
                    with contextlib.suppress(KafkaUnreachable):
                        async with admin_of(settings.kafka) as admin:
                            await require_rights(admin, f"produce-{lines.venue.name}", rights)
                report = await produce(
                    lines,
                    arguments,
                    follow=follow,
                    access=follow.access,
                    spool=SpoolSettings(settings.spool_dir, settings.spool_bytes_max),
                    standby=None if lease is None else StandbySettings(lease),
                    **around,
                )
            log.info("%s", report)

        run(carry, hung_up=read_keys if can_change else None)

    name = module.__name__.rpartition(".")[2]
    return click.Command(name, callback=command, help=inspect.getdoc(module.lines))


@contextlib.asynccontextmanager
async def _seen(settings: Settings, around: Surroundings, venue: str) -> AsyncIterator[None]:
    """Answer `/livez`, `/readyz` and `/metrics`, and have traces told, while the block runs."""
    health, registry = around["health"], around["registry"]
    host, port = settings.probes_host, settings.probes_port
    service, chance = f"headroom-producer-{venue}", around["rng"].random
    with (
        listening(host, port, way=_OTHER_PORT) as listener,
        spans_to(settings.traces, service, chance=chance) as around["spans"],
    ):
        # Not before it has begun: a start that fails is one line.
        health.begun = lambda: log.info("probes and metrics at %s", url_of(listener))
        async with probed(listener, health, registry):
            yield


def _surroundings(stop: asyncio.Event, read_keys: asyncio.Event) -> Surroundings:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return {
        "stop": stop,
        "clock_ns": time.time_ns,
        "monotonic": time.monotonic,
        "rng": SystemRandom(),
        "sleep": asyncio.sleep,
        "registry": registry,
        "log": log,
        "reaching": keep_reaching,
        "health": Health(time.monotonic),
        "read_keys": read_keys,
    }
