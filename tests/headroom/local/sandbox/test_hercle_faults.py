"""What an outside client sees of each fault that the simulated Hercle can be ordered to have."""

import asyncio
import json
from decimal import Decimal

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headroom.local.sandbox import HercleConfig, HercleSandbox, Order
from tests.headroom.local.sandbox.clients import (
    HercleClient,
    bearer,
    http,
    journal_lines,
    negotiate,
    read_to_the_close,
)

KEYS = {"canary-key-1": "user-123", "canary-key-2": "küche"}
KEY, OTHER_KEY = KEYS


class Watched:
    """A sandbox with a journal, and a client of each of its two users."""

    def __init__(self, tmp_path, **changes):
        values = {"keys": KEYS, "rate_per_second": Decimal(0)}
        self.path = tmp_path / "journal"
        self.sandbox = HercleSandbox(HercleConfig(**(values | changes), journal=self.path))

    async def __aenter__(self):
        await self.sandbox.__aenter__()
        self.client = await HercleClient(self.sandbox.url, KEY).__aenter__()
        self.other = await HercleClient(self.sandbox.url, OTHER_KEY).__aenter__()
        return self

    async def __aexit__(self, *exception):
        await self.client.socket.close()
        await self.other.socket.close()
        await self.sandbox.__aexit__(*exception)

    async def ask(self, number=7, client=None):
        """Ask; all hub messages up to the completion, that one with them."""
        client = client or self.client
        await client.invoke("me", invocation_id=str(number))
        messages = []
        while not messages or messages[-1]["type"] != 3:
            messages.append(json.loads(await client.next()))
        return messages

    async def balances(self):
        """Ask; the data of the balances, orders passed over."""
        for message in await self.ask():
            for argument in message.get("arguments", ()):
                if argument["subject"] == "account.balances.snapshot":
                    return json.loads(argument["data"])
        return None

    def frames(self, name):
        """The frames in the journal that a fault made."""
        lines = journal_lines(self.path)
        return [line for line in lines if line.get("fault") == name and "on" not in line]

    async def the_other_is_well(self):
        """The neighbour's answer comes as ever."""
        assert json.loads(json.loads(await self.other.balances())["arguments"][0]["data"])


def subjects(messages):
    return [a["subject"] for m in messages for a in m.get("arguments", ())]


async def status_of(url, key, path="/negotiate?negotiateVersion=1"):
    return await http(f"{url}{path}", "POST", bearer(key))


async def test_a_key_gets_503_for_a_while_and_the_others_do_not_notice(tmp_path):
    """Its connection is cut; negotiation and WebSocket are refused until it is over."""
    async with Watched(tmp_path) as seen:
        token = (await negotiate(seen.sandbox.url, KEY))["connectionToken"]
        seen.sandbox.order("unavailable")
        await read_to_the_close(seen.client.socket)
        for _ in range(3):
            assert (await status_of(seen.sandbox.url, KEY))[0] == 503
        url = f"{seen.sandbox.url.replace('http:', 'ws:', 1)}?id={token}"
        with pytest.raises(InvalidStatus, match="503"):
            await connect(url, additional_headers=bearer(KEY))
        await seen.the_other_is_well()
        seen.sandbox.clear("unavailable")
        async with HercleClient(seen.sandbox.url, KEY) as client:
            assert await client.balances()


@pytest.mark.parametrize(("name", "status"), [("refused-once", 401), ("refused-html", 403)])
async def test_a_key_is_refused_once(tmp_path, name, status):
    """The connection is cut, one negotiation is refused, the next is well."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order(name)
        await read_to_the_close(seen.client.socket)
        found, body = await status_of(seen.sandbox.url, KEY)
        assert found == status
        assert ("<html>" in body) == (name == "refused-html")
        assert (await status_of(seen.sandbox.url, KEY))[0] == 200
        await seen.the_other_is_well()


async def test_a_redirect_leads_to_a_token_that_is_refused_once(tmp_path):
    """The target does not know the short-lived token; the key itself is as good as ever."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("redirect-refused")
        await read_to_the_close(seen.client.socket)
        answer = json.loads((await status_of(seen.sandbox.url, KEY))[1])
        assert set(answer) == {"url", "accessToken"}
        assert answer["accessToken"] != KEY
        assert answer["url"].startswith(seen.sandbox.url)
        assert (await status_of(answer["url"], answer["accessToken"]))[0] == 401
        assert "connectionToken" in json.loads((await status_of(seen.sandbox.url, KEY))[1])


