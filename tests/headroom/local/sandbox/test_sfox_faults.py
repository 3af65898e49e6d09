"""What an outside client sees of each fault that the simulated sFOX can be ordered to have."""

import json
from decimal import Decimal

import pytest
from websockets.asyncio.client import connect

from headroom.local.sandbox import Order, SfoxConfig, SfoxSandbox
from headroom.local.sandbox.faults import SFOX
from headroom.local.sandbox.sfox_session import updates_of
from tests.headroom.local.sandbox.clients import (
    FEED,
    journal_lines,
    read_to_the_close,
    sfox_ask,
    sfox_subscribe,
)

KEY = "canary-sfox"


class Watched:
    """A sandbox with a journal and a subscribed client; `async with` gives both."""

    def __init__(self, tmp_path, **changes):
        values = {"users": 3, "rate_per_second": Decimal(2_000), "api_key": KEY}
        self.path = tmp_path / "journal"
        self.sandbox = SfoxSandbox(SfoxConfig(**(values | changes), journal=self.path))

    async def __aenter__(self):
        await self.sandbox.__aenter__()
        self.client = await self.subscribed()
        return self

    async def __aexit__(self, *exception):
        await self.client.close()
        await self.sandbox.__aexit__(*exception)

    async def subscribed(self):
        client = await connect(self.sandbox.url)
        await sfox_subscribe(client, KEY)
        return client

    async def next(self):
        return json.loads(await self.client.recv())

    async def until(self, wanted):
        """The frames up to the first that is wanted, that one with them."""
        frames = [await self.next()]
        while not wanted(frames[-1]):
            frames.append(await self.next())
        return frames

    def faults(self):
        """The lines that tell of faults, as (name, on)."""
        return [(line["fault"], line["on"]) for line in journal_lines(self.path) if "on" in line]

    def frames(self, name):
        """The frames in the journal that a fault made."""
        lines = journal_lines(self.path)
        return [line for line in lines if line.get("fault") == name and "on" not in line]


def amounts(frame):
    return frame["payload"]["updates"]


async def test_a_gap_is_a_number_that_is_left_out_and_a_frame_that_was_never_sent(tmp_path):
    """What is withheld stands in no journal."""
    async with Watched(tmp_path) as seen:
        await seen.next()
        seen.sandbox.order("gap")
        sequences = [frame["sequence"] for frame in [await seen.next() for _ in range(50)]]
        assert set(range(sequences[0], sequences[-1])) - set(sequences)
        assert len(set(range(sequences[0], sequences[-1])) - set(sequences)) == 1
        assert seen.faults() == [("gap", True), ("gap", False)]
    assert [line["sequence"] for line in journal_lines(seen.path) if "frame" in line][:50]


async def test_a_wrong_order_is_of_one_account_and_each_frame_another_balance(tmp_path):
    """n, n + 2, n + 1; the time of what is sent last is the last."""
    async with Watched(tmp_path) as seen:
        await seen.next()
        seen.sandbox.order("wrong-order", user="user-0002")
        last = 0
        frames = []
        while not frames or frames[-1]["sequence"] > last:
            last = frames[-1]["sequence"] if frames else 0
            frames.append(await seen.next())
        first, newest, late = frames[-3:]
        n = first["sequence"]
        assert [newest["sequence"], late["sequence"]] == [n + 2, n + 1]
        assert {frame["payload"]["user_id"] for frame in (first, newest, late)} == {"user-0002"}
        assert amounts(first) != amounts(late) != amounts(newest) != amounts(first)
        assert late["timestamp"] >= newest["timestamp"] >= first["timestamp"]
        assert (await seen.next())["sequence"] == n + 3
        assert [line["sequence"] for line in seen.frames("wrong-order")] == [n, n + 2, n + 1]


async def test_a_duplicate_is_the_same_frame_twice_in_a_row(tmp_path):
    """Byte for byte, and twice in the journal."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("duplicate", times=2)
        await seen.until(lambda _: len(seen.frames("duplicate")) == 4)
        one, two, three, four = (line["frame"] for line in seen.frames("duplicate"))
        assert (one, three) == (two, four)
        assert one != three


@pytest.mark.parametrize(("name", "timed"), [("counts-anew", True), ("counts-anew-untimed", False)])
async def test_the_sequence_begins_again_on_the_open_connection(tmp_path, name, timed):
    """From 1 and on, while the time goes on, or is not there."""
    async with Watched(tmp_path) as seen:
        before = [await seen.next() for _ in range(5)]
        seen.sandbox.order(name)
        again = (await seen.until(lambda frame: frame["sequence"] == 1))[-1]
        assert (again["sequence"], "timestamp" in again) == (1, timed)
        after = [await seen.next() for _ in range(4)]
        assert [frame["sequence"] for frame in after] == [2, 3, 4, 5]
        if timed:
            assert again["timestamp"] >= before[-1]["timestamp"]
        else:
            assert not any("timestamp" in frame for frame in after)
            seen.sandbox.clear(name)
            last = (await seen.until(lambda frame: "timestamp" in frame))[-1]
            assert last["sequence"] > 5


@pytest.mark.parametrize(
    ("name", "action"), [("session-ended", "authenticate"), ("subscription-ended", "subscribe")]
)
async def test_what_has_ended_is_said_and_then_there_are_only_pongs(tmp_path, name, action):
    """The connection stays, without data; who asks again is served again."""
    async with Watched(tmp_path) as seen:
        await seen.next()
        seen.sandbox.order(name)
        said = (await seen.until(lambda message: "type" in message))[-1]
        assert (said["type"], said["action"], said["payload"]) == (
            "error",
            action,
            {"action": action},
        )
        before = seen.sandbox.frames_sent
        for _ in range(20):
            await (await seen.client.ping())
        assert seen.sandbox.frames_sent == before
        answer = await sfox_ask(seen.client, type="subscribe", feeds=[FEED])
        assert answer["type"] == ("error" if name == "session-ended" else "success")
        if name == "session-ended":
            await sfox_subscribe(seen.client, KEY)
        assert FEED in await seen.client.recv()


async def test_authentication_fails_as_often_as_was_ordered_and_then_is_well(tmp_path):
    """The documented error: neither text nor code. The connection before it is cut."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("auth-error", times=2)
        await read_to_the_close(seen.client)
        kinds = []
        for _ in range(3):
            async with connect(seen.sandbox.url) as client:
                answer = await sfox_ask(client, type="authenticate", apiKey=KEY, enterprise=True)
                assert list(answer) == ["type", "sequence", "timestamp", "payload", "action"]
                kinds.append(answer["type"])
        assert kinds == ["error", "error", "success"]
        assert seen.faults() == [("auth-error", True), ("auth-error", False)]


