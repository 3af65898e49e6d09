"""One worker of stock Faust: an app as its documentation shows it, run by Faust's own command."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust

from tests.engine.stock.jobs import (
    COMMIT_SECONDS,
    HEARTBEAT_SECONDS,
    JOBS,
    PARTITIONS,
    SESSION_SECONDS,
    Form,
    Options,
    World,
    said,
)

RAW = {"key_serializer": "raw", "value_serializer": "raw"}
TOPICS: dict[Form, dict[str, Any]] = {
    "bytes": RAW,
    "text": {"key_type": str, "value_type": str, **RAW},
    "json": {},
}


def make(options: Options) -> faust.App:
    """The app; of its settings only times are changed, so that a test is short."""
    app = faust.App(
        options.name,
        broker=f"kafka://{options.bootstrap}",
        store=f"{options.store}://",
        datadir=Path(options.folder) / f"stock-{options.instance}",
        processing_guarantee="exactly_once" if options.exactly_once else "at_least_once",
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_commit_interval=COMMIT_SECONDS,
        worker_redirect_stdouts=False,
    )
    source = app.topic(options.source, **TOPICS[options.form])
    out = app.topic(options.out, **TOPICS[options.form])
    job, world = JOBS[options.job], World(options)
    if options.job != "send":
        # Where a table is told nothing of its keys and values, it makes JSON of them.
        types = {"key_type": bytes, "value_type": bytes} if options.form == "bytes" else {}
        world.may_clear = True
        world.rows = app.Table("rows", on_changelog_event=_hook(world), **types)

    async def handle(key: Any, value: Any) -> None:
        await world.meet(value)
        for sent_key, sent_value in job(world, key, value):
            await out.send(key=sent_key, value=sent_value)
        said("handled", value)

    async def one_by_one(stream: Any) -> None:
        async for key, value in stream.items():
            await handle(key, value)

    async def in_batches(stream: Any) -> None:
        async for values in stream.take(options.take, within=0.5):
            for value in values:
                await handle(value, value)

    agent = in_batches if options.take else one_by_one
    app.agent(source, name="agent", concurrency=options.concurrency)(agent)
    return app


def _hook(world: World) -> Callable[[Any], Awaitable[None]]:
    async def restored(event: Any) -> None:
        world.restored(event.message.value)

    return restored


def main(options: Options) -> None:
    """Run Faust's own command line over the app."""
    web = ["--web-port", str(options.web_port)] if options.web_port else ["--without-web"]
    words = ["-l", "info", *web] if options.command == "worker" else []
    sys.argv = ["stock", options.command, *words]
    make(options).main()