@pytest.mark.parametrize("name", ["goodbye", "goodbye-return"])
async def test_a_goodbye_says_whether_to_come_back(tmp_path, name):
    """The hub's message first, then the WebSocket's own close."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order(name)
        (last,) = [json.loads(m) for m in await seen.client.rest()]
        assert last == {"type": 7} | ({"allowReconnect": True} if name[7:] else {})
        assert seen.client.socket.close_code == 1001
        await seen.the_other_is_well()


async def test_a_redirect_leads_on_with_a_token_that_is_accepted(tmp_path):
    """Once; its token opens the WebSocket, too."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("redirect")
        await read_to_the_close(seen.client.socket)
        answer = await negotiate(seen.sandbox.url, KEY)
        assert set(answer) == {"url", "accessToken"}
        async with HercleClient(answer["url"], answer["accessToken"]) as client:
            assert await client.balances()
        assert "connectionToken" in await negotiate(seen.sandbox.url, KEY)


async def test_redirects_without_end(tmp_path):
    """Each leads to the next, until it is over."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("redirect-loop")
        await read_to_the_close(seen.client.socket)
        url, key = seen.sandbox.url, KEY
        for _ in range(9):
            answer = await negotiate(url, key)
            url, key = answer["url"], answer["accessToken"]
        seen.sandbox.clear("redirect-loop")
        assert "connectionToken" in await negotiate(url, key)


async def test_a_hub_that_offers_long_polling_alone(tmp_path):
    """Of the three transports that there are."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("long-polling")
        await read_to_the_close(seen.client.socket)
        (offered,) = (await negotiate(seen.sandbox.url, KEY))["availableTransports"]
        assert offered["transport"] == "LongPolling"
        seen.sandbox.clear("long-polling")
        async with HercleClient(seen.sandbox.url, KEY) as client:
            assert await client.balances()


async def test_a_question_is_completed_with_an_error(tmp_path):
    """And nothing else is said."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("completion-error")
        for _ in range(2):
            (message,) = await seen.ask()
            assert (message["type"], message["invocationId"]) == (3, "7")
            assert message["error"]
        await seen.the_other_is_well()
        seen.sandbox.clear("completion-error")
        assert await seen.balances()


async def test_an_event_of_an_error_comes_instead_of_balances(tmp_path):
    """Of both documented subjects by turns; the question itself completes well."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("error-event")
        found = [await seen.ask() for _ in range(2)]
        assert [subjects(messages) for messages in found] == [
            ["preChecksError"],
            ["account.balances.error"],
        ]
        assert all("error" not in messages[-1] for messages in found)
        assert seen.sandbox.frames_sent == 0


