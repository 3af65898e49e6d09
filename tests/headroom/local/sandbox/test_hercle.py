"""The simulated Hercle over real sockets, read by a client that shares nothing with it."""

import asyncio
import json
from decimal import Decimal
from random import Random

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from headroom.local.sandbox import HercleConfig, HercleSandbox
from headroom.local.sandbox.exposures import Exposures
from headroom.local.sandbox.hercle_messages import BALANCES, balances_data, envelope, event
from headroom.local.sandbox.holdings import Holding
from headroom.local.sandbox.market import HERCLE_ASSETS, Market
from tests.headroom.local.sandbox.clients import (
    HercleClient,
    bearer,
    http,
    negotiate,
    read_to_the_close,
)

KEYS = {"canary-key-1": "user-123", "canary-key-2": "fund/alpha 🙂"}
KEY = "canary-key-1"


def config(**changes):
    values = {"keys": KEYS, "rate_per_second": Decimal(0)}
    return HercleConfig(**(values | changes))


def data_of(message):
    """The `data` of an event, its numbers as the digits that stand there."""
    (argument,) = json.loads(message, parse_int=str, parse_float=str)["arguments"]
    data = argument["data"]
    return json.loads(data, parse_int=str, parse_float=str) if isinstance(data, str) else data


async def open_socket(url, key):
    token = (await negotiate(url, key))["connectionToken"]
    return await connect(
        f"{url.replace('http:', 'ws:', 1)}?id={token}", additional_headers=bearer(key)
    )


async def test_the_answer_to_a_negotiation():
    """Version 1 has a token beside the id; version 0 has the id only."""
    async with HercleSandbox(config()) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert sandbox.url.endswith("/ExecutionLiveServer/v1")
        answer = await negotiate(sandbox.url, KEY)
        assert answer["negotiateVersion"] == 1
        assert answer["connectionToken"] != answer["connectionId"]
        assert answer["availableTransports"] == [
            {"transport": "WebSockets", "transferFormats": ["Text"]}
        ]
        _, body = await http(f"{sandbox.url}/negotiate", "POST", bearer(KEY))
        assert "connectionToken" not in json.loads(body)
        _, body = await http(f"{sandbox.url}/negotiate?negotiateVersion=x", "POST", bearer(KEY))
        assert "error" in json.loads(body)


@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}]
)
async def test_without_the_right_bearer_nothing_opens(headers):
    """401 on the negotiation and on the WebSocket, with a good token too; never by the URL."""
    async with HercleSandbox(config()) as sandbox:
        status, _ = await http(f"{sandbox.url}/negotiate?access_token={KEY}", "POST", headers)
        assert status == 401
        token = (await negotiate(sandbox.url, KEY))["connectionToken"]
        url = f"{sandbox.url.replace('http:', 'ws:', 1)}?id={token}&access_token={KEY}"
        with pytest.raises(InvalidStatus, match="401"):
            await connect(url, additional_headers=headers)
        assert sandbox.refused == 2


async def test_a_token_opens_one_connection_of_its_own_user():
    """No token, an unknown one, another user's, and one that was used are refused."""
    async with HercleSandbox(config()) as sandbox:
        url = sandbox.url.replace("http:", "ws:", 1)
        token = (await negotiate(sandbox.url, KEY))["connectionToken"]
        for query, key, status in (
            ("", KEY, "400"),
            ("?id=unknown", KEY, "404"),
            (f"?id={token}", "canary-key-2", "404"),
        ):
            with pytest.raises(InvalidStatus, match=status):
                await connect(url + query, additional_headers=bearer(key))
        async with connect(f"{url}?id={token}", additional_headers=bearer(KEY)):
            with pytest.raises(InvalidStatus, match="404"):
                await connect(f"{url}?id={token}", additional_headers=bearer(KEY))


@pytest.mark.parametrize(
    "handshake",
    ['{"protocol":"messagepack","version":1}', '{"protocol":"json","version":3}', "{}", "[]", "x"],
)
async def test_a_handshake_that_is_refused_says_why_and_ends(handshake):
    """The answer has an error, and the connection is closed."""
    async with HercleSandbox(config()) as sandbox:
        client = await open_socket(sandbox.url, KEY)
        await client.send(f"{handshake}\x1e")
        (answer,) = await read_to_the_close(client)
        assert list(json.loads(answer.removesuffix("\x1e"))) == ["error"]


