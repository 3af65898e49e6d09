"""Whether those who count would see what is lost, twice, or never came."""

import asyncio
import socket
from types import SimpleNamespace

from headroom.local.sandbox.wire import framed
from schemas.headers import RawHeaders
from tests.producers_chaos.counting import Counts, Raw, tally
from tests.producers_chaos.relay import Relay, messages

_HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def connection(*frames: bytes) -> bytes:
    """What a server writes: a text message in one frame each."""
    return _HEAD + b"".join(framed(frame.decode()) for frame in frames)


SENT = [(0, b"a"), (0, b"b"), (1, b"c"), (1, b"d")]


def test_what_arrived_and_is_not_in_raw_is_lost() -> None:
    wrong: list[str] = []
    counts = tally(SENT, [connection(b"a", b"b", b"c")], [b"a", b"c"], wrong)
    assert counts == {0: Counts(sent=2, received=2, raw=1), 1: Counts(sent=2, received=1, raw=1)}
    assert [counts[window].lost for window in (0, 1)] == [1, 0]
    assert wrong == []


def test_half_a_frame_has_not_arrived() -> None:
    whole = connection(b"a", b"b" * 70_000)
    assert messages(whole) == [b"a", b"b" * 70_000]
    assert messages(whole[:-1]) == [b"a"]
    assert messages(b"HTTP/1.1 200 OK\r\n\r\n" + connection(b"a")) == []


def test_where_nobody_can_look_all_that_was_sent_is_to_be_there() -> None:
    counts = tally(SENT, None, [b"a", b"b", b"c"], [])
    assert [counts[window].lost for window in (0, 1)] == [0, 1]


def test_what_is_in_raw_twice_or_never_came_is_wrong() -> None:
    for raw in ([b"a", b"a"], [b"a", b"d"], [b"a", b"z"]):
        wrong: list[str] = []
        tally(SENT, [connection(b"a")], raw, wrong)
        assert wrong == ["1 frames lie in raw more often than they arrived"]


def test_the_same_text_counts_as_often_as_it_came() -> None:
    wrong: list[str] = []
    sent = [(0, b"a"), (1, b"a")]
    counts = tally(sent, [connection(b"a\x1ea\x1e")], [b"a"], wrong)
    assert sum(one.lost for one in counts.values()) == 1
    assert wrong == []


def test_what_is_too_large_and_what_is_behind_it_is_told_apart() -> None:
    large = b"x" * (16 * 1024 * 1024 + 1)
    counts = tally([(0, b"a"), (0, large), (0, b"b")], [connection(b"a", large, b"b")], [b"a"], [])
    assert counts[0] == Counts(sent=3, received=3, raw=1, refused=2)
    assert counts[0].lost == 0


def test_of_a_killed_one_that_counts_which_it_had_written_down() -> None:
    came = [connection(b"a", b"b", b"c")]
    counts = tally(SENT, [], [b"a"], [], killed=came, kept={b"b"})
    assert counts[0] == Counts(sent=2, received=2, raw=1)
    assert counts[1] == Counts(sent=2)


async def test_what_a_kernel_acknowledged_has_arrived_though_nobody_read_it() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"taken")
        await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Relay(server.sockets[0].getsockname()[1]) as relay:
        client = socket.create_connection(("127.0.0.1", relay.port))
        async with asyncio.timeout(10):
            while not relay.connections or relay.connections[0].arrived != b"taken":
                await asyncio.sleep(0.01)
            relay.hold()
            client.close()
            relay.release()
            while not relay.is_idle:
                await asyncio.sleep(0.01)
        assert relay.connections[0].arrived == b"taken"
        relay.shut()
        try:
            socket.create_connection(("127.0.0.1", relay.port)).close()
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("it took a connection")
        relay.listen()
        socket.create_connection(("127.0.0.1", relay.port)).close()


def test_what_lies_behind_newer_frames_and_what_comes_again_is_counted() -> None:
    def record(receipt: int) -> SimpleNamespace:
        headers = RawHeaders("sfox", "feed", 7, receipt, "2026-11-27T10:00:00Z").encode()
        return SimpleNamespace(headers=headers, value=b"%d" % receipt, key=b"a", offset=0)

    raw = Raw([record(one) for one in (1, 4, 2, 3, 4, 5)], [])
    assert raw.behind == [f"(7, {late}) of b'a' lies behind (7, 4)" for late in (2, 3)]
    assert (raw.repeated, raw.in_order) == (1, [b"1", b"2", b"3", b"4", b"5"])
