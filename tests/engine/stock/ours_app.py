"""One worker of our engine, with the same agents as `stock_app.py`."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from aiohttp import web

from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch
from processors.engine.table import Table
from tests.engine.stock.jobs import JOBS, PARTITIONS, SESSION_SECONDS, Options, World, said


def settings(options: Options) -> EngineSettings:
    """The engine's settings; its guarantee is its default."""
    return EngineSettings(
        name=options.name,
        kafka={"bootstrap_servers": options.bootstrap},
        data_dir=Path(options.folder) / f"{options.name}-{options.instance}",
        partitions=PARTITIONS,
        url=f"http://127.0.0.1:{options.instance}",
        store=options.store,
        session_seconds=SESSION_SECONDS,
        instance=f"worker-{options.instance}",
    )


def make(options: Options) -> tuple[EngineApp, Table]:
    """The app and its table."""
    app = EngineApp(settings(options))
    rows: Table = app.Table("rows")
    job, world = JOBS[options.job], World(options)

    world.rows = rows

    def restored(partition: int) -> None:
        for _, row in rows.committed_items(partition):
            world.restored(row)

    rows.on_partition(restored=restored, revoked=lambda _: None)

    async def agent(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            for record in batch:
                value = record.value or b""
                await world.meet(value)
                if options.form == "json" and not _is_json(value):
                    batch.send(options.out, key=record.key, value=b"dead letter")
                    continue
                for sent_key, sent_value in job(world, record.key or b"", value):
                    batch.send(options.out, key=sent_key, value=sent_value)
                said("handled", value)

    app.agent(app.topic(options.source), name="agent")(agent)
    return app, rows


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value)
    except ValueError:
        return False
    return True


@contextlib.asynccontextmanager
async def served(app: EngineApp, rows: Table, port: int) -> AsyncIterator[None]:
    """Answer for rows as a service over the engine has to: by `app.serving`."""

    async def answer(request: web.Request) -> web.Response:
        if not app.serving:
            return web.Response(status=503)
        key = request.match_info["key"].encode()
        found = [rows.committed(p, key) for p in sorted(rows.open_partitions)]
        return web.Response(body=next((row for row in found if row is not None), b"none"))

    server = web.Application()
    server.router.add_get("/table/rows/{key}/", answer)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


async def run(options: Options) -> int:
    """Work until SIGTERM, or until the engine stops with a reason."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app, rows = make(options)
    async with contextlib.AsyncExitStack() as stack:
        if options.web_port:
            await stack.enter_async_context(served(app, rows, options.web_port))
        try:
            await app.start()
            while app.crash_reason is None and not stop.is_set():
                await asyncio.sleep(0.02)
        finally:
            await app.stop()
    if app.crash_reason is None:
        return 0
    said("stopped", repr(app.crash_reason))
    return 1


def main(options: Options) -> None:
    """Run the app; the exit status is 1 if it stopped with a reason."""
    logging.basicConfig(level=logging.INFO)
    sys.exit(asyncio.run(run(options)))
