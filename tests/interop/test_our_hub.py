"""Other people's SignalR clients at our simulated Hercle: what it says, they understand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headroom.local.sandbox import HercleConfig, HercleSandbox
from tests.headroom.local.sandbox.clients import journal_lines
from tests.interop import peers
from tests.interop.stranger import Stranger, running
from tests.producers.worlds import until

KEY = "canary-key"


class Client(msgspec.Struct, frozen=True):
    """How a client is started, why it may not be here, and what it does its own way."""

    name: str
    command: tuple[Any, ...]
    folder: Path
    missing: str | None
    leaves: bool = True
    """Whether it closes its connection soon after it was told to; signalrcore's takes 15 s."""

    def __str__(self) -> str:
        return self.name


def clients() -> list[Any]:
    java = peers.java_missing()
    found = [
        Client(
            "@microsoft/signalr",
            ("node", peers.HERE / "official.js"),
            peers.NODE_HOME,
            peers.node_missing(),
        ),
        Client(
            "com.microsoft.signalr",
            () if java else tuple(peers.java_command()),
            peers.HERE,
            java,
        ),
        Client(
            "pysignalr",
            (peers.PYTHON, peers.HERE / "modern.py"),
            peers.HERE,
            peers.python_missing(),
        ),
        Client(
            "signalrcore",
            (peers.PYTHON, peers.HERE / "core.py"),
            peers.HERE,
            peers.python_missing(),
            leaves=False,
        ),
    ]
    return [
        pytest.param(
            each,
            id=each.name,
            marks=pytest.mark.skipif(bool(each.missing), reason=f"{each.missing}"),
        )
        for each in found
    ]


class Scene:
    """A hub of one user, with its journal, and a client that has connected."""

    def __init__(self, sandbox: HercleSandbox, client: Stranger, journal: Path) -> None:
        self.sandbox = sandbox
        self.client = client
        self.journal = journal

    def last_frame(self) -> dict[str, Any]:
        """The envelope in the newest frame of the journal."""
        frames = [line["frame"] for line in journal_lines(self.journal) if "frame" in line]
        (envelope,) = json.loads(frames[-1])["arguments"]
        return envelope


@asynccontextmanager
async def scene(
    client: Client, tmp_path: Path, *words: str, **changes: Any
) -> AsyncIterator[Scene]:
    journal = tmp_path / "journal"
    settings = {"keys": {KEY: "küche-🙂"}, "rate_per_second": Decimal(0), "journal": journal}
    async with HercleSandbox(HercleConfig(**(settings | changes))) as sandbox:
        command = [*client.command, sandbox.url, KEY, *words]
        async with running(command, client.folder, tmp_path / "log") as stranger:
            await stranger.next("open")
            yield Scene(sandbox, stranger, journal)


@pytest.mark.parametrize("client", clients())
async def test_balances_arrive_as_they_were_sent(client: Client, tmp_path: Path) -> None:
    """Every question has its event and its completion; `data` is the text to the last digit."""
    async with scene(client, tmp_path) as its:
        for number in range(1, 6):
            await its.client.tell("ask", "me")
            event = await balances(its.client)
            assert event == its.last_frame()
            assert json.loads(event["data"])["userId"] == "küche-🙂"
            assert event["clientId"] == "me"
            # One client hands the two over in two threads, in any order.
            await its.client.saw("result", number)
            assert its.sandbox.frames_sent == number
            its.sandbox._world.move("küche-🙂")
        assert its.sandbox.connections == 1
        assert its.sandbox.refused == 0
        if client.leaves:
            await its.client.tell("stop", None)
            await until(lambda: not its.sandbox._connected)


async def balances(client: Stranger) -> dict[str, Any]:
    line = await client.until(
        lambda line: line[0] == "event" and line[1]["subject"] == "account.balances.snapshot"
    )
    event: dict[str, Any] = line[1]
    return event


@pytest.mark.parametrize("client", clients())
async def test_what_cannot_be_called_is_said_in_the_completion(
    client: Client, tmp_path: Path
) -> None:
    """And the connection goes on."""
    async with scene(client, tmp_path) as its:
        await its.client.tell("call", "Nothing")
        failed = await its.client.next("failed")
        assert failed[1] == "Unknown hub method 'Nothing'"
        await its.client.tell("ask", "x" * 37)
        event = await its.client.next("event")
        assert event[1]["subject"] == "preChecksError"
        await its.client.tell("ask", "me")
        assert await balances(its.client)


@pytest.mark.parametrize("client", clients())
async def test_a_hub_s_goodbye_is_the_end_for_who_does_not_come_again(
    client: Client, tmp_path: Path
) -> None:
    async with scene(client, tmp_path) as its:
        its.sandbox.order("goodbye")
        await its.client.next("closed")


OFFICIAL = [each for each in clients() if each.id == "@microsoft/signalr"]


@pytest.mark.parametrize("client", OFFICIAL)
@pytest.mark.parametrize("name", ["goodbye-return", "close", "cut", "cut-inside"])
async def test_microsoft_s_client_comes_again_where_ours_does(
    client: Client, tmp_path: Path, name: str
) -> None:
    """After a goodbye that wants it back, and after losses without a word."""
    async with scene(client, tmp_path, "again") as its:
        its.sandbox.order(name)
        if name == "cut-inside":
            await its.client.tell("ask", "me")
        await its.client.next("reconnected")
        await its.client.tell("ask", "me")
        assert await balances(its.client)
        assert its.sandbox.connections == 2


@pytest.mark.parametrize("client", OFFICIAL)
async def test_microsoft_s_client_stays_away_after_a_goodbye_without_a_wish(
    client: Client, tmp_path: Path
) -> None:
    """There our producer waits long, since it has nobody to start it again."""
    async with scene(client, tmp_path, "again") as its:
        its.sandbox.order("goodbye")
        await its.client.next("closed")
        assert ["reconnecting"] not in its.client.seen
        assert its.sandbox.connections == 1


@pytest.mark.parametrize("client", OFFICIAL)
async def test_a_redirect_and_its_token_are_followed(client: Client, tmp_path: Path) -> None:
    """Our admission's redirect is one that Microsoft's client can follow."""
    async with scene(client, tmp_path, "again") as its:
        its.sandbox.order("redirect")
        await its.client.next("reconnected")
        await its.client.tell("ask", "me")
        assert await balances(its.client)


@pytest.mark.parametrize("client", OFFICIAL)
async def test_a_key_that_is_wrong_is_not_let_in(client: Client, tmp_path: Path) -> None:
    async with HercleSandbox(HercleConfig(keys={KEY: "u"})) as sandbox:
        command = [*client.command, sandbox.url, "wrong"]
        async with running(command, client.folder, tmp_path / "log") as stranger:
            (_, words) = await stranger.next("not opened")
    assert "401" in words
