"""The faults that both venues have by the same words, as an outside client sees them."""

import asyncio
import json
import socket
import time
from decimal import Decimal

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headroom.local.sandbox import HercleConfig, HercleSandbox, SfoxConfig, SfoxSandbox
from headroom.local.sandbox.faults import HERCLE, SFOX
from tests.headroom.local.sandbox.clients import (
    HercleClient,
    bearer,
    http,
    journal_lines,
    negotiate,
    sfox_subscribe,
)

KEY = "canary-key"


class Sfox:
    """A simulated sFOX and how an outside client talks to it."""

    def __init__(self, path, **changes):
        self.path = path
        config = SfoxConfig(
            users=2,
            rate_per_second=Decimal(500),
            api_key=KEY,
            journal=path,
            close_seconds=Decimal(1),
            **changes,
        )
        self.sandbox = SfoxSandbox(config)

    async def subscribed(self, **options):
        client = await connect(self.sandbox.url, max_size=None, close_timeout=0.1, **options)
        await sfox_subscribe(client, KEY)
        return client

    async def told(self, client):
        return (await client.recv()).encode()


class Hercle:
    """A simulated Hercle, its first key's client, and questions."""

    def __init__(self, path, **changes):
        self.path = path
        config = HercleConfig(
            keys={KEY: "user-1"},
            rate_per_second=Decimal(0),
            journal=path,
            close_seconds=Decimal(1),
            **changes,
        )
        self.sandbox = HercleSandbox(config)

    async def subscribed(self, **options):
        token = (await negotiate(self.sandbox.url, KEY))["connectionToken"]
        url = self.sandbox.url.replace("http", "ws", 1)
        client = await connect(
            f"{url}?id={token}", additional_headers=bearer(KEY), max_size=None, **options
        )
        await client.send('{"protocol":"json","version":1}\x1e')
        await client.recv()
        return client

    async def told(self, client):
        ask = {"type": 1, "target": "GetBalances", "arguments": ["me"]}
        await client.send(json.dumps(ask) + "\x1e")
        while True:
            text = await client.recv()
            if "account.balances.snapshot" in text:
                return text.encode()


VENUES = {"sfox": Sfox, "hercle": Hercle}


@pytest.fixture(params=VENUES)
async def venue(request, tmp_path):
    made = VENUES[request.param](tmp_path / "journal")
    async with made.sandbox:
        yield made


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def well(venue):
    """Who comes now is served."""
    async with asyncio.timeout(10):
        client = await venue.subscribed()
        assert await venue.told(client)
        await client.close()


async def left(client, ask=None):
    """Read to the end, or ask; what the venue closed with, None where it did not."""
    try:
        async with asyncio.timeout(10):
            while True:
                await (ask(client) if ask else client.recv())
    except ConnectionClosed as closed:
        return closed.rcvd


def refused_by(venue):
    """Whether the port takes nobody."""
    port = venue.sandbox._door.port
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) != 0


def test_the_words_are_the_same_at_both():
    """What one venue can be ordered to do to a line, the other can."""
    shared = {"cut", "close", "cut-inside", "refuse", "half-open", "silence", "dribble", "flood"}
    shared |= {"large", "unavailable", "too-many-requests", "certificate"}
    assert shared <= SFOX.keys() & HERCLE.keys()
    assert all(SFOX[name].does == HERCLE[name].does for name in shared)


@pytest.mark.parametrize("code", [None, 1001, 1012, 1013, 4000, 4999])
async def test_a_close_has_the_code_that_was_ordered(venue, code):
    client = await venue.subscribed()
    await venue.told(client)
    venue.sandbox.order("close", code=code)
    closed = await left(client)
    assert closed.code == (code or 1001)
    await well(venue)


async def test_a_frame_is_cut_inside_and_stands_in_no_journal(venue):
    """The client's library has read the head of a frame that never ends."""
    client = await venue.subscribed()
    await venue.told(client)
    venue.sandbox.order("cut-inside")
    assert await left(client, venue.told) is None
    await well(venue)
    frames = [line for line in journal_lines(venue.path) if "frame" in line]
    assert venue.sandbox.frames_sent == len(frames)


async def test_a_port_that_refuses_is_kept_and_open_again_afterwards(venue):
    """Nobody gets a connection, nobody else gets the port."""
    client = await venue.subscribed()
    venue.sandbox.order("refuse")
    assert await left(client) is None
    assert refused_by(venue)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", venue.sandbox._door.port))
    venue.sandbox.clear("refuse")
    await until(lambda: not refused_by(venue))
    await well(venue)


async def test_a_half_open_line_answers_no_ping_and_new_ones_work(venue):
    """The connection stays for as long as the fault is on."""
    client = await venue.subscribed(ping_interval=None)
    await venue.told(client)
    venue.sandbox.order("half-open")
    sent = venue.sandbox.frames_sent
    pong = await client.ping()
    await well(venue)
    assert not pong.done()
    assert venue.sandbox.frames_sent > sent
    venue.sandbox.clear("half-open")
    async with asyncio.timeout(10):
        await pong


