"""How the connections are: told at every change and every second, and never in a frame's way."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError
from websockets.asyncio.server import ServerConnection

from producers.hercle import HercleLine, HercleSettings
from producers.outcomes import ReconnectReason
from producers.settings import Deadlines
from producers.sfox import SfoxLine
from producers.statuses import EVERY_SECONDS, Reporter, StatusSettings
from schemas.feeds import Doubt, FeedStatus
from schemas.secrets import Secret
from schemas.topics import FEEDS
from tests.producers import frames
from tests.producers.test_service import sfox_line
from tests.producers.worlds import CANARY, SHORT, Given, let_in, sfox, until

NOW = "1970-01-01T00:00:00.000001000Z"
LATER_NS, LATER = 2_000, "1970-01-01T00:00:00.000002000Z"


def status(**changes: Any) -> FeedStatus:
    usual = FeedStatus(
        venue="sfox",
        connection="1",
        state="connected",
        epoch=5_001,
        last_heard=NOW,
        last_frame=NOW,
        frames=1,
        gaps=0,
        reconnects=0,
        time=NOW,
    )
    return msgspec.structs.replace(usual, **changes)


class Frames:
    """In place of a publisher: what Kafka has is what the test says; waiting takes no time."""

    def __init__(self) -> None:
        self.received = self.in_kafka = 0
        self.asked: list[tuple[int, float]] = []

    async def settled(self, received: int, seconds: float) -> bool:
        self.asked.append((received, seconds))
        return self.in_kafka >= received


class Desk:
    """A reporter whose seconds pass when the test says so, and that writes into a list."""

    def __init__(self) -> None:
        self.written: list[FeedStatus] = []
        self.error: Exception | None = None
        self.attempts = 0
        self.hold: asyncio.Event | None = None
        self.slept: list[float] = []
        self._second = asyncio.Event()
        log = logging.getLogger("tests.producers")
        self.frames = Frames()
        self.passed_seconds = 0.0
        self.reporter = Reporter(
            self._write,
            frames=self.frames,
            every_seconds=1.0,
            sleep=self._sleep,
            monotonic=lambda: self.passed_seconds,
            log=log,
        )

    async def _write(self, statuses: Sequence[FeedStatus]) -> None:
        self.attempts += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        self.written += statuses

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self._second.wait()

    async def second(self) -> None:
        """A second passes."""
        self._second.set()
        self._second.clear()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def numbered() -> Callable[[], FeedStatus]:
    """A line whose statuses have 0, 1, 2 … frames."""
    counts = iter(range(1_000))
    return lambda: status(frames=next(counts))


async def test_a_status_is_told_at_once_every_second_and_at_the_end() -> None:
    desk = Desk()
    async with desk.reporter.running([numbered()]):
        await settle()
        assert [told.frames for told in desk.written] == [0]
        await desk.second()
        await desk.second()
        assert [told.frames for told in desk.written] == [0, 1, 2]
    assert [told.frames for told in desk.written] == [0, 1, 2, 3]
    assert set(desk.slept) == {1.0}


def test_a_second_is_the_usual_and_the_topic_is_the_private_one() -> None:
    assert StatusSettings() == StatusSettings(topic=FEEDS, every_seconds=1.0)
    assert EVERY_SECONDS == 1.0


async def test_every_change_is_told_in_its_order_however_fast_they_follow() -> None:
    desk = Desk()
    async with desk.reporter.running([]):
        changes = [status(state="connected"), status(state="disconnected"), status(epoch=9)]
        for change in changes:
            desk.reporter.tell(change)
        await settle()
        assert desk.written == changes


async def test_a_status_vouches_for_nothing_while_frames_before_it_are_not_in_kafka() -> None:
    desk = Desk()
    async with desk.reporter.running([]):
        desk.frames.received = 7
        for change in (status(), status(state="disconnected")):
            desk.reporter.tell(change)
        await settle()
        (vouching, lost), desk.written = desk.written, []
        assert vouching.doubt is not None
        assert (vouching.doubt.cause, vouching.doubt.since) == ("spooled", NOW)
        assert lost == status(state="disconnected")
        # It waits for these frames, and not for those that came later.
        desk.frames.in_kafka, desk.frames.received = 7, 9
        desk.reporter.tell(status())
        desk.frames.in_kafka = 9
        await settle()
        assert desk.written == [status()]
        assert [received for received, _ in desk.frames.asked] == [7, 9]
        assert desk.frames.asked[0][1] > desk.frames.asked[1][1] > 0


async def test_a_status_that_had_to_wait_is_as_old_as_it_is() -> None:
    desk = Desk()
    async with desk.reporter.running([]):
        desk.reporter.tell(status())
        desk.passed_seconds = 1.5
        await settle()
        assert desk.written == [status(time="1970-01-01T00:00:01.500001000Z")]


async def test_a_failure_is_logged_once_and_the_next_status_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    desk = Desk()
    desk.error = KafkaError("the disk is full")
    async with desk.reporter.running([numbered()]):
        await settle()
        for error in (KafkaError("gone"), RuntimeError("what nobody foresaw")):
            desk.error = error
            await desk.second()
        assert desk.attempts == 3
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "the disk is full" in caplog.text
        desk.error = None
        await desk.second()
        assert [told.frames for told in desk.written] == [3]
        await desk.second()
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_kafka_that_takes_its_time_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("producers.statuses._LAST_SECONDS", 0.05)
    monkeypatch.setattr("producers.statuses._WAITING_STATUSES_MAX", 3)
    desk = Desk()
    desk.hold = asyncio.Event()
    async with asyncio.timeout(5), desk.reporter.running([numbered()]):
        await settle()
        for number in range(9):
            desk.reporter.tell(status(frames=number))
        await desk.second()
        assert desk.attempts == 1
        assert len(desk.reporter._waiting) == 3
    assert desk.written == []


# What a feed has to tell.


def plain(told: FeedStatus) -> FeedStatus:
    """A status without what `test_condition` looks at."""
    names = ("since", "doubt", "confirmed_from", "last_confirmed")
    return msgspec.structs.replace(told, **dict.fromkeys(names), instance="")


async def test_a_change_of_state_is_told_with_all_that_is_known() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await given.published.until(1)
        await socket.close()

    async with sfox(talk) as given:
        before = given.feed.status()
        await until(lambda: len(given.told) >= 4)
    assert plain(before) == status(
        state="disconnected", epoch=None, last_heard=None, last_frame=None, frames=0
    )
    connected, lost, pausing, again = map(plain, given.told[:4])
    assert connected == status(frames=0, last_frame=None)
    assert lost == status(state="disconnected")
    assert pausing == status(state="disconnected", reconnects=1)
    assert again == status(epoch=5_002, reconnects=1)
    assert given.told[1].doubt == Doubt("connection_lost", "1000", NOW)
    assert given.told[-1].state == given.feed.status().state == "disconnected"


async def test_a_connection_that_was_refused_was_never_connected() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.WRONG_KEY.decode())
        await socket.wait_closed()

    async with sfox(talk) as given:
        await until(lambda: given.told)
    (first, *_) = given.told
    assert (first.state, first.doubt) == (
        "refused",
        Doubt("key_refused", "no reason given", NOW),
    )


async def test_a_quiet_venue_is_heard_by_its_pongs_and_not_by_silence() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.wait_closed()

    often = Deadlines(ping_seconds=0.05)
    async with sfox(talk, often) as given:
        await until(lambda: given.told)
        given.now_ns = LATER_NS
        await until(lambda: given.feed.status().last_heard == LATER)
        assert given.feed.status().last_frame is None
        assert given.metric("last_heard_timestamp_seconds", venue="sfox") == LATER_NS / 1e9
        assert given.feed.connections == 1

    async with sfox(talk, Deadlines(ping_seconds=60.0)) as given:
        await until(lambda: given.told)
        given.now_ns = LATER_NS
        await asyncio.sleep(0.2)
        assert given.feed.status().last_heard == NOW


async def test_a_venue_s_own_ping_is_heard_too() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await asked.wait()
        await socket.ping()
        await socket.wait_closed()

    asked = asyncio.Event()
    async with sfox(talk, Deadlines(ping_seconds=60.0)) as given:
        await until(lambda: given.told)
        given.now_ns = LATER_NS
        asked.set()
        await until(lambda: given.feed.status().last_heard == LATER)


async def test_a_silent_connection_becomes_disconnected() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        socket.transport.pause_reading()
        await given.stop.wait()

    async with sfox(talk, SHORT, close_timeout=0.1) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.SILENT] >= 1)
        assert [told.state for told in given.told[:2]] == ["connected", "disconnected"]


def test_lines_are_told_apart_by_numbers_and_never_by_keys() -> None:
    keys = tuple(Secret(f"{CANARY}-{number}") for number in range(3))
    settings = HercleSettings(api_keys=keys, client_id="me")
    assert [HercleLine(settings, number).connection for number in (1, 2, 3)] == ["1", "2", "3"]
    assert SfoxLine(sfox_line("ws://localhost:1/")._settings).connection == "1"
    for number in (1, 2, 3):
        assert CANARY not in repr(Given(HercleLine(settings, number)).feed.status())
