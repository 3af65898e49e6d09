"""What a replay shows: a bar while it works, and the comparison at its end."""

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from headroom.base.printable import plain, printable
from headroom.operate.generations import Generation
from headroom.operate.replay.compare import Comparison, Difference
from headroom.operate.replay.rebuild import Pace

_LINE_SECONDS: Final = 5.0
_RATE_OVER_SECONDS: Final = 10.0
_TEXT_MAX: Final = 160


@contextlib.contextmanager
def bar(title: str, console: Console | None = None) -> Iterator[Callable[[Pace], None]]:
    """Shows paces on standard error: a bar on a terminal, else a line every few seconds."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(title).show
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task(printable(title), total=None, rate="")
        rate = Rate()

        def show(pace: Pace) -> None:
            per_second = rate.take(pace)
            text = f"{per_second:,.0f} frames/s"
            progress.update(task, completed=pace.done, total=pace.total, rate=text)

        yield show


class Rate:
    """How many frames a second were done lately."""

    def __init__(self) -> None:
        self._paces: deque[Pace] = deque()

    def take(self, pace: Pace) -> float:
        """The rate, now that this is known too."""
        paces = self._paces
        paces.append(pace)
        while len(paces) > 2 and pace.at_seconds - paces[1].at_seconds >= _RATE_OVER_SECONDS:  # noqa: PLR2004 - two make a rate
            paces.popleft()
        return pace.rate_since(paces[0])


class _Lines:
    """Says how far it is, every few seconds and at the end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._rate = Rate()
        self._told: float | None = None

    def show(self, pace: Pace) -> None:
        rate = self._rate.take(pace)
        due = self._told is None or pace.at_seconds - self._told >= _LINE_SECONDS
        if not due and pace.done < pace.total:
            return
        self._told = pace.at_seconds
        left = f", {(pace.total - pace.done) / rate:,.0f} s to go" if rate else ""
        sys.stderr.write(
            f"{self._title}: {pace.done:,} of {pace.total:,} frames, {rate:,.0f} /s{left}\n"
        )


def as_json(generation: Generation, live: str, comparison: Comparison) -> str:
    """A comparison for machines: one JSON object."""
    told = {
        "generation": generation.name,
        "live": live,
        "equal": comparison.is_equal,
        "carried": generation.carried,
        "rate": round(generation.rate, 1),
        "versions_compared": comparison.versions_compared,
        "topics": {
            one.topic: {
                "equal": one.equal,
                "different": one.different,
                "only_here": one.only_here,
                "only_there": one.only_there,
                "ahead": one.ahead,
            }
            for one in comparison.topics
        },
        "users": sorted(comparison.users),
        "differences": comparison.differences,
    }
    return msgspec.json.encode(told).decode()


def tables(generation: Generation, live: str, comparison: Comparison) -> Iterator[Table | str]:
    """A comparison for a person."""
    table = Table(title=plain(f"{generation.name} beside {live}"), title_justify="left")
    table.add_column("topic", no_wrap=True)
    for column in ("equal", "different", "only here", "only there", "gone on"):
        table.add_column(column, justify="right")
    for one in comparison.topics:
        counts = (one.equal, one.different, one.only_here, one.only_there, one.ahead)
        table.add_row(plain(one.topic), *(f"{count:,}" for count in counts))
    yield table
    yield from _notes(generation, comparison)
    for difference in comparison.differences:
        yield from _shown(difference)
    left = sum(one.unlike for one in comparison.topics)
    if left > len(comparison.differences):
        yield f"and {left - len(comparison.differences):,} more (--json lists the users)"


def _notes(generation: Generation, comparison: Comparison) -> Iterator[str]:
    if generation.carried:
        yield (
            f"{generation.carried:,} accounts were carried over from {generation.origin}: "
            "their last frame was not read"
        )
    if not comparison.versions_compared:
        yield "versions were not compared: not every frame that there was has been read"


def _shown(difference: Difference) -> Iterator[str]:
    key = printable(difference.key)
    if difference.there is None:
        yield f"{difference.topic}  {key}: only here"
    elif difference.here is None:
        yield f"{difference.topic}  {key}: only there"
    else:
        yield f"{difference.topic}  {key}:"
        for path, here, there in unlike(difference.here, difference.there):
            yield f"    {printable(path)}: {_short(here)} here, {_short(there)} there"


def unlike(here: Any, there: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    """Where two JSON values differ: the path, and what stands there; None is nothing."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in here | there:
            deeper = f"{path}.{name}" if path else name
            yield from unlike(here.get(name), there.get(name), deeper)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for number, (mine, other) in enumerate(zip(here, there, strict=True)):
            yield from unlike(mine, other, f"{path}[{number}]")
    elif here != there:
        yield path, here, there


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    text = printable(text)
    return text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + "…"
