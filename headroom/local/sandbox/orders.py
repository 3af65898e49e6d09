"""Orders of faults: what is asked for, and what is on now.

`Order` is the wish; `Orders` keeps those that are on, ends them when their time or their number is
over, and writes both into the journal.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, Self
from urllib.parse import parse_qsl

import msgspec

from headroom.local.sandbox.faults import EVERYBODY, SLOW_ANSWER_SECONDS, Fault
from headroom.local.sandbox.journal import Journal
from headroom.local.sandbox.pace import Sleep

_SECONDS_MAX: Final = Decimal(86_400)
_NUMBERS: Final = {"times": 1_000_000, "code": 4_999, "rate": 1_000_000, "megabytes": 64}
"""The whole numbers of an order, and the greatest that each may be."""
_CODE_MIN: Final = 1_000
_DIGITS_MAX: Final = 9
_DECIMALS: Final = ("seconds", "delay_seconds")


class UnknownFault(ValueError):
    """There is no fault of this name; the message lists those that there are."""

    def __init__(self, venue: str, name: str, known: Collection[str]) -> None:
        super().__init__(f"{venue} has no fault {name[:40]!r}; it has {', '.join(known)}")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is wanted; raises ValueError for what cannot be.

    What is None is as the fault's own entry in the table says. `user` is an account's name, `*`
    all of them. `seconds` is how long the fault is on, `times` how often it strikes,
    `delay_seconds` how long one answer takes (`slow`) or the client is to wait (`Retry-After`),
    `code` what a close says, `rate` how many frames or bytes pass each second, `megabytes` how
    large a frame is. A fault that has no use for one of them takes no notice of it.
    """

    name: str
    user: str | None = None
    seconds: Decimal | None = None
    times: int | None = None
    delay_seconds: Decimal | None = None
    code: int | None = None
    rate: int | None = None
    megabytes: int | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        for name in _DECIMALS:
            value: Decimal | None = getattr(self, name)
            if value is not None and not (value.is_finite() and 0 < value <= _SECONDS_MAX):
                message = f"{name} must be greater than 0 and at most {_SECONDS_MAX}, got {value}"
                raise ValueError(message)
        for name, greatest in _NUMBERS.items():
            number: int | None = getattr(self, name)
            least = _CODE_MIN if name == "code" else 1
            if number is not None and not least <= number <= greatest:
                message = f"{name} must be {least} to {greatest}, got {number}"
                raise ValueError(message)

    @classmethod
    def read(cls, text: str) -> Self:
        """An order as `NAME`, `NAME:USER`, or `NAME?user=USER&seconds=5&times=2`."""
        words, _, query = text.partition("?")
        name, _, user = words.partition(":")
        given = dict(parse_qsl(query, keep_blank_values=True))
        return cls.of(name, {"user": user, **given} if user else given)

    @classmethod
    def of(cls, name: str, given: Mapping[str, str]) -> Self:
        """An order with the values of a query; ValueError names the one that cannot be."""
        known = ("user", *_DECIMALS, *_NUMBERS)
        unknown = given.keys() - set(known)
        if unknown:
            message = f"an order has {', '.join(known)}; not {min(unknown)[:40]!r}"
            raise ValueError(message)
        return cls(
            name=name,
            user=given.get("user"),
            seconds=_decimal("seconds", given),
            times=_whole("times", given),
            delay_seconds=_decimal("delay_seconds", given),
            code=_whole("code", given),
            rate=_whole("rate", given),
            megabytes=_whole("megabytes", given),
        )


