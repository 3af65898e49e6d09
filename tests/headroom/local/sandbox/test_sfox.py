"""The simulated sFOX over real sockets, read by a client that shares nothing with it."""

import asyncio
import json
import logging
import socket
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headroom.local.sandbox import SfoxConfig, SfoxSandbox, announced
from headroom.local.sandbox.config import account_ids
from headroom.local.sandbox.market import SFOX_ASSETS, Market
from headroom.local.sandbox.sfox_session import SfoxSession
from tests.headroom.local.sandbox.clients import (
    FEED,
    journal_lines,
    read_to_the_close,
    sfox_ask,
    sfox_subscribe,
)

KEY = "canary-sfox"
WALLETS = ["trading", "collateral", "borrow", "lending", "staking"]


def config(**changes):
    values = {"users": 5, "rate_per_second": Decimal(2_000), "api_key": KEY}
    return SfoxConfig(**(values | changes))


async def frames_of(client, count):
    return [json.loads(await client.recv()) for _ in range(count)]


async def test_the_conversation_is_the_documented_one():
    """Authenticate, subscribe, data: the fields in their order, one sequence for all of them."""
    async with SfoxSandbox(config(), clock_ns=lambda: 1710367225302228171) as sandbox:
        assert sandbox.url.startswith("ws://127.0.0.1:")
        assert sandbox.url.endswith("/ws")
        async with connect(sandbox.url) as client:
            answer = await sfox_ask(client, type="authenticate", apiKey=KEY, enterprise="true")
            assert answer == {
                "type": "success",
                "sequence": 1,
                "timestamp": 1710367225302228171,
                "payload": {"action": "authenticate"},
                "action": "authenticate",
            }
            answer = await sfox_ask(client, type="subscribe", feeds=[FEED])
            assert (answer["type"], answer["action"], answer["sequence"]) == (
                "success",
                "subscribe",
                2,
            )
            frames = await frames_of(client, 30)
    assert [frame["sequence"] for frame in frames] == list(range(3, 33))
    for frame in frames:
        assert list(frame) == ["sequence", "recipient", "timestamp", "payload"]
        assert frame["recipient"] == FEED
        assert frame["timestamp"] == 1710367225302228171
        assert list(frame["payload"]) == ["user_id", "updates"]
        for update in frame["payload"]["updates"]:
            names = ["currency", "balance", "available", "held"]
            assert list(update) == names + [f"{wallet}_wallet" for wallet in WALLETS]
            assert all(isinstance(value, str) for value in update.values())
            assert update["currency"] == update["currency"].lower()
    # Every user comes once before any comes again.
    first = {frame["payload"]["user_id"] for frame in frames[:5]}
    assert first == {f"user-{number:04}" for number in range(1, 6)}


@pytest.mark.parametrize("enterprise", ["true", True])
async def test_both_documented_forms_of_the_enterprise_flag_are_accepted(enterprise):
    """One page shows the text, another the boolean."""
    async with SfoxSandbox(config()) as sandbox, connect(sandbox.url) as client:
        await sfox_ask(client, type="authenticate", apiKey=KEY, enterprise=enterprise)
        assert (await sfox_ask(client, type="subscribe", feeds=[FEED]))["type"] == "success"


@pytest.mark.parametrize(
    "requests",
    [
        [{"type": "authenticate", "apiKey": "wrong", "enterprise": "true"}],
        [{"type": "authenticate", "enterprise": "true"}],
        [{"type": "authenticate", "apiKey": 1, "enterprise": "true"}],
        [{"type": "subscribe", "feeds": [FEED]}],
        [
            {"type": "authenticate", "apiKey": "wrong", "enterprise": "true"},
            {"type": "subscribe", "feeds": [FEED]},
        ],
        [{"type": "authenticate", "apiKey": KEY}, {"type": "subscribe", "feeds": [FEED]}],
        [
            {"type": "authenticate", "apiKey": KEY, "enterprise": True},
            {"type": "subscribe", "feeds": ["private.enterprise.users.secrets"]},
        ],
    ],
)
async def test_what_is_refused_gets_an_error_and_no_data(requests):
    """A wrong key, no key, no authentication, no enterprise, no such feed."""
    async with SfoxSandbox(config()) as sandbox, connect(sandbox.url) as client:
        answers = [await sfox_ask(client, **request) for request in requests]
        action = requests[-1]["type"]
        assert list(answers[-1]) == ["type", "sequence", "timestamp", "payload", "action"]
        assert answers[-1]["type"] == "error"
        assert answers[-1]["payload"] == {"action": action}
        assert answers[-1]["sequence"] == len(requests)
        # A later answer follows directly: no data came between.
        assert (await sfox_ask(client, type="nonsense"))["action"] == "nonsense"
        assert sandbox.refused >= 2
        assert sandbox.frames_sent == 0


