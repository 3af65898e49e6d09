"""Nothing keeps us from reading a venue, and no venue is called silent by who did not read."""

import asyncio
import time
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from producers import connection
from producers.outcomes import ReconnectReason
from producers.settings import Deadlines
from producers.waiting import Overdue
from tests.producers import frames
from tests.producers.worlds import let_in, sfox

QUICK = Deadlines(ping_seconds=0.05, pong_seconds=0.2, close_seconds=1.0)


async def test_who_stood_still_does_not_call_the_venue_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_LATE_SECONDS", 0.05)
    sent = [frames.sfox(user=f"u{number}", sequence=number) for number in range(3_000)]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(sent[0].decode())
        await given.published.until(1)
        # Its ping is not answered yet when nobody in this process runs for longer than it may take.
        socket.transport.pause_reading()
        await asyncio.sleep(0.1)
        time.sleep(1.0)  # noqa: ASYNC251 - as with SIGSTOP
        socket.transport.resume_reading()
        for text in sent[1:]:
            await socket.send(text.decode())
        await socket.wait_closed()

    async with sfox(talk, QUICK) as given:
        await given.published.until(len(sent))
        assert given.feed.connections == 1
        assert given.feed.reconnects[ReconnectReason.SILENT] == 0


async def test_who_does_not_read_does_not_call_the_venue_silent() -> None:
    # More than is read at once, so that what answers our pings lies behind it, in the socket.
    sent = [
        frames.sfox(user=f"u{number}", sequence=number) + b" " * 100_000 for number in range(60)
    ]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for text in sent:
            await socket.send(text.decode())
        await socket.wait_closed()

    async with sfox(talk, QUICK) as given:
        publish = given.published.publish

        def slow(*record: Any, **more: Any) -> None:
            time.sleep(0.03)
            publish(*record, **more)

        given.published.publish = slow  # type: ignore[method-assign]
        await given.published.until(len(sent))
        assert given.feed.connections == 1
        assert given.feed.reconnects[ReconnectReason.SILENT] == 0


def test_what_lies_there_comes_before_a_deadline_but_not_for_ever() -> None:
    overdue = Overdue()
    assert not overdue.is_up(1.0, now=0.0)
    assert not overdue.is_up(-45.0, now=100.0)
    assert not overdue.is_up(-46.0, now=104.0)
    assert overdue.is_up(-47.0, now=105.5)
    assert not overdue.is_up(10.0, now=105.6)
    assert not overdue.is_up(-1.0, now=116.6)
