"""The line to sFOX: what it must be told, and how it is opened."""

from typing import Final

import msgspec

from producers.connection import Socket, open_socket
from producers.keys import Keys, ReadAgain
from producers.line import Lines
from producers.pace import ATTEMPTS_PER_MINUTE, BLOCK_SECONDS, REQUESTS_PER_MINUTE, RateBound
from producers.settings import Deadlines, check_all, check_key, check_url, fingerprint
from producers.sfox.session import SfoxSession
from schemas.secrets import Secret
from schemas.venues import VENUES, Venue

SFOX: Final = VENUES["sfox"]
SFOX_URL: Final = "wss://ws.sfox.com/ws"


class SfoxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One sFOX connection; raises ConfigurationError where a setting cannot be right."""

    api_key: Secret
    url: str = SFOX_URL
    deadlines: Deadlines = Deadlines()
    ca_file: str | None = None

    def __post_init__(self) -> None:
        check_all(
            lambda: check_url(self.url, setting="HEADROOM_SFOX_URL", schemes=("wss", "ws")),
            lambda: check_key(self.api_key, setting="HEADROOM_SFOX_API_KEY"),
        )


class SfoxLine:
    """The line to sFOX: one WebSocket, one key."""

    def __init__(self, settings: SfoxSettings, keys: Keys | None = None) -> None:
        self._settings = settings
        self._keys = keys or Keys([settings.api_key])

    @property
    def venue(self) -> Venue:
        """Where this line leads: sFOX."""
        return SFOX

    @property
    def name(self) -> str:
        """The venue's name: it has one connection."""
        return SFOX.name

    @property
    def connection(self) -> str:
        """There is one."""
        return "1"

    @property
    def vouches_when_heard(self) -> bool:
        """It sends a frame whenever an account changes."""
        return True

    @property
    def refused_seconds(self) -> tuple[float, ...]:
        """Beyond the block: what is said while it lasts looks like the answer to a wrong key."""
        return (BLOCK_SECONDS + 10,) * 3

    async def open(self) -> Socket:
        """A WebSocket; the key goes in the first message, not in a header."""
        given = self._settings
        return await open_socket(
            given.url, headers={}, deadlines=given.deadlines, ca_file=given.ca_file
        )

    def session(self) -> SfoxSession:
        """A new state machine."""
        answer_seconds = self._settings.deadlines.answer_seconds
        return SfoxSession(self._keys.of(self.connection), answer_seconds=answer_seconds)


def lines(settings: SfoxSettings, read_again: ReadAgain | None = None) -> Lines:
    """The one line to sFOX, within the limits that it documents; `read_again` is for its key."""
    keys = Keys([settings.api_key], read_again)
    return Lines(
        SFOX,
        [SfoxLine(settings, keys)],
        attempts=RateBound(ATTEMPTS_PER_MINUTE),
        requests=RateBound(REQUESTS_PER_MINUTE),
        keys=fingerprint([settings.api_key]),
        key_ring=keys,
    )
