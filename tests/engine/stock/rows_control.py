"""Rows without a fault: both sides are right, so what other rows see is the fault's doing."""

from tests.engine.stock.bench import Bench
from tests.engine.stock.observer import Seen
from tests.engine.stock.rows import NAMES, Row


async def copied(bench: Bench) -> Seen:
    await bench.fill(*NAMES)
    async with bench.worker("copy"):
        return await bench.judge(sends=bench.sent, rows=bench.last)


async def taken(bench: Bench) -> Seen:
    await bench.fill(*NAMES)
    async with bench.worker("send", take=len(NAMES)):
        return await bench.judge(sends=bench.sent)


async def in_json(bench: Bench) -> Seen:
    await bench.fill(b"1", b"2", key=b'"k"')
    async with bench.worker("send", form="json"):
        return await bench.judge(sends=bench.sent)


async def counted_over_a_restart(bench: Bench) -> Seen:
    await bench.fill(*NAMES, key=b"k")
    async with bench.worker("count", store="rocksdb"):
        await bench.done()
    await bench.fill(*NAMES, key=b"k")
    async with bench.worker("count", store="rocksdb"):
        return await bench.judge(rows={(0, b"k"): b"%d" % (2 * len(NAMES))})


async def restored(bench: Bench) -> Seen:
    await bench.fill(*NAMES)
    async with bench.worker("keep"):
        await bench.done()
    await bench.fill(b"question")
    async with bench.worker("total"):
        return await bench.judge(sends=[(b"question", b"%d" % len(NAMES))])


PLAYS = {
    "rows and sends": copied,
    "take()": taken,
    "JSON": in_json,
    "RocksDB, a restart": counted_over_a_restart,
    "a restore": restored,
}
ROWS = [
    Row(name=f"control: {name}", injected="nothing", play=play, stock="right")
    for name, play in PLAYS.items()
]
