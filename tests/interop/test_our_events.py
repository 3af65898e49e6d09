"""The browsers' EventSource, as Node has it, reads our events and comes back by itself."""

from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.stranger import running
from tests.processors.events.site import Site, serving

pytestmark = pytest.mark.skipif(bool(peers.node_missing()), reason=f"{peers.node_missing()}")


async def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """Its connection breaks; what changed meanwhile is told, and nothing is told anew."""
    site = Site()
    async with serving(site) as url:
        site.rows.put("a", 1)
        script = peers.HERE / "events.js"
        command = ["node", script, f"{url}/v1/events?kind=balances&snapshot=true"]
        async with running(command, peers.NODE_HOME, tmp_path / "log") as client:
            await client.next("current")
            assert [line[0] for line in client.seen] == ["open", "reset", "balances", "current"]
            site.rows.put("b", 1)
            changed = await client.next("balances")
            assert (changed[1]["user"], changed[1]["version"]) == ("sfox:b", 1)
            assert changed[2]
            site.cut()
            await client.next("error")
            site.rows.put("b", 2)
            changed = await client.next("balances")
            assert (changed[1]["user"], changed[1]["version"]) == ("sfox:b", 2)
            assert [line[0] for line in client.seen].count("reset") == 1