async def test_a_handshake_and_a_question_may_come_in_pieces_or_together():
    """Hub messages are told apart by 0x1E, not by WebSocket messages."""
    async with HercleSandbox(config()) as sandbox:
        client = await open_socket(sandbox.url, KEY)
        question = '{"type":1,"target":"getbalances","arguments":["me"]}\x1e'
        await client.send('{"protocol":"json","ver')
        await client.send(f'sion":1}}\x1e{{"type":6}}\x1e{question}{question}')
        text = ""
        while text.count("account.balances.snapshot") < 2:
            text += await client.recv()
        assert text.startswith("{}\x1e")
        await client.close()


@pytest.mark.parametrize(
    ("form", "members"),
    [
        ("text", ["channel", "topic", "subject", "type", "clientId", "data"]),
        ("object", ["subject", "clientId", "data"]),
    ],
)
async def test_the_balances_are_the_documented_event(form, members):
    """Envelope, fields and their order; amounts are numbers; the caller's id comes back."""
    settings = config(data=form)
    async with HercleSandbox(settings) as sandbox, HercleClient(sandbox.url, KEY) as client:
        event = json.loads(await client.balances('my "client"'))
    assert list(event) == ["type", "target", "arguments"]
    assert (event["type"], event["target"]) == (1, "executionEvents")
    (argument,) = event["arguments"]
    assert list(argument) == members
    assert argument["clientId"] == 'my "client"'
    data = argument["data"]
    assert isinstance(data, str) == (form == "text")
    data = json.loads(data) if form == "text" else data
    assert list(data) == [
        "userId",
        "sequence",
        "assets",
        "baseCurrency",
        "totalCurrentExposure",
        "totalMaxExposure",
        "deleted",
    ]
    assert (data["userId"], data["sequence"], data["deleted"]) == ("user-123", 1, False)
    assert data["baseCurrency"] == "EUR"
    for asset in data["assets"]:
        assert list(asset) == [
            "name",
            "available",
            "allocated",
            "currentExposure",
            "maxExposure",
        ]
        assert asset["name"] == asset["name"].upper()
        assert all(
            isinstance(value, int | float) for name, value in asset.items() if name != "name"
        )


def test_every_digit_of_an_amount_is_written():
    """A number with 18 decimals, one too great for a float and one of cents, as they are."""
    market = Market(["u"], Random(1), kinds=HERCLE_ASSETS, margin=False)
    (account,) = market.accounts
    account.holdings["ETH"] = Holding(trading=12_345_678_901_234_567_890_123_456_789)
    account.holdings["BTC"] = Holding(trading=5, held=1)
    text = balances_data(account, Exposures(account, market, Random(1)))
    data = data_of(event(envelope(BALANCES, "me", text, "text")))
    amounts = {asset["name"]: asset["available"] for asset in data["assets"]}
    assert amounts["ETH"] == "12345678901.234567890123456789"
    assert amounts["BTC"] == "0.00000004"
    assert data["assets"][0]["allocated"] == "0.00000001"


async def test_one_key_is_one_user():
    """Each key gets its own user's balances, whatever the id."""
    async with HercleSandbox(config()) as sandbox:
        for key, user_id in KEYS.items():
            async with HercleClient(sandbox.url, key) as client:
                assert data_of(await client.balances())["userId"] == user_id