class Ordered:
    """A fault that is on: `user` None strikes all; `over` is set when it has ended.

    `done` counts how often it has struck, `left` how often it still will (None: without end).
    """

    def __init__(self, fault: Fault, order: Order, user: str | None) -> None:
        self.fault = fault
        self.user = user
        self.left = fault.times if order.times is None else order.times
        if order.times is None and order.seconds is not None:
            # Who says how long has not said how often.
            self.left = None if fault.times == 1 else fault.times
        self.seconds = fault.seconds if order.seconds is None else order.seconds
        self.delay_seconds = order.delay_seconds or SLOW_ANSWER_SECONDS
        self.order = order
        self.done = 0
        self.acted = False
        self.over = asyncio.Event()

    @property
    def retry_after(self) -> str:
        """What `Retry-After` says: how long the order wants, else how long the fault is on."""
        seconds = self.order.delay_seconds or self.seconds or self.delay_seconds
        return str(math.ceil(seconds))

    async def wait(self, until: Awaitable[None]) -> None:
        """Wait for something, or for the fault's end."""
        tasks = [asyncio.ensure_future(until), asyncio.create_task(self._ended())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _ended(self) -> None:
        await self.over.wait()

    def strikes(self, user: str | None) -> bool:
        """Whether it strikes this user."""
        return self.user is None or user == self.user


class Orders:
    """The faults of one venue that are on.

    `changed` is called with a fault after it has begun, and again after its end. `users` are the
    accounts' names, the first of them first.
    """

    def __init__(
        self,
        table: Mapping[str, Fault],
        journal: Journal,
        users: Collection[str],
        *,
        clock_ns: Callable[[], int],
        sleep: Sleep,
    ) -> None:
        self.table = table
        self._journal = journal
        self._users = users
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._on: dict[str, Ordered] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self.changed: Callable[[Ordered], None] = lambda _: None

    def begin(self, order: Order) -> Ordered:
        """Turn a fault on, anew where it is on already; raises ValueError for what cannot be."""
        check(order, self._journal.venue, self.table, self._users)
        self.end(order.name)
        fault = self.table[order.name]
        user = order.user
        if user is None and fault.strikes == "first":
            user = next(iter(self._users))
        ordered = Ordered(fault, order, None if user == EVERYBODY else user)
        self._on[order.name] = ordered
        self._journal.write_fault(order.name, ordered.user, self._clock_ns(), on=True)
        if ordered.seconds is not None:
            ending = self._end_later(order.name, float(ordered.seconds))
            self._timers[order.name] = asyncio.create_task(ending, name=f"fault {order.name}")
        self.changed(ordered)
        return ordered

    def end(self, name: str) -> bool:
        """Turn a fault off; False where it was not on."""
        timer = self._timers.pop(name, None)
        if timer is not None and timer is not asyncio.current_task():
            timer.cancel()
        ordered = self._on.pop(name, None)
        if ordered is None:
            return False
        self._journal.write_fault(name, ordered.user, self._clock_ns(), on=False)
        ordered.over.set()
        self.changed(ordered)
        return True

    def end_all(self) -> None:
        """Turn everything off."""
        for name in list(self._on):
            self.end(name)

    def on(self, name: str, user: str | None = None) -> Ordered | None:
        """The fault of this name if it is on and strikes this user."""
        ordered = self._on.get(name)
        return ordered if ordered is not None and ordered.strikes(user) else None

    def on_at_all(self, name: str) -> Ordered | None:
        """The fault of this name if it is on, whomever it strikes."""
        return self._on.get(name)

    def strike(self, name: str, user: str | None = None) -> Ordered | None:
        """As `on`, and that was one of its times: after the last one it is over."""
        ordered = self.on(name, user)
        if ordered is not None:
            self.struck(ordered)
        return ordered

    def struck(self, ordered: Ordered) -> None:
        """Count one of its times."""
        ordered.done += 1
        if ordered.left is not None:
            ordered.left -= 1
            if ordered.left <= 0 and self._on.get(ordered.fault.name) is ordered:
                self.end(ordered.fault.name)

    def running(self) -> list[Ordered]:
        """All that are on, in the order in which they began."""
        return list(self._on.values())

    async def _end_later(self, name: str, seconds: float) -> None:
        await self._sleep(seconds)
        self.end(name)


def check(order: Order, venue: str, table: Mapping[str, Fault], users: Collection[str]) -> None:
    """Raises ValueError where a venue has no such fault, or no such user."""
    if order.name not in table:
        raise UnknownFault(venue, order.name, table)
    if order.user not in {None, EVERYBODY} and order.user not in users:
        message = f"{venue} has no user {str(order.user)[:40]!r}"
        raise ValueError(message)


def _decimal(name: str, given: Mapping[str, str]) -> Decimal | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        message = f"{name} must be a number, got {text[:40]!r}"
        raise ValueError(message) from None


def _whole(name: str, given: Mapping[str, str]) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        message = f"{name} must be a whole number, got {text[:40]!r}"
        raise ValueError(message)
    return int(text)


class Orderable:
    """A venue that can be ordered to have faults, by whoever holds the object."""

    orders: Orders

    def order(
        self,
        name: str,
        *,
        user: str | None = None,
        seconds: Decimal | int | None = None,
        delay_seconds: Decimal | int | None = None,
        **numbers: int | None,
    ) -> Ordered:
        """Turn a fault on; `numbers` are the others of an `Order`. ValueError: cannot be."""
        order = Order(
            name=name,
            user=user,
            seconds=None if seconds is None else Decimal(seconds),
            delay_seconds=None if delay_seconds is None else Decimal(delay_seconds),
            **numbers,
        )
        return self.orders.begin(order)

    def clear(self, name: str) -> bool:
        """Turn a fault off; False where it was not on."""
        return self.orders.end(name)