@pytest.mark.parametrize("message", ["", "[]", "{", "null", b"\xff", "[" * 50_000, '{"type": 3}'])
async def test_a_request_that_is_none_is_an_error(message):
    """Whatever comes, the connection goes on."""
    async with SfoxSandbox(config()) as sandbox, connect(sandbox.url) as client:
        await client.send(message)
        answer = json.loads(await client.recv())
        assert (answer["type"], answer["action"]) == ("error", "unknown")
        await sfox_subscribe(client, KEY)


async def test_only_the_documented_path_is_there():
    """Another path is not found."""
    async with SfoxSandbox(config()) as sandbox:
        with pytest.raises(InvalidStatus, match="404"):
            await connect(sandbox.url + "2")


async def test_each_connection_has_a_sequence_of_its_own_and_only_subscribers_get_data():
    """Two subscribers get the same changes with their own sequences, a third one nothing."""
    async with (
        SfoxSandbox(config(rate_per_second=Decimal(200))) as sandbox,
        connect(sandbox.url) as one,
        connect(sandbox.url) as two,
    ):
        await sfox_ask(two, type="nonsense")
        async with connect(sandbox.url) as idle:
            await sfox_subscribe(one, KEY)
            await sfox_subscribe(two, KEY)
            others = await frames_of(two, 20)
            frames = await frames_of(one, 20)
            while frames[-1]["payload"] != others[-1]["payload"]:
                frames += await frames_of(one, 1)
            assert [frame["sequence"] for frame in frames] == list(range(3, len(frames) + 3))
            assert [frame["sequence"] for frame in others] == list(range(4, 24))
            payloads = [frame["payload"] for frame in frames]
            assert all(frame["payload"] in payloads for frame in others)
            await sandbox.stop()
            assert await read_to_the_close(idle) == []


async def test_a_client_that_reads_to_the_close_has_read_the_journal(tmp_path):
    """`stop()` closes with 1001 after everything that was sent; every byte is in the journal."""
    path = tmp_path / "journal"
    settings = config(users=25, rate_per_second=Decimal(20_000), journal=path)
    async with SfoxSandbox(settings) as sandbox, connect(sandbox.url) as client:
        await sfox_subscribe(client, KEY)
        # Nobody reads meanwhile: what was sent fills the buffers on both sides.
        while sandbox.frames_sent < 3_000:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(sandbox.stop())
        texts = await read_to_the_close(client)
        await stopping
        assert client.close_code == 1001
        assert sandbox.producing.cancelled()
    lines = journal_lines(path)
    assert [line["frame"] for line in lines] == texts
    assert len(lines) == sandbox.frames_sent >= 3_000
    for line in lines:
        frame = json.loads(line["frame"])
        assert line["venue"] == "sfox"
        assert line["account"] == frame["payload"]["user_id"]
        assert line["sequence"] == frame["sequence"]
        assert line["sent_time"].endswith("Z")
        assert len(line["sent_time"]) == len("2024-03-13T22:00:25.302228171Z")
    assert len({line["connection"] for line in lines}) == 1
    assert len({line["account"] for line in lines}) == 25


async def test_a_journal_goes_on_and_tells_the_connections_apart(tmp_path):
    """A second run of the venue appends; no connection has the id of another."""
    path = tmp_path / "journal"
    read = []
    for _ in range(2):
        async with SfoxSandbox(config(journal=path)) as sandbox:
            for _ in range(2):
                async with connect(sandbox.url) as client:
                    await sfox_subscribe(client, KEY)
                    read += [await client.recv() for _ in range(3)]
    lines = journal_lines(path)
    assert set(read) <= {line["frame"] for line in lines}
    assert len({line["connection"] for line in lines}) == 4


async def test_after_a_new_subscription_every_user_is_heard_soon():
    """There is no first snapshot: a pass over all users begins, in an order of its own."""
    async with SfoxSandbox(config(users=30)) as sandbox:
        for _ in range(3):
            async with connect(sandbox.url) as client:
                await sfox_subscribe(client, KEY)
                frames = await frames_of(client, 30)
            assert len({frame["payload"]["user_id"] for frame in frames}) == 30


async def test_the_same_seed_sends_the_same_and_another_seed_does_not():
    """Apart from the time, the frames of two runs are equal."""

    async def run(seed):
        async with (
            SfoxSandbox(config(seed=seed, users=30)) as sandbox,
            connect(sandbox.url) as client,
        ):
            await sfox_subscribe(client, KEY)
            return [frame | {"timestamp": 0} for frame in await frames_of(client, 100)]

    assert await run(4) == await run(4)
    assert await run(4) != await run(5)


