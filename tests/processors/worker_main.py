"""A worker in a process of its own, on prefixed topics: so that a test can kill it."""

import asyncio
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headroom.base.following import Reader
from headroom.base.logs import set_up_logging
from processors.alerts.rules import read_rules, rules_of
from processors.app import Worker, WorkerSettings
from processors.engine.app import EngineSettings
from processors.engine.librdkafka import properties
from processors.http.access import Access, Grant, hashed
from processors.names import EVERYTHING, Accounts, Names
from schemas.secrets import Secret


async def main(options: dict[str, Any]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engine = EngineSettings(
        name=f"{options['prefix']}headroom",
        kafka={"bootstrap_servers": options["bootstrap"]},
        data_dir=Path(str(options["data_dir"])),
        partitions=int(str(options["partitions"])),
        url=url,
        instance=f"{options['prefix']}{Path(str(options['data_dir'])).name}",
        guarantee=options.get("guarantee", "exactly_once"),  # type: ignore[arg-type]
        store=options.get("store", "rocksdb"),  # type: ignore[arg-type]
        standby_replicas=int(str(options.get("standby_replicas", 0))),
        session_seconds=float(str(options.get("session_seconds", 2.0))),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = WorkerSettings(
        engine,
        names=Names.behind(str(options["prefix"])),
        frames_of=frames_of(options),
        in_assets=frozenset(options.get("in_assets", ())),
        access=access_of(options),
        rules=rules_of(read_rules(str(options.get("rules", "")).encode())),
        stale_after_seconds=float(options.get("stale_after_seconds", 60.0)),
    )
    ahead_ns = int(options.get("clock_ahead_seconds", 0)) * 1_000_000_000
    worker = Worker(
        settings,
        listener,
        follow=Reader(lambda: properties(engine.kafka)),
        clock_ns=lambda: time.time_ns() + ahead_ns,
    )
    await worker.run(stop, on_serving=lambda: print("ready", url, flush=True))


def frames_of(options: dict[str, Any]) -> Mapping[str, Accounts]:
    """Whose frames are read, by venue: of all, unless it is said otherwise."""
    if "accounts" not in options:
        return EVERYTHING
    return {venue: frozenset(map(str.encode, ids)) for venue, ids in options["accounts"].items()}


def access_of(options: dict[str, Any]) -> Access | None:
    """Who may ask: the tokens themselves, which only a test has at hand."""
    if "tokens" not in options:
        return None
    grants = [
        Grant(name, hashed(token), None if users is None else frozenset(users))
        for name, token, users in options["tokens"]
    ]
    return Access(grants, Secret(options["worker_token"]))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given.get("logs") == "json":
        set_up_logging("WARNING", "json")
    logging.basicConfig(level=logging.INFO if "debug" in sys.argv[1] else logging.WARNING)
    asyncio.run(main(given))
