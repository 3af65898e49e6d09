"""An alert and its receiver: signed, tried again, given up; over real connections."""

import asyncio
import base64
import logging
import time
from random import Random
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook, WebhookVerificationError

from headroom.base.errors import SettingsError
from headroom.base.settings import load
from headroom.run.webhooks import receiver
from headroom.run.webhooks.receiver import Alert, Receiver, ReceiverGone, Surroundings, connections
from headroom.run.webhooks.run import OwnGroup, run_delivery, webhook_of
from headroom.run.webhooks.signing import signing_with
from headroom.run.webhooks.watched import STUCK_SECONDS, Watched
from schemas.secrets import Secret
from tests.headroom.run.webhooks.receiving import (
    SECRET,
    Answer,
    Received,
    close,
    endless,
    hang,
    status,
)

ALERT = Alert("alerts.v1/hercle:a.b/limit/hercle/a.b//raw.hercle.balances.v1/0/7", b'{"user":"u"}')


class Posting:
    """A receiver with a clock that only sleeping moves."""

    def __init__(self, *, give_up_seconds: float = 600.0) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []
        self.registry = CollectorRegistry()
        self.watched = Watched(self.registry, lambda: self.now)
        self._give_up_seconds = give_up_seconds

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def post(self, url: str, secret: str = SECRET) -> None:
        around = Surroundings(time.time_ns, lambda: self.now, self.sleep, Random(3))
        async with connections() as session:
            await Receiver(
                session,
                Secret(url),
                signing_with(Secret(secret)),
                self.watched,
                around,
                give_up_seconds=self._give_up_seconds,
            ).deliver(ALERT)

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"headroom_webhook_{name}", labels) or 0.0


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (status(500), "500"),
        (status(404), "404"),
        (status(301, Location="/elsewhere"), "301"),
        (close, "connection"),
        (hang, "timeout"),
    ],
    ids=["500", "404", "redirect", "closes", "hangs"],
)
async def test_what_is_not_taken_is_tried_again_under_the_same_id(
    bad: Answer, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "ATTEMPT_SECONDS", 0.3)
    posting, received = Posting(), Received(bad, bad)
    async with received.serving() as url:
        await posting.post(url)
    assert received.ids == [ALERT.id.replace(".", "%2E")] * 3
    assert received.documents == [{"user": "u"}] * 3
    assert posting.counted("attempts_failed_total", why=why) == 2
    assert posting.counted("delivered_total") == 1
    assert posting.counted("given_up_total") == posting.counted("waiting") == 0
    assert posting.watched.not_ready() is not None  # no partition was assigned yet
    posting.watched.begun()
    assert posting.watched.not_ready() is None


async def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    posting, received = Posting(), Received(endless)
    async with received.serving() as url:
        await posting.post(url)
    assert (len(received.ids), posting.pauses) == (1, [])


async def test_who_asks_for_time_is_given_it_and_who_is_down_is_asked_less_and_less() -> None:
    posting = Posting(give_up_seconds=3_000)
    received = Received(status(503, **{"Retry-After": "120"}), *[status(500)] * 12)
    async with received.serving() as url:
        await posting.post(url)
    first, *others = posting.pauses
    assert 120 <= first <= 120 * 1.1
    assert all(0 <= pause <= 60 for pause in others)
    assert max(others[6:]) > max(others[:2])


async def test_what_is_refused_for_too_long_is_given_up_loudly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    posting = Posting(give_up_seconds=100)
    received = Received(*[status(500)] * 50)
    async with received.serving() as url:
        await posting.post(url)
    assert sum(posting.pauses) <= 100
    assert posting.counted("given_up_total") == 1
    assert posting.counted("delivered_total") == posting.counted("waiting") == 0
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert ALERT.id in line
    assert "status 500" in line
    # A line a minute, and never the address, which may be a secret.
    assert len(caplog.records) == 3
    assert url not in caplog.text


async def test_a_receiver_that_wants_no_more_ends_it() -> None:
    posting, received = Posting(), Received(status(410))
    async with received.serving() as url:
        with pytest.raises(ReceiverGone):
            await posting.post(url)
    assert posting.counted("given_up_total") == 0


async def test_each_of_several_secrets_signs_and_no_other() -> None:
    """While the receiver changes from one to the next."""
    new = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((await request.read(), dict(request.headers)))
        return web.Response()

    posting, received = Posting(), Received(answer)
    async with received.serving() as url:
        await posting.post(url, f"{new}\n{SECRET}\n")
    ((body, headers),) = seen
    for secret in (SECRET, new):
        assert Webhook(secret).verify(body, headers) == {"user": "u"}
    for wrong_body, wrong in (
        (body + b" ", headers),
        (body, {**headers, "webhook-id": "other"}),
        (body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(wrong_body, wrong)


def test_who_does_not_look_for_alerts_any_more_is_not_alive() -> None:
    posting = Posting()
    assert posting.watched.not_alive() is None
    posting.now += STUCK_SECONDS + 1
    assert posting.watched.not_alive() is not None
    posting.watched.looked()
    assert posting.watched.not_alive() is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"WEBHOOK_SECRET": SECRET}, "HEADROOM_WEBHOOK_URL is not set"),
        ({"WEBHOOK_URL": "ftp://canary", "WEBHOOK_SECRET": SECRET}, "begins with http://"),
        ({"WEBHOOK_URL": "https://", "WEBHOOK_SECRET": SECRET}, "begins with http://"),
        ({"WEBHOOK_URL": "http://h:x/canary", "WEBHOOK_SECRET": SECRET}, "begins with http://"),
        ({"WEBHOOK_URL": "https://h/canary"}, "HEADROOM_WEBHOOK_SECRET_FILE is not set"),
        ({"WEBHOOK_URL": "https://h/", "WEBHOOK_SECRET": "canary"}, "whsec_ and base64"),
        ({"WEBHOOK_URL": "https://h/", "WEBHOOK_SECRET": "whsec_Y2FuYXJ5"}, "24 to 64 bytes"),
        ({"WEBHOOK_URL": "https://h/", "WEBHOOK_SECRET": "whsec_canary!"}, "whsec_ and base64"),
        ({"WEBHOOK_URL": "https://h/", "WEBHOOK_SECRET": " "}, "is empty"),
        (
            {"WEBHOOK_URL": "https://h/", "WEBHOOK_SECRET": SECRET, "WEBHOOK_GIVE_UP_SECONDS": "0"},
            "is a number from 1",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_said_and_no_secret(given: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as found:
        webhook_of({f"HEADROOM_{name}": value for name, value in given.items()})
    assert "canary" not in str(found.value)


async def test_the_workers_own_group_is_nobody_elses() -> None:
    settings = load({"HEADROOM_KAFKA_BOOTSTRAP": "127.0.0.1:1"})
    webhook = webhook_of({"HEADROOM_WEBHOOK_URL": "http://h/", "HEADROOM_WEBHOOK_SECRET": SECRET})
    with pytest.raises(OwnGroup):
        await run_delivery(settings, webhook, "headroom", asyncio.Event())