async def test_a_block_refuses_every_request_until_it_is_over(tmp_path):
    """For its time, or until it is turned off."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("auth-blocked")
        await read_to_the_close(seen.client)
        async with connect(seen.sandbox.url) as client:
            for _ in range(3):
                answer = await sfox_ask(client, type="authenticate", apiKey=KEY, enterprise=True)
                assert answer["type"] == "error"
            seen.sandbox.clear("auth-blocked")
            await sfox_subscribe(client, KEY)


async def test_what_changes_while_away_is_not_told_until_it_changes_again(tmp_path):
    """The connection is cut, one account moves, and only the others are heard afterwards."""
    async with Watched(tmp_path) as seen:
        frames = [await seen.next() for _ in range(20)]
        seen.sandbox.order("missed-while-away", user="user-0001")
        frames += [json.loads(text) for text in await read_to_the_close(seen.client)]
        old = [frame for frame in frames if frame["payload"]["user_id"] == "user-0001"][-1]
        account = seen.sandbox._market.accounts[0]  # What nobody is told can be seen in here only.
        unseen = json.loads(f"[{', '.join(updates_of(account))}]")
        assert unseen != amounts(old)
        seen.client = await seen.subscribed()
        silent = [await seen.next() for _ in range(40)]
        assert {frame["payload"]["user_id"] for frame in silent} == {"user-0002", "user-0003"}
        seen.sandbox.clear("missed-while-away")
        told = await seen.until(lambda frame: frame["payload"]["user_id"] == "user-0001")
        assert amounts(told[-1]) != unseen


@pytest.mark.parametrize("name", ["web3-entry", "web3-in-place", "held-number", "null-wallet"])
async def test_an_entry_is_of_another_kind_or_has_another_type(tmp_path, name):
    """The rest of the frame is as ever, and its user can be read."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order(name, user="user-0003")
        await seen.until(lambda _: len(seen.frames(name)) == 2)
        for line in seen.frames(name):
            assert line["account"] == "user-0003"
            entries = amounts(json.loads(line["frame"]))
            if name.startswith("web3"):
                odd = entries[-1 if name == "web3-entry" else 0]
                assert set(odd) == {"currency", "balance", "address", "network", "type"}
            elif name == "held-number":
                assert entries[0]["held"] == 0
            else:
                assert entries[0]["trading_wallet"] is None
            assert all(isinstance(each["held"], str) for each in entries[1:-1])


async def test_a_key_in_a_close_and_in_a_message(tmp_path):
    """The reason is the venue's words, cut to what a close may hold."""
    async with Watched(tmp_path) as seen:
        await seen.next()
        seen.sandbox.order("key-in-message")
        said = (await seen.until(lambda message: "notice" in message))[-1]
        assert said == {"notice": f"api key {KEY} has expired"}
        assert json.loads(seen.frames("key-in-message")[0]["frame"]) == said
        seen.sandbox.order("key-in-close")
        await read_to_the_close(seen.client)
        assert seen.client.close_code == 1008
        assert seen.client.close_reason == f"api key {KEY} has expired"


async def test_a_cut_is_a_reset_and_what_was_sent_before_has_arrived(tmp_path):
    """So that a journal's frames are never lost by it."""
    async with Watched(tmp_path) as seen:
        read = [await seen.client.recv()]
        seen.sandbox.order("cut")
        read += await read_to_the_close(seen.client)
        assert seen.client.protocol.close_rcvd is None
        assert read == [line["frame"] for line in journal_lines(seen.path) if "frame" in line]


async def test_faults_from_the_start_wait_for_a_frame(tmp_path):
    """Nobody is there to be cut off yet: the first frame comes, then the end."""
    async with Watched(tmp_path, faults=(Order(name="cut"),)) as seen:
        assert len(await read_to_the_close(seen.client)) == 1
        seen.client = await seen.subscribed()
        await seen.next()


async def test_a_fault_is_over_after_its_time(tmp_path):
    """`seconds` is how long it is on, and then as many frames are hit as come."""
    async with Watched(tmp_path) as seen:
        seen.sandbox.order("null-wallet", seconds=Decimal("0.05"))
        while len(seen.faults()) < 2:
            await seen.next()
        hit = len(seen.frames("null-wallet"))
        assert hit > 1
        assert seen.faults() == [("null-wallet", True), ("null-wallet", False)]


def test_the_names_are_those_of_the_page():
    """Each has a sentence, a kind, and a place where the tests above order it."""
    assert all(fault.does and 0 <= fault.kind <= 10 for fault in SFOX.values())
