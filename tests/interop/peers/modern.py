"""pysignalr: as official.js. Its token goes in a header: its own factory is not asked in time."""

import asyncio
import json
import sys

from pysignalr.client import SignalRClient


def said(*words: object) -> None:
    print(json.dumps(words), flush=True)


async def main(url: str, key: str) -> None:
    hub = SignalRClient(url, headers={"Authorization": f"Bearer {key}"}, retry_count=1)

    async def event(arguments: list[object]) -> None:
        for argument in arguments:
            said("event", argument)

    async def opened() -> None:
        said("open")

    async def closed() -> None:
        said("closed", None)

    async def failed(completion: object) -> None:
        said("failed", completion.error)

    async def completed(completion: object) -> None:
        said("failed", completion.error) if completion.error else said("result", completion.result)

    hub.on("executionEvents", event)
    hub.on_open(opened)
    hub.on_close(closed)
    hub.on_error(failed)
    running = asyncio.create_task(hub.run())
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, argument = json.loads(line)
        if name == "stop":
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            break
        target, arguments = ("GetBalances", [argument]) if name == "ask" else (argument, [])
        await hub.send(target, arguments, on_invocation=completed)


asyncio.run(main(*sys.argv[1:3]))
