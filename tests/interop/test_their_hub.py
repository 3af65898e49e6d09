"""Our producer at a SignalR hub that is not ours: aiosignalr's server."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from producers.hercle import HercleLine, HercleSettings
from producers.outcomes import Kind, ReconnectReason
from schemas.secrets import Secret
from tests.interop import peers
from tests.interop.stranger import running
from tests.producers.worlds import CANARY, Given, until
from tests.producers.worlds import running as feeding

pytestmark = pytest.mark.skipif(bool(peers.python_missing()), reason=f"{peers.python_missing()}")


async def test_balances_come_from_it_and_it_is_asked_again_after_it_has_closed(
    tmp_path: Path,
) -> None:
    """It writes JSON into binary messages; what it says is kept as it came. It closes with 1012."""
    command: list[object] = [peers.PYTHON, peers.HERE / "hub.py", CANARY]
    async with running(command, peers.HERE, tmp_path / "log") as hub:
        port = int(await hub.line())
        settings = HercleSettings(
            api_keys=(Secret(CANARY),),
            client_id="me",
            url=f"http://127.0.0.1:{port}/hub",
            poll_seconds=Decimal("0.05"),
        )
        given = Given(HercleLine(settings, 1))
        async with feeding(given):
            await given.published.until(9)
            status = given.feed.status()
            assert status.state == "connected"
            assert status.accounts == ["mine"]
            await until(lambda: given.feed.status().doubt is None)
    told = [
        json.loads(json.loads(frame)["arguments"][0]["data"]) for frame in given.published.frames
    ]
    sequences = [each["sequence"] for each in told]
    assert sequences == list(range(1, len(told) + 1))
    assert {key for _, key, _ in given.published.records} == {b"mine"}
    assert given.feed.reconnects[ReconnectReason.CLOSED_BY_VENUE] >= 1
    assert given.feed.counted[Kind.ERROR] == 0
    assert 5 <= given.slept[0] <= 30
