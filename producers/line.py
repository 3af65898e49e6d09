"""What a feed needs: a line to a venue, and the world around it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol

import msgspec

from producers.bounds import Bounds
from producers.connection import Socket
from producers.epochs import EpochSource
from producers.keys import Keys
from producers.metrics import ProducerMetrics
from producers.outcomes import Session
from producers.pace import RateBound
from producers.publisher import Publisher
from schemas.feeds import FeedStatus
from schemas.traces import Spans
from schemas.venues import Venue


class Line(Protocol):
    """A way to a venue with one API key: how to open it, and its protocol."""

    @property
    def venue(self) -> Venue:
        """Where it leads."""

    @property
    def name(self) -> str:
        """What logs call it: the venue, and which key where there are several."""

    @property
    def connection(self) -> str:
        """What tells it from the other lines of a producer: a number from 1, never a key."""

    @property
    def vouches_when_heard(self) -> bool:
        """Whether the venue tells every change unasked: then whoever is heard has nothing new.

        Elsewhere only an answered question vouches for balances.
        """

    @property
    def refused_seconds(self) -> tuple[float, ...]:
        """The pauses after a key was refused that had not been accepted yet; see `Patience`."""

    async def open(self) -> Socket:
        """A new connection.

        Raises KeyRefused, NotOpened, OSError, TimeoutError, WebSocketException: each is tried
        again.
        """

    def session(self) -> Session:
        """A new state machine for a new connection."""


def told_of(line: Line) -> dict[str, str]:
    """What a line of the log has beside its words (its `extra`)."""
    return {"venue": line.venue.name, "connection": line.connection}


class Lines(msgspec.Struct, frozen=True):
    """All lines of a producer to a venue.

    `attempts` bounds how often the venue is dialled, `requests` what is said to it; both are shared
    by all lines. `keys` is a fingerprint of the keys, which tells none of them; `key_ring` the keys
    themselves, where they may change.
    """

    venue: Venue
    lines: Sequence[Line]
    attempts: RateBound
    requests: RateBound
    keys: str = ""
    key_ring: Keys | None = None


class World(msgspec.Struct, frozen=True):
    """What a feed is given: clocks, chance and sleep, where frames go, and when to stop.

    `attempts` and `requests` are those of `Lines`. `tell` gets a line's status at every change of
    its state. `instance` tells the producer from others of the venue. `handed_over` is called after
    each frame that was published. `key_ring` is that of `Lines`, `bounds` what
    lasts of the venue's limits. `spans` is told of frames that are traced; None: none is.
    """

    clock_ns: Callable[[], int]
    monotonic: Callable[[], float]
    rng: Random
    sleep: Callable[[float], Awaitable[object]]
    stop: asyncio.Event
    log: logging.Logger
    metrics: ProducerMetrics
    publisher: Publisher
    epochs: EpochSource
    attempts: RateBound
    requests: RateBound
    tell: Callable[[FeedStatus], object]
    instance: str = ""
    lease: int = 0
    handed_over: Callable[[], object] = lambda: None
    key_ring: Keys | None = None
    bounds: Bounds | None = None
    spans: Spans | None = None
