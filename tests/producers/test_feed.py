"""A line to a venue over real sockets: what is published, and how it comes back after a loss."""

import asyncio
import logging
import socket as sockets
import struct

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from producers.errors import WrongKey
from producers.logs import quiet_libraries
from producers.outcomes import ReconnectReason
from producers.settings import Deadlines
from producers.sfox import SfoxLine, SfoxSettings
from schemas.secrets import Secret
from schemas.topics import FRAME_BYTES_MAX
from tests.producers import frames
from tests.producers.worlds import CANARY, SHORT, Given, let_in, running, sfox, until, venue


def texts(count: int, start: int = 0) -> list[bytes]:
    return [frames.sfox(user=f"u{number}") for number in range(start, start + count)]


async def test_frames_come_with_key_epoch_receipt_and_time() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(b"\xff\x00")
        await socket.send(frames.SFOX.decode())
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(2)
        (other, none, _), (frame, key, headers) = given.published.records
        assert (frame, key) == (frames.SFOX, b"test3")
        assert (other, none) == (b"\xff\x00", None)
        assert (headers.venue, headers.feed) == ("sfox", "private.enterprise.users.balances")
        # The clock stands at 1,000 ns; the greatest epoch in Kafka is 5,000.
        assert given.published.order == [(5_001, 1), (5_001, 2)]
        assert headers.received_time == "1970-01-01T00:00:00.000001000Z"
        assert given.metric("frames_received_total", venue="sfox") == 2
        assert given.metric("messages_counted_total", venue="sfox", kind="answer") == 2
        assert given.metric("connected", venue="sfox") == 1
    assert given.metric("connected", venue="sfox") == 0
    assert given.feed.frames == 2


async def test_a_text_that_is_not_utf8_is_kept_and_its_neighbours_go_through() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for payload in (frames.SFOX, b'{"a": "\xff"}', frames.SFOX):
            socket.transport.write(Frame(Opcode.TEXT, payload).serialize(mask=False, extensions=[]))
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(3)
        assert given.published.frames == [frames.SFOX, b'{"a": "\xff"}', frames.SFOX]
        assert given.feed.connections == 1


async def test_after_a_loss_a_new_connection_has_a_new_epoch() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await socket.close()

    async with sfox(talk) as given:
        await given.published.until(3)
    assert given.published.order[:3] == [(5_001, 1), (5_002, 1), (5_003, 1)]
    assert given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE] >= 2
    assert len(given.slept) >= 2


async def test_a_venue_that_counts_from_the_start_again_begins_an_epoch_without_a_reconnect() -> (
    None
):
    noon = 1710367225302228171

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for sequence, timestamp in ((22, noon), (23, noon), (1, noon + 1), (2, noon + 2)):
            await socket.send(frames.sfox(sequence, timestamp).decode())
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(4)
        assert given.published.order == [(5_001, 1), (5_001, 2), (5_002, 1), (5_002, 2)]
        assert given.feed.connections == 1


async def test_a_reset_loses_nothing_that_was_received() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for text in texts(5):
            await socket.send(text.decode())
        await given.published.until(5)
        raw = socket.transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        socket.transport.abort()

    async with sfox(talk) as given:
        await given.published.until(10)
    assert given.published.frames[:5] == texts(5)
    assert given.feed.reconnects[ReconnectReason.CONNECTION_LOST] >= 1


async def test_a_part_of_a_frame_is_never_published() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        whole = Frame(Opcode.TEXT, frames.sfox(user="cut")).serialize(mask=False, extensions=[])
        part = Frame(Opcode.TEXT, b'{"part": 1}', fin=False)
        socket.transport.write(part.serialize(mask=False, extensions=[]) + whole[:20])
        socket.transport.close()

    async with sfox(talk) as given:
        await given.published.until(3)
    assert set(given.published.frames) == {frames.SFOX}


async def test_a_message_of_16_mib_is_kept_and_a_larger_one_closes_with_1009_and_is_counted() -> (
    None
):
    codes = []

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send("x" * FRAME_BYTES_MAX)
        await socket.send("x" * (FRAME_BYTES_MAX + 1))
        await socket.wait_closed()
        codes.append(socket.close_code)

    async with sfox(talk) as given:
        await until(lambda: given.metric("oversize_total", venue="sfox"))
    assert len(given.published.frames[0]) == FRAME_BYTES_MAX
    assert codes[0] == 1009
    assert given.feed.reconnects[ReconnectReason.OVERSIZE] >= 1


async def test_a_venue_that_does_not_answer_is_left_after_the_deadline() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with sfox(talk, SHORT) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.ANSWER_TIMEOUT] >= 2)


async def test_a_connection_that_has_gone_dead_is_noticed_by_its_missing_pong() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        socket.transport.pause_reading()
        await given.stop.wait()

    async with sfox(talk, SHORT, close_timeout=0.1) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.SILENT] >= 1)


def test_the_usual_deadlines_notice_a_dead_line_within_thirty_seconds() -> None:
    usual = Deadlines()
    assert usual.ping_seconds + usual.pong_seconds + usual.close_seconds < 30
    assert usual.silence_seconds <= 30


