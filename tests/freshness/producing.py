"""A producer in this process, and the two simulated venues in a test's own hands."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from random import Random
from typing import Any, Self

import msgspec
from prometheus_client import CollectorRegistry

from headroom.base.following import Reader
from headroom.local.sandbox import HercleConfig, HercleSandbox, SfoxConfig, SfoxSandbox
from processors.engine.librdkafka import properties
from producers.hercle import HercleLine, HercleSettings
from producers.line import Line, Lines
from producers.pace import RateBound
from producers.service import ProducerReport, produce
from producers.settings import Deadlines
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.freshness.system import Amounts, System, amounts, until

SFOX_KEY = "canary-sfox-key"
CALM = Deadlines(close_seconds=1.0)
_LONG_SECONDS = 1.0
_TOLD_ONLY = Decimal("0.001")
"""A rate at which a venue does nothing by itself: the test says when."""
_BY_HAND_SECONDS = 500.0


class Pauses:
    """A producer's sleep: its long pauses are over when the test says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.asked: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if seconds <= _LONG_SECONDS:
            await asyncio.sleep(seconds)
            return
        self.asked.append(seconds)
        await self.over.wait()
        await asyncio.sleep(0.02)


class Producer:
    """A producer that runs; `stop` ends it in order."""

    def __init__(self, pauses: Pauses, stopping: asyncio.Event, log: logging.Logger) -> None:
        self.pauses = pauses
        self.log = log
        self._stopping = stopping
        self.task: asyncio.Task[ProducerReport]

    async def stop(self) -> ProducerReport:
        self._stopping.set()
        async with asyncio.timeout(20):
            return await self.task


@contextlib.asynccontextmanager
async def producing(
    system: System, venue: str, lines: Sequence[Line], **around: Any
) -> AsyncIterator[Producer]:
    """Run a producer of these lines, and leave nothing of its connections."""
    pauses, stop, log = Pauses(), asyncio.Event(), logging.getLogger("tests.freshness")
    producer = Producer(pauses, stop, log)
    given: dict[str, Any] = {
        "stop": stop,
        "clock_ns": time.time_ns,
        "monotonic": time.monotonic,
        "rng": Random(time.time_ns()),
        "sleep": pauses.sleep,
        "registry": CollectorRegistry(),
        "log": log,
    }
    together = Lines(system.venue(venue), lines, RateBound(999), RateBound(9_999))
    follow = Reader(lambda: properties(system.kafka))
    carrying = produce(
        together,
        system.kafka,
        follow=follow,
        statuses=system.statuses,
        **({"access": follow.access} | given | around),
    )
    producer.task = asyncio.create_task(carrying)
    try:
        yield producer
    finally:
        pauses.over.set()
        stop.set()
        async with asyncio.timeout(20):
            await asyncio.gather(producer.task, return_exceptions=True)
        await system.forget(venue, [line.connection for line in lines])


class ByHand:
    """A venue's sleep: its longest ones end one by one, when the test says so."""

    def __init__(self) -> None:
        self._permits = asyncio.Semaphore(0)
        self.waiting = 0
        self.waits = 0

    async def sleep(self, seconds: float) -> None:
        if seconds < _BY_HAND_SECONDS:
            await asyncio.sleep(seconds)
            return
        self.waits += 1
        self.waiting += 1
        try:
            await self._permits.acquire()
        finally:
            self.waiting -= 1

    async def one(self) -> None:
        """Let one of them end, once there is one."""
        await until(lambda: self.waiting)
        self._permits.release()


