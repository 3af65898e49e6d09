"""Rows about tables: what is restored, counted, deleted, and where a key lies."""

from aiokafka.partitioner import murmur2

from tests.engine.proxy import Kind
from tests.engine.stock.bench import Bench
from tests.engine.stock.jobs import PARTITIONS, TROUBLE
from tests.engine.stock.observer import Seen
from tests.engine.stock.rows import NAMES, Row


async def a_changelog_without_its_last_record(bench: Bench) -> Seen:
    async with bench.worker("keep"):
        # The group has been there before: without any commit its changelog would be refused.
        await bench.feed(b"first", key=b"first", partition=0)
    await bench.write_in_a_transaction(bench.changelog, *[(name, b"old") for name in NAMES])
    await bench.fill(b"new")
    async with bench.worker("keep"):
        return await bench.judge(rows={(0, name): b"old" for name in NAMES} | bench.last)


async def a_restore_hook_that_raises(bench: Bench) -> Seen:
    await bench.fill(*NAMES[:4], TROUBLE, *NAMES[4:])
    async with bench.worker("keep"):
        await bench.done()
    await bench.fill(b"question")
    with bench.trouble():
        async with bench.worker("total", trouble="restore") as worker:
            await bench.done_or_ended(worker)
    async with bench.worker("total"):
        return await bench.judge(sends=[(b"question", b"%d" % (len(NAMES) + 1))])


async def a_key_in_two_partitions(bench: Bench) -> Seen:
    async with bench.worker("lookup", store="rocksdb"):
        await bench.feed(b"put", key=b"k", partition=0)
        await bench.feed(b"put", key=b"k", partition=1)
        await bench.feed(b"delete", key=b"k", partition=0)
        await bench.fill(b"partition 0", key=b"k", partition=0)
        await bench.fill(b"partition 1", key=b"k", partition=1)
        return await bench.judge(
            sends=[(b"partition 0", b"no row"), (b"partition 1", b"a row")],
            rows={(1, b"k"): b"a row"},
        )


async def a_table_that_is_cleared(bench: Bench) -> Seen:
    async with bench.worker("lookup", store="rocksdb"):
        await bench.feed(b"put", key=b"k", partition=0)
        await bench.feed(b"clear", key=b"k", partition=0)
        await bench.fill(b"get", key=b"k", partition=0)
        return await bench.judge(sends=[(b"get", b"no row")], rows={})


async def killed_before_the_changelog(bench: Bench) -> Seen:
    await bench.fill(*NAMES, key=b"k")
    with bench.proxy.holding(Kind.PRODUCE):
        async with bench.worker("count", store="rocksdb") as worker:
            await bench.until_said(worker, "handled", len(NAMES))
            await bench.kill(worker)
    async with bench.worker("count", store="rocksdb"):
        return await bench.judge(rows={(0, b"k"): b"%d" % len(NAMES)})


async def killed_before_the_commit(bench: Bench) -> Seen:
    async def in_the_changelog() -> bool:
        return len(await bench.observer.records(bench.changelog, committed_only=False)) > 1

    async with bench.worker("count") as worker:
        await bench.feed(NAMES[0], key=b"k", partition=0)
        with bench.proxy.holding(Kind.OFFSET_COMMIT, Kind.END_TXN):
            await bench.fill(*NAMES[1:], key=b"k")
            await bench.until(in_the_changelog)
            await bench.kill(worker)
    async with bench.worker("count"):
        return await bench.judge(rows={(0, b"k"): b"%d" % len(NAMES)})


async def where_a_key_lies(bench: Bench) -> Seen:
    for name in NAMES:
        await bench.fill(name, partition=_partition(name))
    async with bench.worker("keep", form="text"):
        await bench.done()
        places = await bench.observer.rows(bench.changelog)
    astray = [key for partition, key in places if _partition(key) != partition]
    if astray:
        what = f"{len(astray)} of {len(places)} keys hash to another partition than their row's"
        return Seen("wrong", f"{what}: {astray[0]!r}")
    return Seen("right", f"{len(places)} keys hash to the partitions of their rows")


def _partition(key: bytes) -> int:
    """The partition of a key, as every Kafka client works it out."""
    partition: int = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
    return partition


async def begun_anew(bench: Bench) -> Seen:
    await bench.fill(*NAMES)
    async with bench.worker("keep", store="rocksdb"):
        await bench.done()
    await bench.begin_anew()
    async with bench.worker("refold", store="rocksdb"):
        return await bench.judge(rows={(0, name): b"new " + name for name in NAMES})


ROWS = [
    Row(
        name="a restore waits for the changelog's last offset",
        injected="a changelog whose last offset holds no record",
        play=a_changelog_without_its_last_record,
        stock="stuck",
    ),
    Row(
        name="a restore swallows errors",
        injected="the hook that is shown restored rows raises at one of them",
        play=a_restore_hook_that_raises,
        stock="wrong",
        stops="ConnectionError",
    ),
    Row(
        name="RocksDB: deletes misfire",
        injected="nothing: one key in two partitions, deleted in one of them",
        play=a_key_in_two_partitions,
        stock="wrong",
    ),
    Row(
        name="RocksDB: clear() raises",
        injected="nothing: an agent clears its table",
        play=a_table_that_is_cleared,
        stock="wrong",
    ),
    Row(
        name="the store is written before the changelog",
        injected="produce requests do not reach the broker; kill -9 once rows are counted",
        play=killed_before_the_changelog,
        stock="wrong",
    ),
    Row(
        name="+= counts twice after a crash",
        injected="commits do not reach the broker; kill -9 once the changelog has a count",
        play=killed_before_the_commit,
        stock="wrong",
    ),
    Row(
        name="a table key is serialised as JSON",
        injected="nothing: text keys and a table as it comes",
        play=where_a_key_lies,
        stock="wrong",
    ),
    Row(
        name="`faust reset` is local only",
        injected="nothing: an operator resets a table, to fold its source again",
        play=begun_anew,
        stock="wrong",
    ),
]
