"""The demo's processes around one Kafka: started together, silenced from the source on."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from headroom.base.errors import OperatorError
from headroom.local.demo.browser import open_page
from headroom.local.demo.children import Child
from headroom.local.demo.faults import Wanted, cause
from headroom.local.demo.observe import Observer, Sight, frames
from headroom.look.live import Scene, Screen, Worker, keeping, scenes
from headroom.run.venue import Shown, module_of
from schemas.venues import VENUES

START_SECONDS_MAX: Final = 60.0
DRAIN_SECONDS_MAX: Final = 120.0
SPRINT_SECONDS: Final = 2.0
SPRINTER: Final = "sfox"
"""The venue that sends unasked, and so as fast as it is told to."""
SPRINT_RATE: Final = Decimal(3_000)
_POLL_SECONDS: Final = 0.1


class DemoOptions(msgspec.Struct, frozen=True):
    """What a person may choose; `rate_per_second` is over all venues.

    `faults` are ordered from the venues while the picture stands. `opens_page`: a browser is asked
    to show the page.
    """

    seconds: float | None
    as_json: bool
    rate_per_second: Decimal
    users: int
    faults: tuple[Wanted, ...] = ()
    opens_page: bool = False


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
        self._shown = _shown(options)
        self.journals = [folder / f"{name}.journal" for name in (*self._shown, "sprint")]
        self._places = {"Kafka": bootstrap, "processes' logs": str(folder)}
        self._venues: dict[str, str] = {}
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The venues, their producers and a worker, in processes of their own."""
        try:
            worker = self._child("work", "--port", "0")
            for venue, shown in self._shown.items():
                await self._start_venue(venue, shown, journal=venue)
            self.url = await worker.line("ready", seconds=START_SECONDS_MAX)
            tell(f"Kafka is at {self._places['Kafka']}")
            tell(f"the worker answers at {self.url}/v1/users")
            tell(f"the page is at {self.url}/")
            if self._options.opens_page:
                await open_page(f"{self.url}/", os.environ, tell)
            self._places["page"] = f"{self.url}/"
            self._places["users"] = f"{self.url}/v1/users"
            self._places["metrics"] = f"{self.url}/metrics"
            # A person's seconds count from the moment on when there is something to see. A venue
            # that has nothing to say for so long is shown as it is.
            with contextlib.suppress(TimeoutError):
                await self._begun(*self._shown)
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

        console = Console(stderr=True)
        with Screen(console).open() as screen:
            async with self._faults(console, stop):
                await scenes(look, screen.show, stop, seconds=self._options.seconds)

    @contextlib.asynccontextmanager
    async def _faults(self, console: Console, stop: asyncio.Event) -> AsyncIterator[None]:
        """Order what a person wants to see, beside what runs in the block."""
        if not self._options.faults:
            yield
            return

        def say(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        def stop_at_failure(task: asyncio.Task[None]) -> None:
            # What cannot be ordered ends the demo: nobody waits for minutes to learn of it.
            if not task.cancelled() and task.exception() is not None:
                stop.set()

        causing = asyncio.create_task(cause(self._options.faults, self._venues, say))
        causing.add_done_callback(stop_at_failure)
        try:
            yield
        finally:
            causing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await causing

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
        shown = _showing()[SPRINTER](SPRINT_RATE, self._options.users)
        await self._start_venue(SPRINTER, shown, journal="sprint")
        await self._begun("sprint")
        started = time.monotonic()
        await asyncio.sleep(SPRINT_SECONDS)
        after = await self.silence(observer)
        return (after.done - before.done) / (time.monotonic() - started)

    async def _begun(self, *journals: str) -> None:
        """Wait until each of these has a frame, so that its producer listens."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while not all(frames(self._folder / f"{name}.journal") for name in journals):
                for child in self._children:
                    child.check()
                await asyncio.sleep(_POLL_SECONDS)

    async def _start_venue(self, venue: str, shown: Shown, *, journal: str) -> None:
        """A venue's sandbox and, once that listens, its producer."""
        path = str(self._folder / f"{journal}.journal")
        sandbox = self._child("sandbox", venue, *shown.sandbox, "--journal", path)
        url = self._venues[venue] = await sandbox.url(seconds=START_SECONDS_MAX)
        address = {f"HEADROOM_{venue.upper()}_URL": url}
        self._child("produce", venue, **address, **shown.producer)

    def _child(self, *arguments: str, **settings: str) -> Child:
        child = Child(
            arguments,
            output=self._folder / f"{next(self._numbers)}-{'-'.join(arguments[:2])}.log",
            environment={**self._environment, **settings},
        )
        child.start()
        self._children.append(child)
        return child

    def _frames(self) -> int:
        return sum(map(frames, self.journals))

    async def _drained(self, observer: Observer) -> Sight:
        """Wait until everything that was sent is in raw, and everything in raw is done."""
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        sent = self._frames()
        while True:
            sight = await observer.look()
            if sight.raw >= sent and not sight.lag:
                return sight
            if time.monotonic() > deadline:
                raise Stuck(f"of {sent} frames {sight.raw} are in raw, and the lag is {sight.lag}")
            for child in self._children[:1]:
                child.check()
            await asyncio.sleep(_POLL_SECONDS)


def _showing() -> dict[str, Callable[[Decimal, int], Shown]]:
    """How each venue is shown, but those that have nothing to show."""
    found = {venue: module_of(venue).shown for venue in VENUES}
    return {venue: shown for venue, shown in found.items() if shown is not None}


def _shown(options: DemoOptions) -> dict[str, Shown]:
    """What each venue is started with: all of them have the same share of the rate."""
    showing = _showing()
    share = options.rate_per_second / len(showing)
    return {venue: shown(share, options.users) for venue, shown in showing.items()}


def _environment(folder: Path, bootstrap: str) -> Mapping[str, str]:
    """Of our own settings only these: a person's real venue or Kafka has no part in a demo."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HEADROOM_")}
    return {
        **kept,
        "HEADROOM_KAFKA_BOOTSTRAP": bootstrap,
        "HEADROOM_DATA_DIR": str(folder / "data"),
        "HEADROOM_LOG_FORMAT": "text",  # a person reads along
        "HEADROOM_LOG_LEVEL": os.environ.get("HEADROOM_LOG_LEVEL", "INFO"),
    }
