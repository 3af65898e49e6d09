"""What can befall a producer's line, one case each, for tables that run them all.

A case needs a sandbox (in this process: `order` and `clear`; in another: its control path) and
somebody who tells whether the producer is connected. What is counted is up to the caller, from the
journal, the producer's report and raw.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec


class Orderable(Protocol):
    """A sandbox in this process."""

    def order(self, name: str, **numbers: Any) -> object: ...
    def clear(self, name: str) -> bool: ...


class Case(msgspec.Struct, frozen=True):
    """A fault by its name; it is turned off after `lasts_seconds`, or over by itself (None).

    `reconnects` says that the connection is lost by it; `lost` what the venue's journal calls sent
    and no producer can get, each the end of what one connection was sent: empty where that is
    nothing. `deadline_seconds` is what the usual deadlines allow for
    noticing it.
    """

    name: str
    numbers: dict[str, int] = {}
    lasts_seconds: float | None = None
    reconnects: bool = True
    lost: str = ""
    deadline_seconds: float = 30.0
    venues: tuple[str, ...] = ("sfox", "hercle")

    @property
    def label(self) -> str:
        """Its name in a table."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.numbers.items())])

    def path(self, *, on: bool) -> str:
        """What is asked of a sandbox in another process, below its port."""
        query = urlencode({"on": int(on), **(self.numbers if on else {})})
        return f"/control/faults/{self.name}?{query}"


CASES = [
    Case("cut"),
    *(Case("close", {"code": code}) for code in (1001, 1012, 1013, 4001)),
    Case("cut-inside", lost="the frame that was cut"),
    Case("refuse", lasts_seconds=5),
    Case("half-open", lasts_seconds=40, lost="what is sent on the dead line when it is over"),
    Case("silence", lasts_seconds=40, lost="what is sent on the line that was left"),
    Case("dribble", {"rate": 2_000}, lasts_seconds=5, reconnects=False),
    Case("flood", {"rate": 20_000}, lasts_seconds=5, reconnects=False),
    Case("large", {"megabytes": 10}, reconnects=False),
    Case("large", {"megabytes": 20}, lost="the frame and those behind it"),
    Case("unavailable", lasts_seconds=5),
    Case("too-many-requests", lasts_seconds=5),
    Case("goodbye", venues=("hercle",)),
    Case("goodbye-return", venues=("hercle",)),
    Case("redirect", venues=("hercle",)),
    Case("redirect-loop", lasts_seconds=5, venues=("hercle",)),
    Case("long-polling", lasts_seconds=5, venues=("hercle",)),
]


class Befallen(msgspec.Struct, frozen=True):
    """How long it took to notice the fault, and after its end to be connected anew.

    Both are None where the connection is to be kept; `noticed` also where it was back too soon.
    """

    noticed_seconds: float | None
    recovered_seconds: float | None


async def befall(
    case: Case,
    sandbox: Orderable,
    *,
    reconnects: Callable[[], int],
    is_connected: Callable[[], bool],
    clock: Callable[[], float],
    scale: float = 1.0,
) -> Befallen:
    """Have a fault befall a running producer, end it, and wait until the producer is back.

    `reconnects` is how many connections the producer has lost, `clock` monotonic seconds; `scale`
    shortens what lasts. Raises TimeoutError where it is not noticed, or not recovered from within
    what `Retry-After` and the close codes allow.
    """
    begun, before = clock(), reconnects()
    sandbox.order(case.name, **case.numbers)
    noticed: float | None = None
    if case.reconnects:
        async with asyncio.timeout(case.deadline_seconds):
            await _until(lambda: reconnects() > before)
        noticed = clock() - begun
    if case.lasts_seconds is not None:
        await asyncio.sleep(max(0.0, scale * case.lasts_seconds - (clock() - begun)))
        sandbox.clear(case.name)
    ended = clock()
    if not case.reconnects:
        return Befallen(None, None)
    async with asyncio.timeout(120):
        await _until(is_connected)
    return Befallen(noticed, clock() - ended)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)
