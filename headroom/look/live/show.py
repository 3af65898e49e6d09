"""Scenes shown one after the other: a picture that is painted over, or a line each."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Self

import msgspec
from rich.console import Console
from rich.live import Live

from headroom.base.asking import NotAnswered
from headroom.look.live.ask import Worker
from headroom.look.live.paint import line, picture
from headroom.look.live.scene import Scene, with_pace
from schemas.secrets import Secret

PAUSE_SECONDS: Final = 1.0


class Screen:
    """Where scenes are shown: on a terminal as a picture, else as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Self]:
        """The picture stands while the block runs; its last state stays."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, auto_refresh=False) as live:
            self._live = live
            try:
                yield self
            finally:
                self._live = None

    def show(self, scene: Scene) -> None:
        """Show one scene."""
        if self._live is None:
            self._console.print(line(scene), markup=False, highlight=False, soft_wrap=True)
        else:
            self._live.update(picture(scene), refresh=True)


async def scenes(
    look: Callable[[float], Awaitable[Scene]],
    show: Callable[[Scene], None],
    stop: asyncio.Event,
    *,
    seconds: float | None = None,
) -> None:
    """Look and show once a second until `stop` is set or the time is over."""
    started, last = time.monotonic(), None
    while not stop.is_set():
        elapsed = time.monotonic() - started
        if seconds is not None and elapsed >= seconds:
            return
        scene = with_pace(await look(elapsed), last)
        show(scene)
        # What stays of a worker that does not answer is no beginning to count from.
        last = scene if scene.problem is None else last
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)


async def watch(
    url: str, stop: asyncio.Event, *, console: Console, token: Secret | None = None
) -> None:
    """Watch a worker until `stop` is set.

    Raises `NotAnswered` where it does not answer at first; later its last figures stay, and why.
    """
    async with Worker(url, token=token) as worker:
        look = keeping(worker)
        await look(0.0)
        with Screen(console).open() as screen:
            await scenes(look, screen.show, stop)


def keeping(worker: Worker) -> Callable[[float], Awaitable[Scene]]:
    """Look at a worker; while it does not answer its last figures stay, and why.

    Raises `NotAnswered` as long as there are none.
    """
    last: Scene | None = None

    async def look(elapsed_seconds: float) -> Scene:
        nonlocal last
        try:
            last = await worker.look(elapsed_seconds)
        except NotAnswered as error:
            if last is None:
                raise
            return msgspec.structs.replace(
                last, elapsed_seconds=elapsed_seconds, problem=str(error)
            )
        return last

    return look