async def test_a_silent_venue_says_nothing_to_anybody_and_counts_nothing_as_sent(venue):
    """Its connections stand, and are as they were when it speaks again."""
    client = await venue.subscribed(ping_interval=None)
    await venue.told(client)
    venue.sandbox.order("silence")
    sent = venue.sandbox.frames_sent
    pong = await client.ping()
    if isinstance(venue, Hercle):
        # Whose connection it is, it knows only after the request.
        port = venue.sandbox._door.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = venue.sandbox.url.partition(str(port))[2]
        writer.write(
            f"POST {path}/negotiate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            f"Authorization: Bearer {KEY}\r\n\r\n".encode()
        )
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.sandbox._door.port)
        writer.write(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await reader.read(1)
    writer.close()
    assert not pong.done()
    assert venue.sandbox.frames_sent == sent
    venue.sandbox.clear("silence")
    async with asyncio.timeout(10):
        await (await client.ping())
        assert await venue.told(client)


async def test_a_dribble_is_slow_and_whole(venue):
    """Small pieces, nothing lost, and the rest at once when it is over."""
    client = await venue.subscribed(ping_interval=None)
    await venue.told(client)
    venue.sandbox.order("dribble", rate=40)
    asking = asyncio.create_task(venue.told(client))
    await until(lambda: any(each._waiting for each in venue.sandbox._line._connections))
    venue.sandbox.clear("dribble")
    async with asyncio.timeout(10):
        assert await asking
        assert await venue.told(client)
    texts = [line["frame"] for line in journal_lines(venue.path) if "frame" in line]
    assert len(texts) == venue.sandbox.frames_sent
    await client.close()


async def test_a_flood_is_numbered_and_in_the_journal(venue):
    """Each frame is another one, and each that came was counted."""
    client = await venue.subscribed(max_queue=None)
    await venue.told(client)
    before = venue.sandbox.frames_sent
    venue.sandbox.order("flood", rate=2_000)
    seen = set()
    async with asyncio.timeout(20):
        while len(seen) < 400:
            seen.add(await client.recv())
    venue.sandbox.clear("flood")
    lines = [line for line in journal_lines(venue.path) if line.get("fault") == "flood"]
    floods = [line["frame"] for line in lines if "frame" in line]
    assert len(floods) == len(set(floods)) >= 100
    assert venue.sandbox.frames_sent - before >= len(floods)
    await client.close()


@pytest.mark.parametrize("megabytes", [None, 2])
async def test_a_large_frame_is_json_of_that_size(venue, megabytes):
    """With one field more, once."""
    client = await venue.subscribed()
    venue.sandbox.order("large", megabytes=megabytes)
    size = 0
    async with asyncio.timeout(20):
        while size < 1_000_000:
            told = await venue.told(client)
            size = len(told)
    assert size > (megabytes or 10) * 1_000_000
    assert json.loads(told.rstrip(b"\x1e"))["padding"]
    assert len(await venue.told(client)) < 1_000_000
    await client.close()


@pytest.mark.parametrize(("name", "status"), [("unavailable", 503), ("too-many-requests", 429)])
async def test_who_comes_too_soon_is_told_when_to_come_again(venue, name, status):
    """`Retry-After` is the seconds of the fault, or what the order says."""
    client = await venue.subscribed()
    for order, said in (({}, "30"), ({"delay_seconds": 7}, "7")):
        venue.sandbox.order(name, **order)
        await left(client) if not client.close_code else None
        assert await away(venue) == (status, said)
    venue.sandbox.clear(name)
    await well(venue)


async def away(venue):
    """The status and `Retry-After` of the first request."""
    if isinstance(venue, Sfox):
        with pytest.raises(InvalidStatus) as refused:
            await venue.subscribed()
        response = refused.value.response
        return response.status_code, response.headers["Retry-After"]
    url = f"{venue.sandbox.url}/negotiate?negotiateVersion=1"
    status, headers = await http(url, "POST", bearer(KEY), head=True)
    return status, headers["retry-after"]


async def test_a_fault_of_one_user_of_hercle_s_leaves_the_others_alone(tmp_path):
    """Each has a line of its own."""
    keys = {KEY: "user-1", "other": "user-2"}
    async with (
        HercleSandbox(HercleConfig(keys=keys, journal=tmp_path / "j")) as sandbox,
        HercleClient(sandbox.url, "other") as other,
    ):
        for name in ("silence", "half-open", "dribble"):
            sandbox.order(name)
            assert await other.balances()
        sandbox.order("refuse")
        assert await left(other.socket) is None


async def test_the_time_that_a_flood_takes_is_the_sandbox_s_own():
    """Clock and sleep are passed in."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(min(seconds, 0.01))

    config = SfoxConfig(users=1, api_key=KEY, rate_per_second=Decimal(1), close_seconds=Decimal(1))
    sandbox = SfoxSandbox(config, sleep=sleep, monotonic_ns=time.monotonic_ns)
    async with sandbox, connect(sandbox.url, close_timeout=0.1) as client:
        await sfox_subscribe(client, KEY)
        sandbox.order("flood", rate=1_000)
        await until(lambda: sandbox.frames_sent > 20)
        assert 0.01 in slept