async def test_a_question_completes_and_nothing_comes(tmp_path):
    """No event, no error."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("no-event")
        assert await seen.ask() == [{"type": 3, "invocationId": "7", "result": None}]


async def test_there_are_pings_and_no_answer_at_all(tmp_path):
    """The hub is alive; the questions are not answered later either."""
    async with Watched(tmp_path, ping_seconds=Decimal("0.02")) as seen:
        seen.sandbox.order("pings-only")
        for number in range(3):
            await seen.client.invoke("me", invocation_id=str(number))
        for _ in range(5):
            assert await seen.client.socket.recv() == '{"type":6}\x1e'
        seen.sandbox.clear("pings-only")
        assert (await seen.ask("9"))[-1]["invocationId"] == "9"


@pytest.mark.parametrize(("name", "first"), [("sequence-falls", 5_000), ("deleted-then-falls", 1)])
async def test_the_sequence_falls_on_an_open_connection(tmp_path, name, first):
    """1, 2 and 3 with other balances each; then counting goes on from there."""
    async with Watched(tmp_path) as seen:
        before = await seen.balances()
        seen.sandbox.order(name)
        told = [await seen.balances() for _ in range(5)]
        assert [data["sequence"] for data in told] == [first, 1, 2, 3, 3]
        assert [data["deleted"] for data in told] == [first == 1, *[False] * 4]
        held = [json.dumps(data["assets"]) for data in told]
        assert len({json.dumps(before["assets"]), *held[1:4]}) == 4
        assert held[4] == held[3]
        assert [line["sequence"] for line in seen.frames(name)] == [first, 1, 2, 3]


@pytest.mark.parametrize("name", ["list", "list-text", "second-argument"])
async def test_one_message_tells_of_two_accounts(tmp_path, name):
    """As an array, as the text of one, or in a second argument; the journal names both."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order(name)
        events = [m for m in await seen.ask() if "account.balances.snapshot" in subjects([m])]
        arguments = events[0]["arguments"]
        if name == "second-argument":
            accounts = [json.loads(each["data"]) for each in arguments]
        else:
            data = arguments[0]["data"]
            assert isinstance(data, str) == (name == "list-text")
            accounts = json.loads(data) if name == "list-text" else data
        assert [each["userId"] for each in accounts] == ["user-123", "second-user-123"]
        (line,) = seen.frames(name)
        assert (line["account"], line["sequence"]) == (None, None)
        assert line["accounts"] == ["user-123", "second-user-123"]


@pytest.mark.parametrize("name", ["split", "glued"])
async def test_hub_messages_are_cut_elsewhere_than_at_their_ends(tmp_path, name):
    """Only 0x1E ends a record; joined they are the journal's frames and the completion."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order(name)
        await seen.client.invoke("me", invocation_id="7")
        pieces = []
        while "".join(pieces).count("\x1e") < 2 or not pieces[-1].endswith("\x1e"):
            pieces.append(await seen.client.socket.recv())
        records = "".join(pieces).split("\x1e")[:-1]
        ends = [piece.endswith("\x1e") for piece in pieces]
        if name == "split":
            assert ends == [False, True] * len(records)
            assert all(piece.count("\x1e") <= 1 for piece in pieces)
        else:
            assert len(pieces) == len(records) + 1
            assert ends == [False] * len(records) + [True]
        assert [line["frame"] for line in seen.frames(name)] == [
            record for record in records if "account.balances.snapshot" in record
        ]


async def test_a_slow_hub_answers_in_turn_and_goes_on_reading(tmp_path):
    """Each answer takes its time; pings are heard meanwhile; turned off, all come at once."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("slow", delay_seconds=3_600)
        for number in range(3):
            await seen.client.invoke("me", invocation_id=str(number))
        for _ in range(3):
            await (await seen.client.socket.ping())
        assert seen.sandbox.frames_sent == 0
        await seen.the_other_is_well()
        seen.sandbox.clear("slow")
        done = []
        while len(done) < 3:
            message = json.loads(await seen.client.next())
            done += [message["invocationId"]] if message["type"] == 3 else []
        assert done == ["0", "1", "2"]