async def test_a_venue_that_is_not_there_is_tried_again_and_again() -> None:
    async with venue(lambda socket: socket.wait_closed()) as url:
        pass
    given = Given(SfoxLine(SfoxSettings(api_key=Secret(CANARY), url=url)))
    async with running(given):
        await until(lambda: given.feed.reconnects[ReconnectReason.UNREACHABLE] >= 3)
    assert len(given.slept) >= 2


async def test_a_refused_upgrade_is_tried_again() -> None:
    def full(connection: ServerConnection, request: object) -> object:
        return connection.respond(503, "full")

    async with sfox(lambda socket: socket.wait_closed(), process_request=full) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.HANDSHAKE_REFUSED] >= 2)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_venue_that_wants_to_be_left_alone_is(status: int) -> None:
    def full(connection: ServerConnection, request: object) -> object:
        response = connection.respond(status, "full")
        # Twice, as behind two proxies: the library's own look-up raises an error then.
        response.headers["Retry-After"] = "1"
        response.headers["Retry-After"] = "100"
        return response

    async with sfox(lambda socket: socket.wait_closed(), process_request=full) as given:
        await until(lambda: len(given.slept) >= 3)
    assert all(100 <= seconds <= 110 for seconds in given.slept)
    assert "wait for 100 s" in given.told[0].doubt.reason


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [
        (1000, 0, 0.5),
        (1001, 0, 0.5),
        (1011, 0, 0.5),
        (1012, 5, 30),
        (1013, 30, 33),
        (1008, 0, 30),
        (3000, 0, 30),
        (4000, 0, 30),
        (4999, 0, 30),
    ],
)
async def test_how_soon_we_come_back_depends_on_the_code_of_the_close(
    code: int, least: float, most: float
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.close(code, "for a reason")

    async with sfox(talk) as given:
        await until(lambda: given.slept)
    assert least <= given.slept[0] <= most
    # Half a second is where the first pause of all others ends; this world's chance is above it.
    assert (given.slept[0] > 0.5) == (most > 0.5)
    assert given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE]
    assert f"{code} for a reason" in [status.doubt.reason for status in given.told if status.doubt]


async def test_a_key_is_not_taken_to_where_a_redirect_points() -> None:
    seen = []

    async def other(socket: ServerConnection) -> None:
        seen.append(socket)

    async with venue(other) as elsewhere:

        def away(connection: ServerConnection, request: object) -> object:
            response = connection.respond(302, "")
            response.headers["Location"] = elsewhere
            return response

        async with sfox(lambda socket: socket.wait_closed(), process_request=away) as given:
            await until(lambda: given.feed.reconnects[ReconnectReason.HANDSHAKE_REFUSED] >= 1)
    assert not seen


async def test_a_key_that_was_never_accepted_is_tried_beyond_the_block_and_then_given_up() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.WRONG_KEY.decode())
        await socket.wait_closed()

    async with venue(talk) as url:
        given = Given(SfoxLine(SfoxSettings(api_key=Secret(CANARY), url=url)))
        with pytest.raises(WrongKey, match="HEADROOM_SFOX_API_KEY") as caught:
            await asyncio.wait_for(given.feed.run(), 10)
    assert given.feed.connections == 4
    assert [pause > 120 for pause in given.slept] == [True, True, True]
    assert given.feed.status().state == "refused"
    assert CANARY not in str(caught.value)


async def test_at_the_stop_what_comes_before_the_venue_s_own_close_is_published() -> None:
    last = texts(200, start=100)

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await given.published.until(1)
        # As a busy venue would: these are on their way when the close arrives.
        for text in last:
            socket.protocol.send_text(text)
        given.stop.set()
        socket.send_data()
        await socket.wait_closed()
        codes.append(socket.close_code)

    codes: list[int | None] = []
    async with sfox(talk) as given:
        await until(lambda: codes)
    assert codes == [1000]
    assert given.published.frames == [frames.SFOX, *last]
    assert not given.feed.reconnects


async def test_a_stop_does_not_wait_for_a_venue_that_does_not_close() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await given.published.until(1)
        socket.transport.pause_reading()
        given.stop.set()
        await left.wait()

    left = asyncio.Event()
    async with sfox(talk, SHORT, close_timeout=0.1) as given:
        await until(lambda: given.stop.is_set() and given.metric("connected", venue="sfox") == 0)
        left.set()


async def test_no_secret_is_logged_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    caplog.set_level(logging.DEBUG)

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.send(frames.SFOX.decode())
        await socket.send('{"type": "error", "payload": {"message": "%s"}}' % CANARY)  # noqa: UP031
        await socket.close()

    async with sfox(talk) as given:
        await given.published.until(2)
    assert "tests.producers" in caplog.text
    assert "the venue says: Secret(hidden)" in caplog.text
    assert CANARY not in caplog.text
    assert CANARY not in repr(caplog.records)


def test_libraries_are_made_quieter_and_never_louder() -> None:
    library = logging.getLogger("aiokafka")
    before = library.level
    try:
        for level, after in ((logging.DEBUG, logging.ERROR), (logging.CRITICAL, logging.CRITICAL)):
            library.setLevel(level)
            quiet_libraries()
            assert library.getEffectiveLevel() == after
    finally:
        library.setLevel(before)