async def test_without_a_change_the_answer_is_the_same_and_with_one_the_sequence_grows():
    """Asked twice in peace: equal; while the market moves: ascending, other content."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        assert await client.balances() == await client.balances()
    moving = config(rate_per_second=Decimal(5_000))
    async with HercleSandbox(moving) as sandbox, HercleClient(sandbox.url, KEY) as client:
        answers = [data_of(await client.balances()) for _ in range(200)]
    sequences = [int(data["sequence"]) for data in answers]
    assert sequences == sorted(sequences)
    assert sequences[-1] > sequences[0]
    assert len({data["totalCurrentExposure"] for data in answers}) > 1
    by_sequence = {}
    for data in answers:
        assert by_sequence.setdefault(data["sequence"], data) == data


async def test_the_same_seed_has_the_same_content_at_the_same_sequence():
    """Two runs, asked at different times, agree wherever their sequences meet."""

    async def run(seed, pause):
        seen = {}
        settings = config(seed=seed, rate_per_second=Decimal(5_000))
        async with HercleSandbox(settings) as sandbox, HercleClient(sandbox.url, KEY) as client:
            while not seen or max(seen) < 60:
                data = data_of(await client.balances())
                seen[int(data["sequence"])] = data
                await asyncio.sleep(pause)
        return seen

    one, two, other = await run(4, 0), await run(4, 0), await run(5, 0)
    common = one.keys() & two.keys()
    assert common
    assert all(one[sequence] == two[sequence] for sequence in common)
    assert all(one[sequence] != other[sequence] for sequence in one.keys() & other.keys())


@pytest.mark.parametrize("client_id", ["", "x" * 37])
async def test_a_tracking_id_that_is_missing_or_too_long_is_an_error_event(client_id):
    """The event says why; the invocation itself completes; 36 characters are well."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        await client.invoke(client_id, invocation_id="7")
        (argument,) = json.loads(await client.next())["arguments"]
        assert argument["subject"] == "preChecksError"
        assert argument["clientId"] == client_id
        assert set(json.loads(argument["data"])) == {"statusError", "message"}
        assert json.loads(await client.next()) == {"type": 3, "invocationId": "7", "result": None}
        assert await client.balances("x" * 36)
        assert sandbox.frames_sent == 1


@pytest.mark.parametrize(
    ("target", "arguments"), [("GetBalances", ()), ("GetBalances", (1,)), ("Nope", ("me",))]
)
async def test_a_call_that_cannot_be_made_completes_with_an_error(target, arguments):
    """No argument, one of another type, no such method; nothing is said where nobody waits."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        await client.invoke(*arguments, target=target)
        await client.invoke(*arguments, target=target, invocation_id="8")
        answer = json.loads(await client.next())
        assert (answer["type"], answer["invocationId"]) == (3, "8")
        assert answer["error"]


@pytest.mark.parametrize(
    "message", ["x", "[]", '{"type":1}', '{"type":1,"target":"a","arguments":1}']
)
async def test_a_message_that_is_none_ends_the_connection(message):
    """With a message of type 7 that says why."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        await client.socket.send(f"{message}\x1e")
        (last,) = await client.rest()
        assert json.loads(last)["type"] == 7
        assert json.loads(last)["error"]


async def test_other_subjects_and_joined_messages_come_now_and_then():
    """As from a real hub: open orders between, and several messages in one."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        subjects = set()
        for number in range(200):
            await client.invoke("me", invocation_id=str(number))
            while (message := json.loads(await client.next()))["type"] != 3:
                subjects.add(message["arguments"][0]["subject"])
        assert subjects == {"account.balances.snapshot", "account.orders.snapshot"}
        assert 20 < client.joined < 180
        assert sandbox.frames_sent == 200


async def test_the_handshake_is_sometimes_followed_in_the_same_message():
    """A client that takes the first WebSocket message for the handshake alone would lose it."""
    first = set()
    async with HercleSandbox(config()) as sandbox:
        for _ in range(30):
            client = await open_socket(sandbox.url, KEY)
            await client.send('{"protocol":"json","version":1}\x1e')
            first.add(await client.recv())
            await client.close()
    assert first == {"{}\x1e", '{}\x1e{"type":6}\x1e'}


async def test_the_server_pings_and_ends_a_silent_client():
    """Pings come by themselves; who says nothing for too long is closed, who pings is not."""
    settings = config(ping_seconds=Decimal("0.02"), client_timeout_seconds=Decimal("0.5"))
    async with HercleSandbox(settings) as sandbox, HercleClient(sandbox.url, KEY) as lively:

        async def ping():
            while True:
                await lively.socket.send('{"type":6}\x1e')
                await asyncio.sleep(0.02)

        pinging = asyncio.create_task(ping())
        for _ in range(2):
            async with HercleClient(sandbox.url, KEY) as silent:
                messages = await read_to_the_close(silent.socket)
            assert messages.count('{"type":6}\x1e') >= 3
            assert json.loads(messages[-1].removesuffix("\x1e"))["type"] == 7
        assert await lively.balances()
        pinging.cancel()


async def test_a_client_may_say_goodbye():
    """A message of type 7 closes the connection without an error."""
    async with HercleSandbox(config()) as sandbox, HercleClient(sandbox.url, KEY) as client:
        await client.socket.send('{"type":7}\x1e')
        (last,) = await client.rest()
        assert json.loads(last) == {"type": 7}
        assert client.socket.close_code == 1000