class Sfox:
    """A simulated sFOX that tells an account when it is told to: an async context manager."""

    def __init__(self, seed: int, **changes: Any) -> None:
        self._hand = ByHand()
        config = SfoxConfig(
            users=3, rate_per_second=_TOLD_ONLY, seed=seed, api_key=SFOX_KEY, **changes
        )
        self.sandbox = SfoxSandbox(config, sleep=self._hand.sleep)
        self.accounts = {
            f"sfox:{account.user_id}": account for account in self.sandbox._market.accounts
        }
        self.users = list(self.accounts)

    async def __aenter__(self) -> Self:
        await self.sandbox.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.sandbox.__aexit__(*exception)

    def line(self, deadlines: Deadlines = CALM) -> SfoxLine:
        """A line to it."""
        settings = SfoxSettings(api_key=Secret(SFOX_KEY), url=self.sandbox.url, deadlines=deadlines)
        return SfoxLine(settings)

    async def tell(self, *users: str) -> None:
        """Change each of these accounts, one after the other, and send its frame."""
        for user in users:
            await self._tell(user)

    async def _tell(self, user: str) -> None:
        await until(lambda: self.sandbox._subscribers and self._hand.waiting)
        self.sandbox._market.visit_next(self.accounts[user])
        before = self._hand.waits
        await self._hand.one()
        # It is sent where the venue waits for the next time, or has nobody to tell any more.
        await until(lambda: self._hand.waits > before or not self.sandbox._subscribers)

    def holding(self, user: str) -> Amounts:
        """What the account holds now."""
        account = self.accounts[user]
        return amounts(
            (code, *(account.asset(code).amount(u) for u in (h.balance, h.available, h.held)))
            for code, h in account.holdings.items()
        )


class Hercle:
    """A simulated Hercle whose accounts move when they are told to: an async context manager."""

    def __init__(self, unique: str, *, users: int = 3, **changes: Any) -> None:
        self.names = [f"{unique}-{number}" for number in range(users)]
        self.users = [f"hercle:{name}" for name in self.names]
        self._keys = {f"canary-{name}": name for name in self.names}
        self.hand = ByHand()
        config = HercleConfig(keys=self._keys, rate_per_second=Decimal(0), seed=7, **changes)
        self.sandbox = HercleSandbox(config, sleep=self.hand.sleep)

    async def __aenter__(self) -> Self:
        await self.sandbox.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.sandbox.__aexit__(*exception)

    def lines(
        self, *, keys: int | None = None, first: Deadlines = CALM, poll: str = "0.1"
    ) -> list[HercleLine]:
        """A line for each key, or some; the first user's has these deadlines, the others are calm.

        A deadline that is short is missed by a busy machine now and then, too.
        """
        secrets = tuple(Secret(key) for key in list(self._keys)[:keys])
        settings = HercleSettings(
            api_keys=secrets,
            client_id="me",
            url=self.sandbox.url,
            poll_seconds=Decimal(poll),
            deadlines=CALM,
        )
        hasty = msgspec.structs.replace(settings, deadlines=first)
        numbers = range(2, len(secrets) + 1)
        return [HercleLine(hasty, 1), *(HercleLine(settings, number) for number in numbers)]

    def order(self, name: str, **changes: Any) -> None:
        """Have a fault strike the first user."""
        self.sandbox.order(name, user=changes.pop("user", self.names[0]), **changes)

    def by_hand(self) -> None:
        """From now on the first user's answers come when the test says so."""
        self.order("slow", delay_seconds=int(2 * _BY_HAND_SECONDS))

    async def answer(self) -> None:
        """Let the first user have one."""
        ordered = self.sandbox.orders.on_at_all("slow")
        assert ordered is not None
        before = ordered.done
        await self.hand.one()
        await until(lambda: ordered.done > before)

    def move(self, *users: str, times: int = 1) -> None:
        """Change these accounts; they are told when they are asked for."""
        for user in users:
            for _ in range(times):
                self.sandbox._world.move(user.removeprefix("hercle:"))

    def holding(self, user: str) -> Amounts:
        """What the account holds now."""
        name = user.removeprefix("hercle:")
        seconds = self.sandbox._answers._seconds
        world = next((w for w in seconds.values() if name in w._by_user), self.sandbox._world)
        account, _ = world.of(name)
        return amounts(
            (code, *(account.asset(code).amount(u) for u in (h.free + h.held, h.free, h.held)))
            for code, h in account.holdings.items()
        )


def others(users: Iterable[str], *struck: str) -> list[str]:
    """All but these."""
    return [user for user in users if user not in struck]
