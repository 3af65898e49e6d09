"""The lines to Hercle's hub, one for each key: what they must be told, and how they are opened."""

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec
from websockets.exceptions import InvalidStatus

from producers.connection import KeyRefused, Socket, is_key_refusal, open_socket
from producers.errors import ConfigurationError
from producers.hercle import signalr
from producers.hercle.negotiate import Endpoint, negotiate
from producers.hercle.session import POLL_SECONDS_MIN, HercleSession
from producers.keys import Keys, ReadAgain
from producers.line import Lines
from producers.pace import ATTEMPTS_PER_MINUTE, BLOCK_SECONDS, RateBound
from producers.settings import Deadlines, check_all, check_key, check_url, fingerprint
from schemas.secrets import Secret
from schemas.venues import VENUES, Venue

HERCLE: Final = VENUES["hercle"]
HERCLE_URL: Final = "https://publicapi.sandbox.hercle.financial/ExecutionLiveServer/v1"
CLIENT_ID_LETTERS_MAX: Final = 36
# Hercle documents no limit: twenty questions a second at the most, and pings.
_REQUESTS_PER_SECOND: Final = 30
_ENDPOINTS: Final = 4


class HercleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One Hercle connection per API key; raises ConfigurationError for an impossible setting.

    `client_id` is the caller's own tracking id. `poll_seconds` is how often balances are asked for.
    """

    api_keys: tuple[Secret, ...]
    client_id: str
    url: str = HERCLE_URL
    poll_seconds: Decimal = Decimal(1)
    deadlines: Deadlines = Deadlines()
    ca_file: str | None = None

    def __post_init__(self) -> None:
        check_all(
            lambda: check_url(self.url, setting="HEADROOM_HERCLE_URL", schemes=("https", "http")),
            self._check_keys,
            self._check_client,
            self._check_pace,
        )

    def _check_keys(self) -> None:
        if not self.api_keys:
            raise ConfigurationError("HEADROOM_HERCLE_API_KEY", "is not set")
        for key in self.api_keys:
            check_key(key, setting="HEADROOM_HERCLE_API_KEY")
        if len({key.reveal() for key in self.api_keys}) < len(self.api_keys):
            raise ConfigurationError("HEADROOM_HERCLE_API_KEY", "holds the same key twice")

    def _check_client(self) -> None:
        if not 0 < len(self.client_id) <= CLIENT_ID_LETTERS_MAX:
            problem = f"must have 1 to {CLIENT_ID_LETTERS_MAX} letters"
            raise ConfigurationError("HEADROOM_HERCLE_CLIENT_ID", problem)

    def _check_pace(self) -> None:
        if not (self.poll_seconds.is_finite() and self.poll_seconds >= POLL_SECONDS_MIN):
            problem = f"must be a decimal of at least {POLL_SECONDS_MIN}"
            raise ConfigurationError("HEADROOM_HERCLE_POLL_SECONDS", problem)


class HercleLine:
    """The line to the hub with one of a firm's API keys; `number` tells which, from 1."""

    def __init__(self, settings: HercleSettings, number: int, keys: Keys | None = None) -> None:
        self._settings = settings
        self._number = number
        self._keys = keys or Keys(settings.api_keys)
        self._in_use = self._keys.of(self.connection)
        # Held so that their tokens are known if the hub says them, now or a connection later.
        self._endpoints: deque[Endpoint] = deque(maxlen=_ENDPOINTS)

    @property
    def venue(self) -> Venue:
        """Where this line leads: Hercle."""
        return HERCLE

    @property
    def name(self) -> str:
        """The venue's name, with the key's number where there are several."""
        keys = len(self._settings.api_keys)
        return HERCLE.name if keys == 1 else f"{HERCLE.name} (key {self._number} of {keys})"

    @property
    def connection(self) -> str:
        """The key's number, from 1."""
        return str(self._number)

    @property
    def vouches_when_heard(self) -> bool:
        """Nothing pushes balances: a hub that is alive says nothing of them."""
        return False

    @property
    def refused_seconds(self) -> tuple[float, ...]:
        """A refusal often passes soon; together the pauses go beyond two minutes."""
        return (5.0, 30.0, BLOCK_SECONDS + 10)

    async def open(self) -> Socket:
        """Negotiate, then a WebSocket; the token is in the Authorization header of both."""
        deadlines = self._settings.deadlines
        self._in_use = self._keys.of(self.connection)
        endpoint = await negotiate(
            self._settings.url,
            self._in_use,
            timeout_seconds=deadlines.open_seconds,
            ca_file=self._settings.ca_file,
        )
        self._endpoints.append(endpoint)
        try:
            return await open_socket(
                endpoint.url,
                headers=endpoint.headers(),
                deadlines=deadlines,
                ca_file=self._settings.ca_file,
                separator_bytes=len(signalr.SEPARATOR),
            )
        except InvalidStatus as error:
            if not is_key_refusal(error):
                raise
            detail = f"HTTP {error.response.status_code} on the WebSocket"
            raise KeyRefused(detail) from None

    def session(self) -> HercleSession:
        """A new state machine."""
        return HercleSession(
            self._settings.client_id,
            poll_seconds=float(self._settings.poll_seconds),
            deadlines=self._settings.deadlines,
            api_key=self._in_use,
        )


def lines(settings: HercleSettings, read_again: ReadAgain | None = None) -> Lines:
    """A line for each key; one that is given up ends its own line only.

    `read_again` reads all keys, in their order.
    """
    keys, ring = len(settings.api_keys), Keys(settings.api_keys, read_again)
    return Lines(
        HERCLE,
        [HercleLine(settings, number, ring) for number in range(1, keys + 1)],
        attempts=RateBound(ATTEMPTS_PER_MINUTE * keys),
        requests=RateBound(_REQUESTS_PER_SECOND * keys, window_seconds=1.0),
        keys=fingerprint(settings.api_keys),
        key_ring=ring,
    )
