"""What producers' tests have in common: a world without Kafka, and venues of a few lines."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from websockets.asyncio.server import ServerConnection, serve

from producers.epochs import EpochSource
from producers.feed import Feed
from producers.line import Line, World
from producers.metrics import ProducerMetrics
from producers.pace import RateBound
from producers.settings import Deadlines
from producers.sfox import SfoxLine, SfoxSettings
from schemas.headers import RawHeaders
from schemas.secrets import Secret
from tests.producers import frames

if TYPE_CHECKING:
    from schemas.feeds import FeedStatus

CANARY = "canary-0123456789"
SHORT = Deadlines(
    open_seconds=2.0,
    answer_seconds=0.2,
    ping_seconds=0.1,
    pong_seconds=0.1,
    close_seconds=0.3,
    silence_seconds=0.3,
)
CALM = Deadlines(answer_seconds=5.0, close_seconds=1.0)

Serve = Callable[[ServerConnection], Awaitable[None]]


class Published:
    """In place of a Publisher: remembers, and tells when there is enough."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None, RawHeaders]] = []
        self._more = asyncio.Event()

    def publish(
        self, frame: bytes, key: bytes | None, headers: RawHeaders, *, several: bool = False
    ) -> None:
        self.records.append((frame, key, headers))
        self._more.set()

    def publish_all(self, frames: list[bytes], keys: list[bytes], headers: RawHeaders) -> None:
        first = headers.receipt - len(frames) + 1
        for receipt, frame, key in zip(count(first), frames, keys, strict=False):
            self.publish(frame, key, replace(headers, receipt=receipt))

    async def written(self) -> None:
        pass

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.records) < count:
                self._more.clear()
                await self._more.wait()

    @property
    def frames(self) -> list[bytes]:
        return [frame for frame, _, _ in self.records]

    @property
    def order(self) -> list[tuple[int, int]]:
        return [(headers.epoch, headers.receipt) for _, _, headers in self.records]


class Given:
    """A feed in a world of its own: a clock that stands (`now_ns`), sleeps that take no time.

    `passed_seconds` is what has passed beside the test's own time.
    """

    def __init__(self, line: Line) -> None:
        self.now_ns = 1_000
        self.passed_seconds = 0.0
        self.published = Published()
        self.stop = asyncio.Event()
        self.slept: list[float] = []
        self.told: list[FeedStatus] = []
        self.registry = CollectorRegistry()
        self.feed = Feed(
            line,
            World(
                clock_ns=lambda: self.now_ns,
                monotonic=lambda: time.monotonic() + self.passed_seconds,
                rng=Random(1),
                sleep=self._sleep,
                stop=self.stop,
                log=logging.getLogger("tests.producers"),
                metrics=ProducerMetrics.of(self.registry),
                publisher=self.published,
                epochs=EpochSource(5_000, lambda: 1_000),
                attempts=RateBound(1_000),
                requests=RateBound(1_000),
                tell=self.told.append,
                instance="here",
            ),
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headroom_producer_{name}", labels)


@asynccontextmanager
async def venue(talk: Serve, **options: object) -> AsyncIterator[str]:
    """A WebSocket server of this process; its URL."""
    async with serve(talk, "127.0.0.1", 0, max_size=None, compression=None, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws"


@asynccontextmanager
async def sfox(talk: Serve, deadlines: Deadlines = CALM, **options: object) -> AsyncIterator[Given]:
    """A running feed from a venue that talks like this; stopped at the end."""
    async with venue(talk, **options) as url:
        settings = SfoxSettings(api_key=Secret(CANARY), url=url, deadlines=deadlines)
        given = Given(SfoxLine(settings))
        async with running(given):
            yield given


@asynccontextmanager
async def running(given: Given) -> AsyncIterator[None]:
    """Run a feed, and stop it at the end."""
    task = asyncio.create_task(given.feed.run())
    try:
        yield
    finally:
        given.stop.set()
        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)


async def let_in(socket: ServerConnection) -> None:
    """Be sFOX up to the subscription."""
    request = json.loads(await socket.recv())
    assert request["apiKey"] == CANARY
    await socket.send(frames.AUTHENTICATED.decode())
    await socket.recv()
    await socket.send(frames.SUBSCRIBED.decode())


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
