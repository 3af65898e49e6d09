"""`headroom alerts deliver` as a program: its settings, its probes, until it is told to stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from random import SystemRandom
from typing import Final
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry

from headroom.base.environment import Environment
from headroom.base.errors import KafkaUnreachable, OperatorError
from headroom.base.listening import listening, url_of
from headroom.base.mistakes import Mistakes
from headroom.base.settings import Settings
from headroom.operate.generations.kind import is_group
from headroom.operate.topics.acls import of_webhooks
from headroom.operate.topics.admin import admin_of
from headroom.operate.topics.rights import require_rights
from headroom.run.probes import probed
from headroom.run.webhooks.deliver import Delivery
from headroom.run.webhooks.receiver import Receiver, Surroundings, connections
from headroom.run.webhooks.signing import NoSecret, Signing, signing_with
from headroom.run.webhooks.watched import Watched
from producers.waiting import unless_stopped
from schemas.secrets import Secret
from schemas.topics import ALERTS

log = logging.getLogger("headroom.webhooks")

_URL: Final = "WEBHOOK_URL"
_SECRET: Final = "WEBHOOK_SECRET"  # noqa: S105 - a setting's name
_GIVE_UP_SECONDS: Final = 3_600.0
_GIVE_UP_SECONDS_MAX: Final = 7 * 24 * 3_600
_WAY: Final = "give another one in HEADROOM_PROBES_PORT (0: any free one)"


class Webhook(msgspec.Struct, frozen=True):
    """Where alerts go, how they are signed, and for how long each is tried."""

    url: Secret
    signing: Signing
    give_up_seconds: float


def webhook_of(variables: Mapping[str, str]) -> Webhook:
    """The webhook in the environment; raises `SettingsError`, which tells nothing of a secret."""
    return webhook_in(Environment(variables))


def webhook_in(given: Environment) -> Webhook:
    """The same, by an environment that knows afterwards what was asked for."""
    mistakes = Mistakes()
    environment = given.noting(mistakes)
    # An address may be a secret itself: many a receiver has its password in the path.
    url, secret = environment.secret(_URL, ours=True), environment.secret(_SECRET, ours=True)
    if url is None:
        environment.wrong(_URL, "is not set: where alerts are to be posted")
    else:
        url = Secret(url.reveal().strip(), ours=True)
        if not _is_url(url.reveal()):
            environment.wrong(_URL, "is a URL that begins with http:// or https://")
    signing = None
    if secret is None:
        problem = "is not set: what alerts are signed with, whsec_ and base64 of 32 random bytes"
        environment.wrong(f"{_SECRET}_FILE", problem)
    else:
        try:
            signing = signing_with(secret)
        except NoSecret as error:
            environment.wrong(_SECRET, str(error))
    give_up_seconds = environment.number(
        "WEBHOOK_GIVE_UP_SECONDS", _GIVE_UP_SECONDS, float, 1, _GIVE_UP_SECONDS_MAX
    )
    return Webhook(mistakes.whole(url), mistakes.whole(signing), give_up_seconds)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # A port that is none is found when it is read.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class OwnGroup(OperatorError):
    """A group of Headroom's own."""


async def run_delivery(
    settings: Settings,
    webhook: Webhook,
    group: str,
    stop: asyncio.Event,
    *,
    topic: str = ALERTS,
) -> None:
    """Deliver until `stop` is set; raises whatever ends the deliveries before that.

    Raises `OwnGroup` for a group of the workers.
    """
    if is_group(group):
        message = f"{group} is the workers' own group: give another one with --group"
        raise OwnGroup(message)
    registry = CollectorRegistry()
    watched = Watched(registry, time.monotonic)
    around = Surroundings(time.time_ns, time.monotonic, asyncio.sleep, SystemRandom())
    kafka = settings.kafka.arguments()
    # Where Kafka is away the delivery knows what to do.
    with contextlib.suppress(KafkaUnreachable):
        async with admin_of(settings.kafka) as admin:
            await require_rights(admin, "deliver", of_webhooks(group, topic))
    with listening(settings.probes_host, settings.probes_port, way=_WAY) as listener:
        async with connections() as session, probed(listener, watched, registry):
            receiver = Receiver(
                session,
                webhook.url,
                webhook.signing,
                watched,
                around,
                give_up_seconds=webhook.give_up_seconds,
            )
            log.info("probes and metrics at %s", url_of(listener))
            delivery = Delivery(kafka, receiver, watched, group=group, topic=topic)
            await unless_stopped(stop, delivery.run())
