"""Headroom restoring one table from its changelog; says when it starts, is done, and how many."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

from benchmarks.contenders.headroom import settings
from benchmarks.job import Options, options_from_argument
from processors.engine.app import EngineApp
from processors.engine.batch import Batch

POLL_SECONDS = 0.005


async def main(options: Options) -> None:
    """Restore, count, wait for the end."""
    app = EngineApp(settings(options))
    rows = app.Table("rows")

    async def keep(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            for record in batch:
                rows[record.key or b""] = record.value or b""

    app.agent(app.topic(options.raw), name="keep")(keep)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("started", time.time_ns() // 1_000_000, flush=True)
    await app.start()
    try:
        while not app.serving and app.crash_reason is None:
            await asyncio.sleep(POLL_SECONDS)
        print("restored", time.time_ns() // 1_000_000, flush=True)
        found = sum(1 for p in rows.open_partitions for _ in rows.committed_items(p))
        print("rows", found, flush=True)
        await stop.wait()
    finally:
        await app.stop()
    if app.crash_reason is not None:
        raise app.crash_reason


if __name__ == "__main__":
    asyncio.run(main(options_from_argument()))
