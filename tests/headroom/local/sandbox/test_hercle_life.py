"""The simulated Hercle as a server: what it writes down, how it ends, and what it never logs."""

import asyncio
import json
import logging
import re
import socket
from decimal import Decimal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from headroom.local.sandbox import HercleConfig, HercleSandbox, announced, hercle_keys
from tests.headroom.local.sandbox.clients import HercleClient, journal_lines
from tests.headroom.local.sandbox.test_hercle import KEY, KEYS, config, data_of


async def test_a_client_that_reads_to_the_close_has_read_the_journal(tmp_path):
    """`stop()` closes with 1001 after everything that was sent; every byte is in the journal."""
    path = tmp_path / "journal"
    settings = config(journal=path, rate_per_second=Decimal(5_000))
    async with HercleSandbox(settings) as sandbox, HercleClient(sandbox.url, KEY) as client:
        asked = 1_000
        for number in range(asked):
            await client.invoke("me", invocation_id=str(number))
        # Nobody reads meanwhile, and the venue may stop before it has answered everything.
        while sandbox.frames_sent < asked // 2:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(sandbox.stop())
        messages = await client.rest()
        await stopping
        assert client.socket.close_code == 1001
        assert json.loads(messages[-1]) == {"type": 7, "allowReconnect": True}
    frames = [message for message in messages if '"account.balances.snapshot"' in message]
    lines = journal_lines(path)
    assert [line["frame"] for line in lines] == frames
    assert len(lines) == sandbox.frames_sent >= asked // 2
    for line in lines:
        assert (line["venue"], line["account"]) == ("hercle", "user-123")
        assert str(line["sequence"]) == data_of(line["frame"])["sequence"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["sent_time"])


async def test_any_text_and_any_bytes_can_be_sent(tmp_path):
    """To all or to one user's connections; the 0x1E is put behind, and the journal tells."""
    path = tmp_path / "journal"
    async with HercleSandbox(config(journal=path)) as sandbox:
        one, two = (HercleClient(sandbox.url, key) for key in KEYS)
        async with one, two:
            assert await sandbox.inject('{"cut": ') == 2
            assert await sandbox.inject(b"\xff", user_id="user-123") == 1
            assert await one.next() == await two.next() == '{"cut": '
            assert await one.socket.recv() == b"\xff\x1e"
    lines = journal_lines(path)
    assert [line["frame"] for line in lines] == ['{"cut": ', '{"cut": ', None]
    assert all(line["injected"] for line in lines)


async def test_connections_end_on_demand_and_new_ones_are_welcome():
    """A proper close with 1001, a reset with none, and the venue listens on."""
    async with HercleSandbox(config()) as sandbox:
        async with HercleClient(sandbox.url, KEY) as client:
            ending = asyncio.create_task(sandbox.disconnect_all())
            await client.rest()
            await ending
            assert client.socket.close_code == 1001
        async with HercleClient(sandbox.url, KEY) as client:
            sandbox.abort_all()
            with pytest.raises(ConnectionClosed) as caught:
                await client.next()
            assert caught.value.rcvd is None
        async with HercleClient(sandbox.url, KEY) as client:
            assert await client.balances()
        assert sandbox.connections == 3


async def test_derived_keys_serve_as_many_users_as_asked_for():
    """Without a list of keys, `users` and `base_key` make one."""
    settings = HercleConfig(users=3, base_key="base", rate_per_second=Decimal(0))
    async with HercleSandbox(settings) as sandbox:
        for key, user_id in hercle_keys("base", 3).items():
            async with HercleClient(sandbox.url, key) as client:
                assert data_of(await client.balances())["userId"] == user_id


async def test_a_taken_port_and_an_impossible_journal_are_said(tmp_path):
    """Both are an OSError, and a refused start leaves nothing open."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        async with HercleSandbox(config(port=taken.getsockname()[1])):
            pass
    with pytest.raises(OSError, match="No such file"):
        async with HercleSandbox(config(journal=tmp_path / "no" / "journal")):
            pass


async def test_the_runner_announces_runs_and_reports():
    """`announced` tells the URL, runs until it is told to stop, and says what it did."""
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        announced(HercleSandbox(config()), stop=stop, announce=url.set_result)
    )
    async with HercleClient(await url, KEY) as client:
        await client.balances()
        stop.set()
        await client.rest()
    report = await running
    assert (report.venue, report.frames_sent, report.connections) == ("hercle", 1, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_journal_that_cannot_be_written_ends_the_run():
    """A venue whose journal is not whole would prove nothing."""
    url = asyncio.get_running_loop().create_future()
    settings = config(journal=Path("/dev/full"))
    running = asyncio.create_task(
        announced(HercleSandbox(settings), stop=asyncio.Event(), announce=url.set_result)
    )
    async with HercleClient(await url, KEY) as client:
        await client.invoke("me")
        with pytest.raises(OSError, match="No space left"):
            await running


async def test_no_key_and_no_token_is_logged(caplog):
    """Not even where everything is logged at DEBUG (the test's own client left aside)."""
    caplog.set_level(logging.DEBUG)
    tokens = iter(f"canary-token-{number}" for number in range(10))
    async with (
        HercleSandbox(config(), new_token=lambda: next(tokens)) as sandbox,
        HercleClient(sandbox.url, KEY) as client,
    ):
        await client.balances()
    own = [each for each in caplog.records if each.name != "websockets.client"]
    assert "canary" not in "".join(record.getMessage() for record in own)
