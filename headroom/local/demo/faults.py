"""Faults that a person wants to see: ordered from the venues while the demo runs, and turned off.

They go the way that anybody's would: over the control path of a simulated venue.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from headroom.audit import read_journals
from headroom.base.asking import session
from headroom.base.errors import OperatorError
from headroom.local.sandbox.control import CONTROL
from headroom.local.sandbox.faults import TABLES, Fault
from headroom.local.sandbox.orders import Order, UnknownFault

AFTER_SECONDS: Final = 3.0
"""How long the picture stands before the faults begin."""
ON_SECONDS: Final = 8.0

_OK: Final = 200


class Wanted(msgspec.Struct, frozen=True):
    """A fault of one venue that is to be seen."""

    venue: str
    order: Order

    @classmethod
    def read(cls, text: str) -> Self:
        """A fault as `VENUE:NAME`, or `NAME` where one venue only has it; a user may follow.

        Raises ValueError, which lists the names where there is no such.
        """
        venue, _, rest = text.partition(":")
        if venue in TABLES:
            order = Order.read(rest)
            if order.name not in TABLES[venue]:
                raise UnknownFault(venue, order.name, TABLES[venue])
            return cls(venue, order)
        order = Order.read(text)
        having = [venue for venue, table in TABLES.items() if order.name in table]
        if not having:
            raise UnknownFault("the demo", order.name, _names())
        if len(having) > 1:
            message = f"{' and '.join(having)} have {order.name}: say {having[0]}:{order.name}"
            raise ValueError(message)
        return cls(having[0], order)

    @property
    def fault(self) -> Fault:
        """What the venue does."""
        return TABLES[self.venue][self.order.name]

    @property
    def name(self) -> str:
        """The fault with its venue."""
        return f"{self.venue}:{self.order.name}"


class Caused(msgspec.Struct, frozen=True):
    """A fault that was ordered, and how many frames it made, changed, or sent otherwise."""

    fault: str
    does: str
    frames: int


class NotOrdered(OperatorError):
    """A venue did not take an order."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} could not be ordered: {problem}")


async def cause(
    wanted: Sequence[Wanted],
    urls: Mapping[str, str],
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Order the faults, some seconds from now, and turn them off again; say both.

    `urls` are the venues' addresses. Raises `NotOrdered`.
    """
    await sleep(AFTER_SECONDS)
    async with session(None) as connections:
        for each in wanted:
            await _turn(connections, urls[each.venue], each, on=True)
            tell(f"fault on:  {each.name}: the venue {each.fault.does}")
        await sleep(ON_SECONDS)
        for each in wanted:
            await _turn(connections, urls[each.venue], each, on=False)
            tell(f"fault off: {each.name}")


def caused(wanted: Iterable[Wanted], journals: Sequence[Path]) -> list[Caused] | None:
    """What the faults led to, as the journals tell; None where none was wanted."""
    asked = list(wanted)
    if not asked:
        return None
    counts = Counter((sent.venue, sent.fault) for sent in read_journals(journals))
    return [
        Caused(each.name, each.fault.does, counts[each.venue, each.order.name]) for each in asked
    ]


async def _turn(connections: aiohttp.ClientSession, url: str, wanted: Wanted, *, on: bool) -> None:
    order = wanted.order
    given = {"user": order.user, "seconds": order.seconds, "times": order.times}
    given["delay_seconds"] = order.delay_seconds
    query = {name: str(value) for name, value in given.items() if value is not None and on}
    query["on"] = "1" if on else "0"
    address = f"http://{urlsplit(url).netloc}{CONTROL}/{quote(order.name)}?{urlencode(query)}"
    try:
        async with connections.get(address) as response:
            status, body = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NotOrdered(wanted.name, str(error) or type(error).__name__) from error
    if status != _OK:
        raise NotOrdered(wanted.name, body.decode("utf-8", "replace").strip())


def _names() -> list[str]:
    return [f"{venue}:{name}" for venue, table in TABLES.items() for name in table]
