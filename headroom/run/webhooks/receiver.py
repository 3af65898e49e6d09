"""One receiver: an alert is posted until it is taken, given up, or not wanted any more."""

import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from headroom.base.errors import OperatorError
from headroom.run.webhooks.signing import Signing
from headroom.run.webhooks.watched import Watched
from producers.manners import retry_after_seconds
from producers.pace import Backoff
from schemas.secrets import Secret
from schemas.words import Words

log = logging.getLogger("headroom.webhooks")

ATTEMPT_SECONDS: Final = 10.0
LONGEST_PAUSE_SECONDS: Final = 60.0
_NS_PER_S: Final = 1_000_000_000
_FIRST_PAUSE_SECONDS: Final = 1.0
_TAKEN: Final = range(200, 300)
_GONE: Final = 410
_ASKS_FOR_TIME: Final = frozenset({429, 503})

Pause = Callable[[float], Awaitable[object]]


class ReceiverGone(OperatorError):
    """The receiver answers that it wants no webhooks any more."""


class Alert(msgspec.Struct, frozen=True):
    """What is carried: the identity (`ce_id`) and the very bytes of a record."""

    id: str
    body: bytes


class Surroundings(msgspec.Struct, frozen=True):
    """Clock, sleep and randomness."""

    clock_ns: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Pause
    rng: Random


class _Failed(msgspec.Struct, frozen=True):
    """Why an attempt came to nothing, for a person and as a label; how long to stay away then."""

    why: str
    label: str
    seconds: float = 0.0


def connections() -> aiohttp.ClientSession:
    """What attempts go over; to be closed by who opened it."""
    # An answer's cookies are nothing to us.
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ATTEMPT_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
    )


class Receiver:
    """Posts alerts to `url`; one that fails for `give_up_seconds` is given up."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: Secret,
        signing: Signing,
        watched: Watched,
        around: Surroundings,
        *,
        give_up_seconds: float,
    ) -> None:
        self._session = session
        self._url = url
        self._signing = signing
        self._watched = watched
        self._around = around
        self._give_up_seconds = give_up_seconds
        self._words = Words()

    async def deliver(self, alert: Alert) -> None:
        """Post an alert until it is taken, or too long; raises `ReceiverGone`."""
        around = self._around
        pauses = Backoff(
            around.rng,
            first_seconds=_FIRST_PAUSE_SECONDS,
            longest_seconds=LONGEST_PAUSE_SECONDS,
        )
        begun, attempts = around.monotonic(), 0
        try:
            while (failed := await self._attempt(alert)) is not None:
                attempts += 1
                self._watched.failed.labels(failed.label).inc()
                self._watched.keep(alert.id, failed.why)
                pause = pauses.pause_seconds(at_least_seconds=failed.seconds)
                passed = around.monotonic() - begun
                if passed + pause > self._give_up_seconds:
                    self._give_up(alert, attempts, passed, failed.why)
                    return
                line = self._words.say(f"not delivered yet: {failed.why}", int(around.monotonic()))
                if line is not None:
                    log.warning("%s", line, extra={"ce_id": alert.id})
                await around.sleep(pause)
            self._watched.delivered.inc()
        finally:
            self._watched.let_go(alert.id)

    def _give_up(self, alert: Alert, attempts: int, seconds: float, why: str) -> None:
        self._watched.given_up.inc()
        log.error(
            "given up after %d attempts in %.0f s, the last one: %s; `headroom alerts show` has "
            "it still: %s",
            *(attempts, seconds, why, alert.id),
            extra={"ce_id": alert.id},
        )

    async def _attempt(self, alert: Alert) -> _Failed | None:
        """One request; None: it was taken."""
        headers = self._signing.headers(
            alert.id, self._around.clock_ns() // _NS_PER_S, alert.body
        ) | {"Content-Type": "application/json", "User-Agent": "headroom"}
        try:
            # A redirect would carry the alert to where nobody has sent it.
            async with self._session.post(
                URL(self._url.reveal()), data=alert.body, headers=headers, allow_redirects=False
            ) as response:
                status, said = response.status, response.headers
        except TimeoutError:
            return _Failed(f"no answer within {ATTEMPT_SECONDS:.0f} s", "timeout")
        except (aiohttp.ClientError, OSError) as error:
            return _Failed(f"no connection that lasts ({type(error).__name__})", "connection")
        if status in _TAKEN:
            return None
        if status == _GONE:
            message = (
                "the receiver answered 410: it wants no webhooks any more. Nothing was given up; "
                "give another one in HEADROOM_WEBHOOK_URL, or start no `headroom alerts deliver`"
            )
            raise ReceiverGone(message)
        asked = status in _ASKS_FOR_TIME
        seconds = retry_after_seconds(said.get("Retry-After"), said.get("Date")) if asked else 0.0
        return _Failed(f"status {status}", str(status), seconds)
