"""Node's `ws` at our simulated sFOX: messages, pongs and closes are what others take them for."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from headroom.local.sandbox import SfoxConfig, SfoxSandbox
from tests.headroom.local.sandbox.clients import journal_lines
from tests.interop import peers
from tests.interop.stranger import running

pytestmark = pytest.mark.skipif(bool(peers.node_missing()), reason=f"{peers.node_missing()}")
KEY = "canary-key"
COMMAND = ["node", peers.HERE / "socket.js"]


def sandbox(tmp_path: Path, rate: int = 500) -> SfoxSandbox:
    config = SfoxConfig(
        users=25, rate_per_second=Decimal(rate), api_key=KEY, journal=tmp_path / "journal"
    )
    return SfoxSandbox(config)


async def test_every_frame_arrives_as_text_as_it_stands_in_the_journal(tmp_path: Path) -> None:
    """Answers first, then frames, numbered without a gap; 25 users have odd names among them."""
    async with sandbox(tmp_path) as venue:
        command = [*COMMAND, venue.url, KEY]
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            for _ in range(102):
                await client.next("text")
            await client.tell("stop")
            closed = await client.next("closed")
    assert closed[1] == 1000
    kinds = {line[0] for line in client.seen}
    assert kinds == {"text", "closed"}
    texts = [line[1] for line in client.seen if line[0] == "text"]
    journal = [line["frame"] for line in journal_lines(tmp_path / "journal")]
    assert texts[2:] == journal[: len(texts) - 2]
    assert [json.loads(text)["sequence"] for text in texts] == list(range(1, len(texts) + 1))


@pytest.mark.parametrize(("name", "code"), [("close", 4001), ("cut", 1006), ("cut-inside", 1006)])
async def test_how_it_ends_is_what_the_client_is_told(tmp_path: Path, name: str, code: int) -> None:
    async with sandbox(tmp_path) as venue:
        command = [*COMMAND, venue.url, KEY]
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            await client.next("text")
            venue.order(name, code=4001)
            closed = await client.next("closed")
            await client.ended()
    assert closed[1] == code


async def test_a_silent_line_answers_no_ping(tmp_path: Path) -> None:
    """And answers it when it is over; whoever pings can tell a silent line from a quiet feed."""
    async with sandbox(tmp_path, rate=1) as venue:
        command = [*COMMAND, venue.url, KEY]
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            await client.next("text")
            await client.tell("ping")
            await client.next("pong")
            venue.order("half-open")
            await client.tell("ping")
            venue.clear("half-open")
            await client.next("pong")


async def test_a_wrong_key_and_a_venue_that_is_busy(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as venue:
        command = [*COMMAND, venue.url, "wrong"]
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            answer = await client.next("text")
            assert json.loads(answer[1])["type"] == "error"
        venue.order("too-many-requests")
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            error = await client.next("error")
    assert "429" in error[1]