async def test_any_text_and_any_bytes_can_be_sent(tmp_path):
    """An injected message goes out as it is, to subscribers only, and is told in the journal."""
    path = tmp_path / "journal"
    async with (
        SfoxSandbox(config(rate_per_second=Decimal(0), journal=path)) as sandbox,
        connect(sandbox.url) as client,
        connect(sandbox.url) as idle,
    ):
        await sfox_subscribe(client, KEY)
        assert await sandbox.inject('{"cut": ') == 1
        assert await sandbox.inject(b"\xff\xfe") == 1
        assert await client.recv() == '{"cut": '
        assert await client.recv() == b"\xff\xfe"
        await sandbox.stop()
        assert await read_to_the_close(idle) == []
    text, data = journal_lines(path)
    assert (text["frame"], text["injected"], text["account"]) == ('{"cut": ', True, None)
    assert (data["frame"], data["frame_base64"], data["injected"]) == (None, "//4=", True)


async def test_connections_end_on_demand_and_new_ones_are_welcome():
    """A proper close with 1001, a reset with none, and the venue listens on."""
    async with SfoxSandbox(config()) as sandbox:
        client = await connect(sandbox.url)
        await sfox_subscribe(client, KEY)
        ending = asyncio.create_task(sandbox.disconnect_all())
        await read_to_the_close(client)
        await ending
        assert client.close_code == 1001

        client = await connect(sandbox.url)
        await sfox_subscribe(client, KEY)
        sandbox.abort_all()
        with pytest.raises(ConnectionClosed) as caught:
            await frames_of(client, 1_000_000)
        assert caught.value.rcvd is None
        assert isinstance(caught.value.__cause__, ConnectionResetError)

        async with connect(sandbox.url) as client:
            await sfox_subscribe(client, KEY)
            assert await frames_of(client, 5)
        assert sandbox.connections == 3


async def test_a_client_that_leaves_does_not_disturb_the_others():
    """One goes without a word, the other one's frames go on without a gap."""
    async with SfoxSandbox(config()) as sandbox, connect(sandbox.url) as client:
        other = await connect(sandbox.url)
        await sfox_subscribe(client, KEY)
        await sfox_subscribe(other, KEY)
        other.transport.abort()
        frames = await frames_of(client, 200)
        assert [frame["sequence"] for frame in frames] == list(range(3, 203))
        await other.wait_closed()


async def test_nothing_moves_while_nobody_is_subscribed():
    """The first subscriber finds the market at its beginning."""
    async with (
        SfoxSandbox(config(rate_per_second=Decimal(100_000))) as sandbox,
        connect(sandbox.url) as client,
    ):
        for _ in range(50):
            await sfox_ask(client, type="nonsense")
        assert sandbox.frames_sent == 0
        await sfox_subscribe(client, KEY)
        (frame,) = await frames_of(client, 1)
    market = Market(account_ids(5), Random(1), kinds=SFOX_ASSETS, margin=True)
    market.begin_pass()
    _, expected = SfoxSession(KEY).frame(market.step(), 0)
    assert frame["payload"] == json.loads(expected)["payload"]


async def test_a_taken_port_and_an_impossible_journal_are_said(tmp_path):
    """Both are an OSError, and a refused start leaves nothing open."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        async with SfoxSandbox(config(port=taken.getsockname()[1])):
            pass
    with pytest.raises(OSError, match="No such file"):
        async with SfoxSandbox(config(journal=tmp_path / "no" / "journal")):
            pass


async def test_the_runner_announces_runs_and_reports():
    """`announced` tells the URL, runs until it is told to stop, and says what it did."""
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        announced(SfoxSandbox(config()), stop=stop, announce=url.set_result)
    )
    async with connect(await url) as client:
        await sfox_subscribe(client, KEY)
        await frames_of(client, 5)
        stop.set()
        texts = await read_to_the_close(client)
    report = await running
    assert (report.venue, report.connections, report.refused) == ("sfox", 1, 0)
    assert report.frames_sent == 5 + len(texts)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_journal_that_cannot_be_written_ends_the_run():
    """A venue whose journal is not whole would prove nothing."""
    url = asyncio.get_running_loop().create_future()
    settings = config(journal=Path("/dev/full"))
    running = asyncio.create_task(
        announced(SfoxSandbox(settings), stop=asyncio.Event(), announce=url.set_result)
    )
    async with connect(await url) as client:
        await sfox_subscribe(client, KEY)
        with pytest.raises(OSError, match="No space left"):
            await running


async def test_the_key_is_not_logged(caplog):
    """Not even where everything is logged at DEBUG (the test's own client left aside)."""
    caplog.set_level(logging.DEBUG)
    async with SfoxSandbox(config()) as sandbox, connect(sandbox.url) as client:
        await sfox_subscribe(client, KEY)
        await client.recv()
    own = [each for each in caplog.records if each.name != "websockets.client"]
    assert KEY not in "".join(record.getMessage() for record in own)
    assert KEY not in repr(vars(sandbox)["_config"])