async def test_a_slow_answer_comes_after_its_time(tmp_path):
    """And is in the journal as one that was slow."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("slow", delay_seconds=Decimal("0.01"))
        assert await seen.balances()
        assert len(seen.frames("slow")) == 1


async def test_a_deaf_hub_reads_nothing_and_goes_on_pinging(tmp_path):
    """No WebSocket ping is answered, no question either, until it hears again."""
    settings = {"ping_seconds": Decimal("0.02"), "client_timeout_seconds": Decimal("0.1")}
    async with Watched(tmp_path, **settings) as seen:
        seen.sandbox.order("deaf")
        pong = await seen.client.socket.ping()
        await seen.client.invoke("me", invocation_id="7")
        for _ in range(12):
            assert await seen.client.socket.recv() == '{"type":6}\x1e'
        assert not pong.done()
        seen.sandbox.clear("deaf")
        await pong
        assert "account.balances.snapshot" in await seen.client.next()


async def test_who_comes_to_a_deaf_hub_is_heard_once(tmp_path):
    """It has connected and been answered before the hub stops reading from it."""
    async with Watched(tmp_path, faults=(Order(name="deaf"),)) as seen:
        assert await seen.client.balances()
        pong = await seen.client.socket.ping()
        await seen.the_other_is_well()
        assert not pong.done()
        seen.sandbox.clear("deaf")
        await pong


async def test_an_assets_limit_may_be_an_amount_of_the_asset(tmp_path):
    """The exposure is what is held of it; the totals are in the base currency as ever."""
    async with Watched(tmp_path) as seen:
        before = await seen.balances()
        seen.sandbox.order("asset-limits")
        after = await seen.balances()
        assert after["totalMaxExposure"] == before["totalMaxExposure"]
        for asset in after["assets"]:
            assert asset["currentExposure"] == asset["available"] + asset["allocated"]
            assert asset["maxExposure"] > 0
        assert after["assets"] != before["assets"]


async def test_errors_come_whose_words_differ_in_a_number_only(tmp_path):
    """Beside the balances, one with each answer."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("numbered-errors")
        words = []
        for _ in range(3):
            messages = await seen.ask()
            assert "account.balances.snapshot" in subjects(messages)
            arguments = [a for m in messages for a in m.get("arguments", ())]
            words += [json.loads(a["data"]) for a in arguments if a["subject"] == "preChecksError"]
        assert [each["message"] for each in words] == [
            f"Request {number} could not be checked" for number in (1, 2, 3)
        ]


async def test_an_amount_is_none_and_the_account_can_be_read(tmp_path):
    """A number that is JSON and no amount."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("bad-amount")
        await seen.ask()
        (line,) = seen.frames("bad-amount")
        assert line["account"] == "user-123"
        data = json.loads(json.loads(line["frame"])["arguments"][0]["data"], parse_float=str)
        assert data["assets"][0]["available"] == "1e400"


async def test_a_key_in_a_close_and_in_a_message(tmp_path):
    """In the words of the last hub message, and in the reason of the close."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("key-in-message")
        words = f"api key {KEY} has expired"
        assert json.loads(await seen.client.next()) == {"notice": words}
        seen.sandbox.order("key-in-close")
        (last,) = await seen.client.rest()
        assert json.loads(last) == {"type": 7, "error": words}
        assert (seen.client.socket.close_code, seen.client.socket.close_reason) == (1008, words)
        await seen.the_other_is_well()


@pytest.mark.parametrize("user", [None, "küche", "*"])
async def test_a_fault_strikes_one_user_or_all(tmp_path, user):
    """The first where nobody is named."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("cut", user=user)
        struck = [seen.client] if user != "küche" else []
        struck += [seen.other] if user is not None else []
        for client in struck:
            with pytest.raises(ConnectionClosed) as caught:
                await client.next()
            assert caught.value.rcvd is None
        for client in {seen.client, seen.other} - set(struck):
            assert await client.balances()


async def test_faults_from_the_start_wait_for_an_answer(tmp_path):
    """Nobody is there to be cut off yet: the first answer comes, then the end."""
    async with Watched(tmp_path, faults=(Order(name="cut"),)) as seen:
        assert await seen.client.balances()
        await read_to_the_close(seen.client.socket)
        async with HercleClient(seen.sandbox.url, KEY) as client:
            assert await client.balances()


async def test_a_stop_ends_what_is_on(tmp_path):
    """However deaf and slow the venue is; the journal says that it ended."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("slow", delay_seconds=3_600)
        seen.sandbox.order("deaf", user="küche")
        await seen.client.invoke("me", invocation_id="7")
        await (await seen.client.socket.ping())
        async with asyncio.timeout(5):
            await asyncio.gather(
                seen.sandbox.stop(), seen.client.rest(), read_to_the_close(seen.other.socket)
            )
        ended = [line["fault"] for line in journal_lines(seen.path) if line.get("on") is False]
        assert ended == ["slow", "deaf"]
