"""The demo's processes around one Kafka: started together, silenced from the source on."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from headroom.demo.children import Child
from headroom.demo.observe import Observer, Sight, lines
from headroom.errors import OperatorError
from headroom.live import Scene, Screen, Worker, keeping, scenes
from headroom.sandbox import hercle_keys
from headroom.sandbox.config import HERCLE_DEFAULT_KEY, SFOX_DEFAULT_KEY

START_SECONDS_MAX: Final = 60.0
DRAIN_SECONDS_MAX: Final = 120.0
SPRINT_SECONDS: Final = 2.0
SPRINT_RATE: Final = 3_000
HERCLE_USERS_MAX: Final = 20
_POLL_SECONDS: Final = 0.1


class DemoOptions(msgspec.Struct, frozen=True):
    """What a person may choose; `rate_per_second` is over both venues."""

    seconds: float | None
    as_json: bool
    rate_per_second: Decimal
    users: int


class Stuck(OperatorError):
    """The demo waited for something that did not come."""

    def __init__(self, what: str) -> None:
        super().__init__(f"waited for {DRAIN_SECONDS_MAX:g} s, but {what}")


def tell(text: str) -> None:
    """Say something to the person, beside what a machine reads."""
    click.echo(text, err=True)


class Demo:
    """The demo's processes around one Kafka."""

    def __init__(self, options: DemoOptions, folder: Path, bootstrap: str) -> None:
        self._options = options
        self._folder = folder
        self._environment = _environment(folder, bootstrap)
        self._children: list[Child] = []
        self._numbers = itertools.count()
        self.journals = [folder / f"{venue}.journal" for venue in ("sfox", "hercle", "sprint")]
        self._places = {"Kafka": bootstrap, "processes' logs": str(folder)}
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both venues, both producers and a worker, in processes of their own."""
        try:
            worker = self._child("work", "--port", "0")
            sfox_url, hercle_url = await self._start_venues()
            self._start_producers(sfox_url, hercle_url)
            self.url = await worker.line("ready", seconds=START_SECONDS_MAX)
            tell(f"the worker answers at {self.url}/v1/users")
            self._places["users"] = f"{self.url}/v1/users"
            self._places["metrics"] = f"{self.url}/metrics"
            yield
        finally:
            for child in reversed(self._children):
                await child.stop()

    async def show(self, observer: Observer, worker: Worker, stop: asyncio.Event) -> None:
        """Show what happens every second, until the time is over."""
        look_at_worker = keeping(worker)

        async def look(elapsed_seconds: float) -> Scene:
            for child in self._children:
                child.check()
            scene, sight = await look_at_worker(elapsed_seconds), await observer.look()
            return msgspec.structs.replace(
                scene, frames=self._frames(), raw=sight.raw, lag=sight.lag, places=self._places
            )

        with Screen(Console(stderr=True)).open() as screen:
            await scenes(look, screen.show, stop, seconds=self._options.seconds)

    async def silence(self, observer: Observer) -> Sight:
        """Stop the venues, then the producers, and wait until everything has arrived."""
        worker, *others = self._children
        for child in sorted(others, key=lambda child: not child.is_sandbox):
            await child.stop()
        self._children = [worker]
        return await self._drained(observer)

    async def sprint(self, observer: Observer) -> float:
        """Send as fast as it goes for a moment: frames a second, up to the last one's table."""
        before = await observer.look()
        sandbox = self._sandbox("sfox", str(SPRINT_RATE), self._options.users, "sprint")
        url = await sandbox.line("ws://", seconds=START_SECONDS_MAX)
        producer = self._child("produce", "sfox", HEADROOM_SFOX_URL=f"ws://{url}")
        async with asyncio.timeout(START_SECONDS_MAX):
            while not self._sent("sprint"):
                producer.check()
                await asyncio.sleep(_POLL_SECONDS)
        started = time.monotonic()
        await asyncio.sleep(SPRINT_SECONDS)
        after = await self.silence(observer)
        return (after.done - before.done) / (time.monotonic() - started)

    async def _start_venues(self) -> tuple[str, str]:
        share = self._options.rate_per_second / 2
        sfox = self._sandbox("sfox", str(share), self._options.users, "sfox")
        # Hercle sends when it is asked, so its rate is that of the questions.
        hercle = self._sandbox("hercle", str(share), self._hercle_users, "hercle")
        return (
            "ws://" + await sfox.line("ws://", seconds=START_SECONDS_MAX),
            "http://" + await hercle.line("http://", seconds=START_SECONDS_MAX),
        )

    @property
    def _hercle_users(self) -> int:
        return max(1, min(HERCLE_USERS_MAX, self._options.users // 10))

    def _start_producers(self, sfox_url: str, hercle_url: str) -> None:
        keys = ",".join(hercle_keys(HERCLE_DEFAULT_KEY, self._hercle_users))
        poll_seconds = self._hercle_users / (self._options.rate_per_second / 2)
        self._child("produce", "sfox", HEADROOM_SFOX_URL=sfox_url)
        self._child(
            "produce",
            "hercle",
            HEADROOM_HERCLE_URL=hercle_url,
            HEADROOM_HERCLE_API_KEY=keys,
            HEADROOM_HERCLE_POLL_SECONDS=f"{max(Decimal('0.05'), poll_seconds):.3f}",
        )

    def _sandbox(self, venue: str, rate: str, users: int, journal: str) -> Child:
        path = str(self._folder / f"{journal}.journal")
        options = ("--rate", rate, "--users", str(users), "--journal", path)
        return self._child("sandbox", venue, *options)

    def _child(self, *arguments: str, **settings: str) -> Child:
        child = Child(
            arguments,
            output=self._folder / f"{next(self._numbers)}-{'-'.join(arguments[:2])}.log",
            environment={**self._environment, **settings},
        )
        child.start()
        self._children.append(child)
        return child

    def _sent(self, journal: str) -> int:
        return lines(self._folder / f"{journal}.journal")

    def _frames(self) -> int:
        return sum(map(lines, self.journals))

    async def _drained(self, observer: Observer) -> Sight:
        """Wait until everything that was sent is in raw, and everything in raw is done."""
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        frames = self._frames()
        while True:
            sight = await observer.look()
            if sight.raw >= frames and not sight.lag:
                return sight
            if time.monotonic() > deadline:
                raise Stuck(
                    f"of {frames} frames {sight.raw} are in raw, and the lag is {sight.lag}"
                )
            for child in self._children[:1]:
                child.check()
            await asyncio.sleep(_POLL_SECONDS)


def _environment(folder: Path, bootstrap: str) -> Mapping[str, str]:
    """Of our own settings only these: a person's real venue or Kafka has no part in a demo."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HEADROOM_")}
    return {
        **kept,
        "HEADROOM_KAFKA_BOOTSTRAP": bootstrap,
        "HEADROOM_DATA_DIR": str(folder / "data"),
        "HEADROOM_LOG_LEVEL": os.environ.get("HEADROOM_LOG_LEVEL", "INFO"),
        "HEADROOM_SFOX_API_KEY": SFOX_DEFAULT_KEY,
    }
