"""A venue that says our keys, over real sockets: no log and no raw record holds them."""

import json
import logging

import pytest
from aiohttp import web
from hypothesis import given as given_
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from producers.hiding import hidden, holds_no_secret
from producers.logs import quiet_libraries
from producers.outcomes import Publish, ReconnectReason, excerpt
from schemas.secrets import Secret, redacted_frame
from tests.producers import frames
from tests.producers.test_negotiate import ANSWER, hub, line
from tests.producers.worlds import CANARY, Given, let_in, running, sfox, until

TOKEN = "canary-token/0123+4567"
WHOLE = b'"Secret(hidden)"'


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04X}" for letter in text)


async def test_what_sfox_says_of_our_key_is_published_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In a frame, in an account's name, in a message of no known kind, and behind escapes."""
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    own = frames.sfox(user="test3")
    said = [
        json.dumps({"notice": f"api key {CANARY} expires", "again": CANARY}),
        frames.sfox(user=CANARY).decode(),
        f'{{"notice": "api key {escaped(CANARY)} expires"}}',
        json.dumps({"notice": json.dumps({"key": CANARY}).replace("-", "\\u002d")}),
        f"no JSON: {CANARY}",
        own.decode(),
    ]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        for text in said:
            await socket.send(text)
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(len(said))
        records = given.published.records
    assert [(frame, key, headers.redacted) for frame, key, headers in records] == [
        (b'{"notice": "api key Secret(hidden) expires", "again": "Secret(hidden)"}', None, "2"),
        (frames.sfox(user="Secret(hidden)"), b"Secret(hidden)", "1"),
        (WHOLE, None, "all"),
        (WHOLE, None, "all"),
        (b"no JSON: Secret(hidden)", None, "1"),
        (own, b"test3", ""),
    ]
    assert given.published.order == [(5_001, number) for number in range(1, 7)]
    told = [one.getMessage() for one in caplog.records if "a secret of ours" in one.getMessage()]
    line = "sfox: the venue sent a secret of ours: hidden"
    assert told == [f"{line} (2)", f"{line} (all)"]
    assert CANARY not in caplog.text
    assert CANARY not in repr([record.args for record in caplog.records])


async def test_of_frames_that_come_together_the_one_with_our_key_is_published_without_it() -> None:
    users = ["a", "b", f"c{CANARY}", "d", "e"]
    said = [frames.sfox(user=user, sequence=22 + at) for at, user in enumerate(users)]

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        whole = [Frame(Opcode.TEXT, text).serialize(mask=False, extensions=[]) for text in said]
        socket.transport.write(b"".join(whole))
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(len(said))
    hidden_one = frames.sfox(user="cSecret(hidden)", sequence=24)
    assert given.published.frames == [*said[:2], hidden_one, *said[3:]]
    assert [headers.redacted for _, _, headers in given.published.records] == ["", "", "1", "", ""]
    assert given.published.order == [(5_001, number) for number in range(1, 6)]
    assert given.metric("frames_received_total", venue="sfox") == len(said)


_PARTS = [CANARY.encode(), CANARY[:9].encode(), CANARY[9:].encode(), escaped(CANARY).encode()]
_PARTS += [b"\\u00", b"\\", b"\\\\u0063", b'{"a":"b"}', b"\xff", b"\n", b""]


@given_(st.lists(st.lists(st.sampled_from(_PARTS), max_size=4).map(b"".join), max_size=5))
def test_frames_are_searched_together_for_all_that_is_found_in_each(found: list[bytes]) -> None:
    known = Secret(CANARY)
    if any(redacted_frame(frame) is not None for frame in found):
        assert not holds_no_secret(found)
    if not any(CANARY[:4].encode() in frame or b"\\" in frame for frame in found):
        assert holds_no_secret(found)
    assert known


@pytest.mark.parametrize("code", [1008, 1000, 4001])
async def test_a_key_in_the_reason_of_a_close_is_not_logged(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await socket.close(code, f"api key {CANARY} has expired")

    async with sfox(talk) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE])
    assert f"({code} api key Secret(hidden) has expired)" in caplog.text
    assert CANARY not in caplog.text


REMEMBERED = 3


async def test_hercle_s_words_have_neither_the_key_nor_the_tokens_it_gave(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the reason of a close, now and a connection later: what the hub gave us is known."""
    quiet_libraries()
    caplog.set_level(logging.DEBUG)

    async def leave(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        if len(served.upgraded) > REMEMBERED:
            # Four connections later nobody knows that token any more.
            await given.stop.wait()
            return
        words = f"{CANARY} {TOKEN} token/1+%2B token%2F1%2B"
        close = json.dumps({"type": 7, "error": words}).replace("%2B ", "%2B\\n")
        await socket.send_str("{}\x1e" + json.dumps({"type": 99, "error": words}) + "\x1e")
        await socket.send_str(json.dumps({"error": words}) + "\x1e" + close + "\x1e")
        await socket.close()

    async with hub() as served:
        served.answers = lambda times: (
            {"url": served.url, "accessToken": TOKEN} if times == 1 else ANSWER
        )
        served.talks = leave
        given = Given(line(served))
        async with running(given):
            await until(lambda: given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE] > 1)
    assert served.upgraded[0][1] == f"Bearer {TOKEN}"
    assert "Secret(hidden) Secret(hidden)" in caplog.text
    published = repr(given.published.records)
    assert "Secret(hidden) Secret(hidden)" in published
    for secret in (CANARY, TOKEN, "token/1+", "token%2F1%2B"):
        assert secret not in caplog.text
        assert secret not in published


def test_words_are_redacted_before_they_are_cut() -> None:
    Secret("canary-" + "x" * 300)
    assert excerpt("so: canary-" + "x" * 300 + " is no\nkey") == "so: Secret(hidden) is no key"


def test_a_frame_without_a_secret_is_the_same_object() -> None:
    Secret(CANARY)
    plain = Publish(frames.SFOX, b"test3")
    assert hidden(plain) == (plain, "")
    assert hidden(plain)[0] is plain
