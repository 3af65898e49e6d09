"""Lines to venues that leave gaps, refuse for a while, or do not answer: over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from producers.connection import Socket
from producers.hercle import HercleLine, HercleSettings
from producers.outcomes import ReconnectReason
from producers.settings import Deadlines
from schemas.feeds import FeedStatus
from schemas.secrets import Secret
from tests.producers import frames
from tests.producers.hub import completion, frame
from tests.producers.test_negotiate import Hub, hub
from tests.producers.worlds import CALM, CANARY, Given, let_in, running, sfox, until

NOON = 1710367225302228171
RS = "\x1e"


async def one_account(socket: ServerConnection, *numbers: int) -> None:
    """Frames of one account; the later it is sent, the later its time says it is."""
    for place, number in enumerate(numbers):
        await socket.send(frames.sfox(number, NOON + place).decode())


async def test_a_gap_leads_to_a_new_connection_and_is_told_before() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await one_account(socket, 10, 12, 13)
        await socket.wait_closed()

    async with sfox(talk) as given:
        await until(lambda: given.feed.reconnects[ReconnectReason.GAP])
        await given.published.until(4)
        assert given.published.order[:3] == [(5_001, 1), (5_001, 2), (5_001, 3)]
        assert given.published.order[3] == (5_002, 1)
        (doubted,) = [
            told.confirmed_from
            for told in given.told
            if told.epoch == 5_001 and told.gaps == 1 and told.state == "connected"
        ]
    assert doubted is not None
    assert (doubted.receipt, doubted.doubt.cause) == (2, "gap")
    assert given.metric("doubts_total", venue="sfox", cause="gap") == 2


async def test_the_second_doubt_within_ten_seconds_waits_and_is_told_meanwhile() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await one_account(socket, 10, 12)
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(4)
        await until(lambda: given.feed.status().gaps == 2)
        assert given.feed.connections == 2
        status = given.feed.status()
        assert status.state == "connected"
        assert status.confirmed_from is not None
        assert (status.confirmed_from.receipt, status.confirmed_from.doubt.cause) == (2, "gap")


async def test_ten_seconds_are_counted_from_the_connection_that_a_doubt_led_to() -> None:
    """The venue lets us in again after twenty, and leaves a gap at once."""
    tried = 0

    def gate(socket: ServerConnection, _request: Request) -> Response | None:
        nonlocal tried
        tried += 1
        if tried != 2:
            return None
        given.passed_seconds += 20
        return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "not now")

    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await one_account(socket, 10, 12)
        await socket.wait_closed()

    async with sfox(talk, process_request=gate) as given:
        await given.published.until(4)
        await until(lambda: given.feed.status().gaps == 2)
        await asyncio.sleep(0)
        assert given.feed.reconnects[ReconnectReason.GAP] == 1
        assert given.feed.status().state == "connected"


async def test_a_frame_that_comes_late_keeps_its_place_however_new_it_says_to_be() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        await one_account(socket, 10, 12, 11)
        await socket.wait_closed()

    async with sfox(talk) as given:
        await given.published.until(3)
        # The same epoch: by their numbers the later one stays the newest.
        assert given.published.order[:3] == [(5_001, 1), (5_001, 2), (5_001, 3)]
        await until(lambda: given.feed.connections == 2)


async def test_words_of_the_end_of_a_session_lead_to_a_new_authentication() -> None:
    async def talk(socket: ServerConnection) -> None:
        await let_in(socket)
        authenticated.append(socket)
        await one_account(socket, 10)
        if len(authenticated) == 1:
            await socket.send('{"type": "error", "action": "authenticate", "payload": {}}')
        await socket.wait_closed()

    authenticated: list[ServerConnection] = []
    async with sfox(talk) as given:
        await until(lambda: len(authenticated) == 2)
        await given.published.until(2)
    assert given.feed.reconnects[ReconnectReason.SESSION_ENDED] == 1


async def test_an_error_to_authenticate_may_pass_and_is_waited_out_beyond_the_block() -> None:
    async def talk(socket: ServerConnection) -> None:
        tried.append(socket)
        if len(tried) == 1:
            await socket.recv()
            await socket.send(frames.WRONG_KEY.decode())
        else:
            await let_in(socket)
        await socket.wait_closed()

    tried: list[ServerConnection] = []
    async with sfox(talk) as given:
        await until(lambda: given.feed.status().state == "connected")
    assert [told.state for told in given.told][:2] == ["refused", "connected"]
    assert [pause > 120 for pause in given.slept] == [True]


# Hercle.


class Answers:
    """A hub that answers each question in the next of these ways, the last one for ever."""

    def __init__(self, *ways: list[bytes]) -> None:
        self.ways = list(ways)
        self.questions = 0

    async def __call__(self, socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("{}" + RS)
        async for message in socket:
            for text in message.data.split(RS)[:-1]:
                asked = json.loads(text)
                if asked.get("target") != "GetBalances":
                    continue
                self.questions += 1
                way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
                for record in [*way, completion(int(asked["invocationId"]))]:
                    await socket.send_str(record.decode() + RS)


@asynccontextmanager
async def asking(served: Hub, talk: object, deadlines: Deadlines = CALM) -> AsyncIterator[Given]:
    served.talks = talk  # type: ignore[assignment]  # any coroutine function of a socket
    settings = HercleSettings(
        url=served.url, api_keys=(Secret(CANARY),), client_id="me", deadlines=deadlines
    )
    given = Given(HercleLine(settings, 1))
    async with running(given):
        yield given


def states(told: list[FeedStatus]) -> list[tuple[str, str | None]]:
    """Each state and doubt that was told, once where it stayed."""
    found = [(one.state, None if one.doubt is None else one.doubt.cause) for one in told]
    return [one for place, one in enumerate(found) if place == 0 or found[place - 1] != one]


async def test_a_question_that_fails_is_in_doubt_until_the_next_answer() -> None:
    async with hub() as served, asking(served, Answers([frame(1)], [], [frame(2)])) as given:
        await given.published.until(2)
        await until(lambda: given.feed.status().doubt is None)
        doubts = [None, "unanswered", None]
        assert states(given.told) == [("connected", doubt) for doubt in doubts]
        assert given.feed.connections == 1
        assert given.feed.status().accounts == ["u"]


async def test_a_sequence_that_falls_begins_an_epoch_with_the_second_answer() -> None:
    talk = Answers([frame(5000)], [frame(1, "2")], [frame(1, "2")], [frame(2, "3")])
    async with hub() as served, asking(served, talk) as given:
        await given.published.until(4)
        assert given.published.order[:4] == [(5_001, 1), (5_001, 2), (5_002, 1), (5_002, 2)]
        assert given.feed.connections == 1
        await until(lambda: given.feed.status().doubt is None)


async def test_a_401_when_connecting_again_is_tried_again_and_said_meanwhile() -> None:
    async def once(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("{}" + RS)
        await socket.receive()
        await socket.send_str(frame(1).decode() + RS)
        await socket.close()

    async with hub() as served:
        refused = web.Response(status=403, body=b"<html>no</html>", content_type="text/html")
        served.answers = lambda times: refused if times == 2 else {"connectionToken": "t"}
        async with asking(served, once) as given:
            await until(lambda: given.feed.connections >= 2)
            told = [one.state for one in given.told]
            assert "refused" in told
            assert given.feed.reconnects[ReconnectReason.KEY_REFUSED] == 1
            assert len(served.asked) >= 3


async def test_a_refused_token_of_a_redirect_is_not_blamed_on_the_key() -> None:
    async with hub() as served:
        away = {"url": served.url + "?away", "accessToken": "short-lived"}
        answers = [away, web.Response(status=401)]
        served.answers = lambda times: answers[(times - 1) % 2]
        async with asking(served, Answers([frame(1)])) as given:
            await until(lambda: given.feed.reconnects[ReconnectReason.KEY_REFUSED])
            doubt = given.feed.status().doubt
            assert doubt is not None
            assert doubt.reason.endswith("with a token that the hub gave")
            await until(lambda: len(served.asked) >= 4)
    assert [bearer for _, bearer in served.asked[:3]] == [
        f"Bearer {CANARY}",
        "Bearer short-lived",
        f"Bearer {CANARY}",
    ]


async def test_what_cannot_be_sent_keeps_nobody_from_listening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []

    async def send(socket: Socket, text: str) -> None:
        sent.append(text)
        if len(sent) > 1:
            # As if the hub did not read: there is no room any more.
            await asyncio.Event().wait()
        await ClientConnection.send(socket, text)

    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("{}" + RS)
        await until(lambda: len(sent) > 1)
        for number in range(3):
            await socket.send_str(frame(number).decode() + RS)
        await given.stop.wait()

    monkeypatch.setattr(Socket, "send", send)
    async with hub() as served, asking(served, talk) as given:
        await given.published.until(3)
    assert given.feed.connections == 1


async def test_after_another_producer_has_come_and_gone_a_later_epoch_begins() -> None:
    async with hub() as served, asking(served, Answers([frame(1)])) as given:
        await given.published.until(1)
        given.feed._world.epochs.observe(9_000)
        given.feed.supersede()
        await until(lambda: given.feed.connections == 2)
        await given.published.until(2)
    assert given.published.order[0] == (5_001, 1)
    assert (9_001, 1) in given.published.order
    assert given.feed.reconnects[ReconnectReason.SUPERSEDED] == 1
