"""Faust as it comes: its own agents, topics and table, event by event, with acks=all.

`producer_acks=-1` is its default; nothing else is turned but the size of RocksDB's cache, which
is 2 GiB for each of the partitions by default.
"""

import asyncio
import signal
from typing import Any

import faust

from benchmarks.job import (
    Options,
    Out,
    Raw,
    Users,
    normalised,
    options_from_argument,
)
from schemas.topics import BALANCES, DEAD_LETTERS, EXPOSURE_USER

_CACHE_BYTES = 64 * 1024 * 1024


def build(options: Options) -> Any:
    """The app, two agents, one table."""
    app = faust.App(
        options.group,
        broker=f"kafka://{options.bootstrap}",
        store="rocksdb://?driver=rocksdict",
        datadir=options.folder,
        topic_partitions=options.partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    # Without a word about serializers Faust parses every value as JSON before the job does, and
    # drops what is none.
    as_bytes = {
        "key_type": bytes,
        "value_type": bytes,
        "key_serializer": "raw",
        "value_serializer": "raw",
    }
    raw = app.topic(options.raw, **as_bytes)
    outputs = {
        name: app.topic(options.topic(name), **as_bytes)
        for name in (BALANCES, EXPOSURE_USER, DEAD_LETTERS)
    }
    cache = {"block_cache_size": _CACHE_BYTES, "block_cache_compressed_size": _CACHE_BYTES}
    users = app.Table("users", key_type=bytes, value_type=bytes, options=cache)

    fold = Users(options.prefix)

    async def send(out: Out) -> None:
        await outputs[out.topic].send(key=out.key, value=out.value, headers=list(out.headers))

    async def normalise(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            place = (message.topic, message.partition, message.offset)
            timestamp_ms = int(message.timestamp * 1_000)
            headers = list(message.headers or ())
            await send(normalised(Raw(*place, timestamp_ms, message.key, message.value, headers)))

    async def keep_users(stream: Any) -> None:
        async for event in stream.events():
            key = event.message.key
            outcome = fold.fold(users.get(key), event.message.value)
            if outcome is not None:
                users[key], out = outcome
                await send(out)

    app.agent(raw, name="normalise")(normalise)
    app.agent(outputs[BALANCES], name="users")(keep_users)
    return app


async def main(options: Options) -> None:
    """Work until told to stop."""
    app = build(options)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.start()
    waits = [asyncio.create_task(w) for w in (stop.wait(), app._crashed.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    await app.stop()
    if app.crash_reason is not None:
        raise app.crash_reason


if __name__ == "__main__":
    asyncio.run(main(options_from_argument()))
