"""aiosignalr's server: a hub that answers `GetBalances` as Hercle's does. Prints its port."""

import asyncio
import json
import sys

from aiosignalr.server import Hub, SignalRServer

asked = 0


class Live(Hub):
    """Its methods are what clients can call."""

    async def GetBalances(self, client_id: str) -> None:
        global asked
        asked += 1
        token = self.context.http_headers.get("authorization", "")
        asset = {"name": "BTC", "available": asked, "allocated": 0}
        asset |= {"currentExposure": None, "maxExposure": None}
        data = {"userId": token.removeprefix("Bearer "), "sequence": asked, "assets": [asset]}
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
