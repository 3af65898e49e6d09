"""The venues' commands: sandboxes and producers with settings from options and environment."""

import asyncio
import logging
import time
from collections.abc import Mapping
from random import SystemRandom
from typing import Any

import click
from prometheus_client import CollectorRegistry

from headroom.errors import OperatorError, SettingsError
from headroom.sandbox import (
    HercleConfig,
    SandboxReport,
    SfoxConfig,
    read_keys,
    run_hercle,
    run_sfox,
)
from headroom.sandbox.config import SFOX_DEFAULT_KEY
from headroom.settings import Environment, Settings, poll_seconds
from producers import service
from producers.settings import HERCLE_URL, SFOX_URL, HercleSettings, SfoxSettings
from schemas.secrets import Secret

log = logging.getLogger("headroom.producer")


async def run_sandbox_sfox(
    options: Mapping[str, Any], environment: Environment, stop: asyncio.Event
) -> None:
    """Run a simulated sFOX; its URL is the first line on standard output."""
    key = environment.secret("SFOX_API_KEY")
    try:
        config = SfoxConfig(
            port=options["port"],
            users=options["users"],
            rate_per_second=options["rate"],
            seed=options["seed"],
            journal=options["journal"],
            api_key=SFOX_DEFAULT_KEY if key is None else key.reveal(),
        )
        _tell(await run_sfox(config, stop=stop, announce=click.echo))
    except (ValueError, OSError) as error:
        raise OperatorError(str(error)) from error


async def run_sandbox_hercle(options: Mapping[str, Any], stop: asyncio.Event) -> None:
    """Run a simulated Hercle; its URL is the first line on standard output."""
    try:
        config = HercleConfig(
            port=options["port"],
            users=options["users"],
            rate_per_second=options["rate"],
            seed=options["seed"],
            journal=options["journal"],
            keys={} if options["keys"] is None else read_keys(options["keys"]),
        )
        _tell(await run_hercle(config, stop=stop, announce=click.echo))
    except (ValueError, OSError) as error:
        raise OperatorError(str(error)) from error


async def run_produce_sfox(
    settings: Settings, environment: Environment, stop: asyncio.Event
) -> None:
    """Carry sFOX's frames to Kafka until told to stop."""
    sfox = SfoxSettings(
        api_key=_required(environment, "SFOX_API_KEY"),
        url=environment.text("SFOX_URL") or SFOX_URL,
    )
    report = await service.run_sfox(sfox, settings.kafka.arguments(), **_surroundings(stop))
    log.info("%s", report)


async def run_produce_hercle(
    settings: Settings, environment: Environment, stop: asyncio.Event
) -> None:
    """Carry Hercle's frames to Kafka until told to stop."""
    keys = _required(environment, "HERCLE_API_KEY").reveal().replace("\n", ",").split(",")
    hercle = HercleSettings(
        api_keys=tuple(Secret(key.strip()) for key in keys if key.strip()),
        client_id=environment.text("HERCLE_CLIENT_ID") or "headroom",
        url=environment.text("HERCLE_URL") or HERCLE_URL,
        poll_seconds=poll_seconds(environment),
    )
    report = await service.run_hercle(hercle, settings.kafka.arguments(), **_surroundings(stop))
    log.info("%s", report)


def _required(environment: Environment, name: str) -> Secret:
    found = environment.secret(name)
    if found is None:
        raise SettingsError(f"HEADROOM_{name}", f"is not set (nor HEADROOM_{name}_FILE)")
    return found


def _surroundings(stop: asyncio.Event) -> service.Surroundings:
    return {
        "stop": stop,
        "clock_ns": time.time_ns,
        "monotonic": time.monotonic,
        "rng": SystemRandom(),
        "sleep": asyncio.sleep,
        "registry": CollectorRegistry(),
        "log": log,
    }


def _tell(report: SandboxReport) -> None:
    click.echo(f"{report.venue}: {report.frames_sent} balance frames sent", err=True)
