"""When a producer is alive, and when it is ready: what is red only where a restart can help."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers.health import KAFKA_SECONDS, STUCK_SECONDS, Doing, Health, LineHealth
from producers.latency import EVERY_SECONDS, Latency
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from tests.producers import frames
from tests.producers.worlds import CANARY, Given, let_in, running, sfox, until


class Sent:
    """Frames, and how many Kafka has."""

    acknowledged = 0
    waiting = 0


class Told:
    """What is told of lines."""

    is_heard = True
    is_broken = False


class Followed:
    """A health with one line, and a clock that moves by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.line = LineHealth("sfox", "connected", "listening")
        self.sent, self.told = Sent(), Told()
        self.health = Health(lambda: self.now)

    def follow(self) -> None:
        self.health.follow([lambda: self.line], self.sent, self.told)

    def pass_seconds(self, seconds: float, *, ticks: bool = True) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            if ticks:
                self.health.tick()


@pytest.fixture
def one() -> Followed:
    found = Followed()
    found.follow()
    return found


def test_before_it_knows_kafka_it_lives_and_is_not_ready() -> None:
    one = Followed()
    one.pass_seconds(10_000)
    assert one.health.not_alive() is None
    assert "starting" in str(one.health.not_ready())


def test_a_line_that_is_down_is_not_ready_and_never_a_reason_for_a_restart(one: Followed) -> None:
    assert one.health.not_ready() is None
    one.line = LineHealth("sfox", "down", "unreachable (no such host)")
    one.pass_seconds(10_000)
    assert one.health.not_ready() == "sfox: unreachable (no such host)"
    assert one.health.not_alive() is None
    one.line = LineHealth("sfox", "given_up", "the venue refuses the key")
    assert one.health.not_ready() == "sfox: the venue refuses the key"
    assert one.health.not_alive() is None


def test_who_waits_as_the_venue_wants_it_is_ready(one: Followed) -> None:
    one.line = LineHealth("sfox", "waiting", "for its turn")
    one.pass_seconds(500)
    assert (one.health.not_ready(), one.health.not_alive()) == (None, None)


def test_a_kafka_that_takes_nothing_is_not_ready_and_no_reason_for_a_restart(one: Followed) -> None:
    one.sent.waiting = 5
    one.pass_seconds(KAFKA_SECONDS)
    assert one.health.not_ready() is None
    one.pass_seconds(1)
    assert "5 frames" in str(one.health.not_ready())
    one.pass_seconds(10_000)
    assert one.health.not_alive() is None
    # A backlog that gets smaller is taken.
    one.sent.acknowledged += 1
    one.health.tick()
    assert one.health.not_ready() is None


def test_statuses_that_kafka_does_not_take_are_not_ready(one: Followed) -> None:
    one.told.is_heard = False
    one.pass_seconds(10_000)
    assert "state of the connections" in str(one.health.not_ready())
    assert one.health.not_alive() is None


def test_a_line_that_stands_still_is_a_reason_for_a_restart(one: Followed) -> None:
    one.line = LineHealth("sfox", "down", "connecting", is_overdue=True)
    one.pass_seconds(STUCK_SECONDS)
    assert one.health.not_alive() is None
    one.pass_seconds(1)
    assert one.health.not_alive() == "sfox stands still: connecting"
    one.line = LineHealth("sfox", "down", "connecting")
    one.pass_seconds(1)
    assert one.health.not_alive() is None


def test_a_pause_of_the_whole_process_makes_no_line_stand_still(one: Followed) -> None:
    one.line = LineHealth("sfox", "connected", "listening", is_overdue=True)
    one.pass_seconds(5_000, ticks=False)
    one.health.tick()
    assert one.health.not_alive() is None


def test_a_watch_that_ended_and_reports_that_ended_are_reasons_for_a_restart(
    one: Followed,
) -> None:
    one.pass_seconds(STUCK_SECONDS, ticks=False)
    assert one.health.not_alive() is None
    one.pass_seconds(1, ticks=False)
    assert "nobody has looked after the lines" in str(one.health.not_alive())
    one.health.tick()
    one.told.is_broken = True
    assert "nobody tells" in str(one.health.not_alive())


# -- a real line


async def test_a_line_tells_how_it_is_from_connecting_to_its_end() -> None:
    let, over = asyncio.Event(), asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await let.wait()
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await over.wait()

    async with sfox(talk) as given:
        assert given.feed.health().state in ("down", "waiting")
        await until(lambda: given.feed.connections)
        assert (given.feed.health().state, given.feed.health().what) == (
            "down",
            "connected, not accepted yet",
        )
        let.set()
        await given.published.until(1)
        await until(lambda: given.feed.health().state == "connected")
        assert given.metric("connections", venue="sfox", state="connected") is None
        ages = given.feed.condition.ages()
        assert None not in ages
        given.passed_seconds = 1_000.0
        assert given.feed.health().is_overdue  # nothing heard, and still called connected
        over.set()
        await until(lambda: given.feed.reconnects)


async def test_a_line_that_hangs_in_opening_becomes_overdue() -> None:
    class Hanging(SfoxLine):
        async def open(self) -> Any:
            await asyncio.Event().wait()

    given = Given(Hanging(SfoxSettings(api_key=Secret(CANARY), url="ws://localhost:1/")))
    async with running(given):
        await until(lambda: given.feed.health().what == "connecting")
        assert not given.feed.health().is_overdue
        given.passed_seconds = 600.0
        assert given.feed.health() == LineHealth("sfox", "down", "connecting", is_overdue=True)


async def test_a_venue_that_is_away_makes_no_line_overdue() -> None:
    given = Given(SfoxLine(SfoxSettings(api_key=Secret(CANARY), url="ws://127.0.0.1:1/")))
    async with running(given):
        await until(lambda: sum(given.feed.reconnects.values()) > 3)
        found = given.feed.health()
        assert found.state in ("down", "waiting")
        assert not found.is_overdue


def test_a_wait_that_is_due_is_told_apart() -> None:
    assert not Doing("x", 1.0).is_due_wait


# -- how long sending takes


class Frames:
    def __init__(self) -> None:
        self.received = 0
        self.has = 0
        self._more = asyncio.Event()

    def take(self, has: int) -> None:
        self.has = has
        self._more.set()
        self._more = asyncio.Event()

    async def settled(self, received: int, seconds: float) -> bool:
        while self.has < received:
            await self._more.wait()
        return True


async def test_how_long_a_frame_took_is_measured_to_when_kafka_has_it_and_all_before_it() -> None:
    now, found, sent = [0.0], [], Frames()
    latency = Latency(sent, found.append, monotonic=lambda: now[0])
    task = asyncio.create_task(latency.run())
    try:
        for _ in range(3):
            sent.received += 1
            latency.handed_over()  # the first of these alone: they came together
        now[0] = EVERY_SECONDS
        sent.received += 1
        latency.handed_over()
        now[0] = 2.0
        sent.take(1)
        await until(lambda: found == [2.0])
        sent.take(3)
        now[0] = 3.0
        sent.take(4)
        await until(lambda: found == [2.0, 3.0 - EVERY_SECONDS])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_who_waits_for_another_one_s_end_is_alive_and_ready() -> None:
    world = Followed()
    assert world.health.not_ready() is not None
    world.health.stand_by()
    world.pass_seconds(2 * STUCK_SECONDS, ticks=False)
    assert (world.health.not_alive(), world.health.not_ready()) == (None, None)
    world.follow()
    world.pass_seconds(2 * STUCK_SECONDS, ticks=False)
    assert world.health.not_alive() is not None
