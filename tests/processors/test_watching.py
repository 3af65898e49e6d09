"""What is seen is proposed once, and again where nothing came of it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from processors.ledger.moves import Observed, read_order
from processors.watching import AGAIN_SECONDS, Watching
from schemas.codec import encode
from tests.processors.alerts.test_liveness import GONE, LATE, lost
from tests.processors.connections import NOW_SECONDS, connections
from tests.processors.events.site import Rows
from tests.processors.ledger.snapshots import last, snapshot


class Sender:
    """Keeps what it is offered, and who waits to hear of it."""

    def __init__(self) -> None:
        self.offered: list[Observed] = []
        self.waiting: list[Any] = []
        self.is_full = False

    def offer(
        self, topic: str, key: bytes, value: bytes, partition: int, *, delivered: Any
    ) -> None:
        if self.is_full:
            raise BufferError
        order = read_order(value)
        assert isinstance(order, Observed)
        assert (topic, key, partition) == ("orders", order.user.encode(), 3)
        self.offered.append(order)
        self.waiting.append(delivered)

    def answer(self, error: object = None) -> None:
        for delivered in self.waiting:
            delivered(error, None)
        self.waiting.clear()

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nor to close."""


class Watched:
    """A worker that holds one partition, whose only user lost its connection."""

    def __init__(self) -> None:
        self.now_seconds = NOW_SECONDS
        users, alerts = Rows(3), Rows(3)
        state = last([snapshot(1, 1, 5)]).state
        users.rows[state.user.encode()] = encode(state)
        self.app = SimpleNamespace(serving=True, librdkafka={})
        self.watching = Watching(
            self.app,  # type: ignore[arg-type]
            users=users,  # type: ignore[arg-type]
            alerts=alerts,  # type: ignore[arg-type]
            rules=(GONE,),
            topic="orders",
            now=lambda: connections(lost(100)),
            clock_ns=lambda: round(self.now_seconds * 10**9),
            monotonic_ns=lambda: round(self.now_seconds * 10**9),
        )
        self.sender = Sender()
        self.watching._sender = self.sender  # type: ignore[assignment]
        self.users = users

    async def look(self, after_seconds: float = 0.0) -> int:
        """How many orders there are once it has looked again."""
        self.now_seconds += after_seconds
        await self.watching._look()
        return len(self.sender.offered)


async def test_an_order_is_sent_again_only_where_nothing_came_of_it() -> None:
    watched = Watched()
    assert await watched.look() == 1
    # As long as Kafka has not said a word it is on its way.
    assert await watched.look(2 * AGAIN_SECONDS) == 1
    watched.sender.answer()
    assert await watched.look(1) == 1
    assert await watched.look(AGAIN_SECONDS) == 1
    assert await watched.look(1) == 2
    watched.sender.answer()
    # Another level is another order, whatever has become of the last one.
    assert await watched.look(500) == 3
    assert [one.level for one in watched.sender.offered] == ["warning", "warning", "breach"]


async def test_of_an_account_and_rule_one_order_at_most_is_on_its_way() -> None:
    """However long Kafka is away, and whatever becomes of the account meanwhile."""
    watched = Watched()
    assert await watched.look() == 1
    assert await watched.look(600) == 1
    watched.sender.answer()
    assert await watched.look() == 2
    assert [one.level for one in watched.sender.offered] == ["warning", "breach"]


async def test_what_kafka_does_not_take_is_seen_again() -> None:
    watched = Watched()
    watched.sender.is_full = True
    assert await watched.look() == 0
    watched.sender.is_full = False
    assert await watched.look() == 1
    watched.sender.answer("not taken")
    assert await watched.look() == 2


async def test_a_partition_that_goes_meanwhile_is_passed_by() -> None:
    watched = Watched()

    def gone(*_: object, **__: object) -> None:
        raise KeyError(3)

    watched.users.committed_items = gone  # type: ignore[assignment, method-assign]
    assert await watched.look() == 0


@pytest.mark.parametrize("rules", [(GONE, LATE), ()])
async def test_it_ends_when_it_is_told_to(rules: tuple[Any, ...]) -> None:
    watched, stop = Watched(), asyncio.Event()
    watched.app.serving = False
    watched.watching._rules = rules
    running = asyncio.create_task(watched.watching.run(stop))
    await asyncio.sleep(0)
    assert not running.done()
    stop.set()
    async with asyncio.timeout(30):
        await running
