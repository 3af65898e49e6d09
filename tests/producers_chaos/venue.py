"""A simulated venue in a process of its own: what befalls it is told line by line on its input.

`order NAME JSON` turns a fault on, `clear NAME` turns it off. The command line's own sandbox has no
certificates, and cannot be reached where it refuses.
"""

import asyncio
import json
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from headroom.local.sandbox import (
    HercleConfig,
    HercleSandbox,
    Sandbox,
    SfoxConfig,
    SfoxSandbox,
    announced,
)
from headroom.local.sandbox.door import Papers

KEYS = {"sfox": "sandbox-sfox-key", "hercle": "sandbox-hercle-key-0001"}


def _sandbox(told: dict[str, Any]) -> SfoxSandbox | HercleSandbox:
    papers = [Path(path) for path in told.get("papers", ())]
    common: dict[str, Any] = {
        "journal": Path(told["journal"]),
        "seed": told["seed"],
        "rate_per_second": Decimal(told["rate"]),
        "close_seconds": Decimal(2),
        "papers": Papers(*papers) if papers else None,
    }
    if told["venue"] == "sfox":
        return SfoxSandbox(SfoxConfig(users=told["users"], api_key=KEYS["sfox"], **common))
    return HercleSandbox(HercleConfig(keys={KEYS["hercle"]: "user-0001"}, **common))


async def _obey(sandbox: SfoxSandbox | HercleSandbox) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    # Its end is that of whoever started this process.
    while line := (await reader.readline()).decode():
        word, name, *rest = line.split(maxsplit=2)
        if word == "order":
            sandbox.order(name, **json.loads(rest[0]))
        else:
            sandbox.clear(name)


async def main(told: dict[str, Any]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    box = _sandbox(told)
    running: Sandbox = box
    obeying = asyncio.create_task(_obey(box))
    obeying.add_done_callback(lambda _: stop.set())
    await announced(running, stop=stop, announce=lambda url: print(url, flush=True))
    obeying.cancel()
    await asyncio.wait([obeying])
    if not obeying.cancelled():
        obeying.result()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
