"""A worker in a process of its own, on prefixed topics: so that a test can kill it."""

import asyncio
import json
import logging
import signal
import socket
import sys
from pathlib import Path

from processors.app import Worker, WorkerSettings
from processors.engine import EngineSettings


async def main(options: dict[str, object]) -> None:
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
        session_seconds=2.0,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = WorkerSettings(engine, topic_prefix=str(options["prefix"]))
    await Worker(settings, listener).run(stop, on_serving=lambda: print("ready", url, flush=True))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO if "debug" in sys.argv[1] else logging.WARNING)
    asyncio.run(main(json.loads(sys.argv[1])))
