"""aiosignalr's server: a hub that answers `GetBalances` as Hercle's does. Prints its port.

At its fifth question it closes with 1012. `hub.py KEY`: the user is "mine" to who brings that key.
"""

import asyncio
import itertools
import json
import sys

from aiosignalr.server import Hub, SignalRServer

numbers = itertools.count(1)


class Live(Hub):
    """Its methods are what clients can call."""

    async def GetBalances(self, client_id: str) -> None:  # noqa: N802 - the venue's name for it
        asked = next(numbers)
        token = self.context.http_headers.get("authorization")
        user = "mine" if token == f"Bearer {sys.argv[1]}" else "a stranger's"
        asset = {"name": "BTC", "available": asked, "allocated": 0}
        asset |= {"currentExposure": None, "maxExposure": None}
        data = {"userId": user, "sequence": asked, "assets": [asset]}
        data |= {"baseCurrency": None, "totalCurrentExposure": None, "totalMaxExposure": None}
        data |= {"deleted": False}
        await self.clients.caller.send(
            "executionEvents",
            {
                "channel": "account",
                "topic": "balances",
                "subject": "account.balances.snapshot",
                "type": "snapshot",
                "clientId": client_id,
                "data": json.dumps(data),
            },
        )
        if asked == 5:
            await self.close(1012, "a restart")


async def main() -> None:
    server = SignalRServer(Live)
    _, port = await server.serve("127.0.0.1", 0, path="/hub")
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


asyncio.run(main())
