"""What a feed needs: a line to a venue, and the world around it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

import msgspec
from websockets.asyncio.client import ClientConnection

from producers.epochs import EpochSource
from producers.metrics import ProducerMetrics
from producers.outcomes import Session
from producers.pace import RateBound
from producers.publisher import Publisher
from schemas.venues import Venue


class Line(Protocol):
    """A way to a venue with one API key: how to open it, and its protocol."""

    @property
    def venue(self) -> Venue:
        """Where it leads."""

    @property
    def name(self) -> str:
        """What logs call it: the venue, and which key where there are several."""

    async def open(self) -> ClientConnection:
        """A new connection.

        Raises WrongKey, or what is tried again: NotOpened, OSError, TimeoutError,
        WebSocketException.
        """

    def session(self) -> Session:
        """A new state machine for a new connection."""


class World(msgspec.Struct, frozen=True):
    """What a feed is given: clocks, chance and sleep, where frames go, and when to stop.

    `attempts` bounds how often a venue is dialled, `requests` what is said to it; both are shared
    by all lines to a venue.
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
