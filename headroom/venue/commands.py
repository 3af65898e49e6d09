"""A venue's producer as a command: settings from the environment, the world from this machine."""

import asyncio
import inspect
import logging
import os
import time
from random import SystemRandom

import click
from prometheus_client import CollectorRegistry

from headroom.cli.options import load_settings
from headroom.following import Reader
from headroom.reaching import check_credentials, keep_reaching
from headroom.running import run
from headroom.settings import Environment
from headroom.venue.module import Module
from producers.publisher import SpoolSettings
from producers.service import Surroundings, produce

log = logging.getLogger("headroom.producer")


def producer(module: Module) -> click.Command:
    """The command that runs a venue's producer; its help is what the venue says of its lines."""

    def command() -> None:
        settings = load_settings()
        kafka = settings.kafka
        arguments, follow = kafka.arguments(), Reader.of(kafka)
        lines = module.lines(Environment(os.environ))

        async def carry(stop: asyncio.Event) -> None:
            await check_credentials(arguments)
            report = await produce(
                lines,
                arguments,
                follow=follow,
                access=follow.access,
                spool=SpoolSettings(settings.spool_dir, settings.spool_bytes_max),
                **_surroundings(stop),
            )
            log.info("%s", report)

        run(carry)

    name = module.__name__.rpartition(".")[2]
    return click.Command(name, callback=command, help=inspect.getdoc(module.lines))


def _surroundings(stop: asyncio.Event) -> Surroundings:
    return {
        "stop": stop,
        "clock_ns": time.time_ns,
        "monotonic": time.monotonic,
        "rng": SystemRandom(),
        "sleep": asyncio.sleep,
        "registry": CollectorRegistry(),
        "log": log,
        "reaching": keep_reaching,
    }
