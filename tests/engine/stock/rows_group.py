"""Rows about the group, transactions, and who is asked meanwhile."""

import contextlib

import aiohttp

from headroom.local.kafka.probe import free_port
from tests.engine.proxy import Kind
from tests.engine.stock.bench import Bench
from tests.engine.stock.jobs import TROUBLE
from tests.engine.stock.observer import Seen
from tests.engine.stock.rows import NAMES, Row


async def killed_in_a_transaction(bench: Bench) -> Seen:
    async def written() -> bool:
        return len(await bench.observer.records(bench.out, committed_only=False)) > 1

    async with bench.worker("send", exactly_once=True) as worker:
        await bench.feed(NAMES[0], key=NAMES[0], partition=0)
        with bench.proxy.holding(Kind.END_TXN):
            await bench.fill(*NAMES[1:])
            await bench.until(written)
            await bench.kill(worker)
    async with bench.worker("send", exactly_once=True):
        return await bench.judge(sends=bench.sent)


async def a_worker_that_hangs(bench: Bench) -> Seen:
    async def both_work() -> bool:
        return await bench.observer.members(bench.app_name) == 2

    with bench.trouble():
        async with (
            bench.worker("send", trouble="block") as one,
            bench.worker("send", trouble="block", instance=2) as other,
        ):
            try:
                await bench.until(both_work)
                await bench.fill(TROUBLE, *NAMES)
                return await bench.judge(sends=bench.sent)
            finally:
                one.kill()
                other.kill()


async def asked_during_a_restore(bench: Bench) -> Seen:
    port = free_port()
    await bench.fill(b"7", key=b"k")
    async with bench.worker("keep", form="text", web_port=port):
        await bench.done()
        assert await _ask(port) == 200

    async def restoring() -> bool:
        return bench.proxy.held > 0 and await _ask(port) is not None

    with bench.proxy.holding(Kind.FETCH):
        async with bench.worker("keep", form="text", web_port=port):
            await bench.until(restoring)
            status = await _ask(port)
    if status == 503:
        return Seen("right", "answers 503 until the table is restored")
    return Seen("wrong", f"answers {status} for a row that is only not restored yet")


async def _ask(port: int) -> int | None:
    with contextlib.suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/table/rows/k/") as answer,
        ):
            return answer.status
    return None


ROWS = [
    Row(
        name="exactly_once: sends outside the app bypass the transaction",
        injected="no transaction's end reaches the broker; kill -9 once the output is there",
        play=killed_in_a_transaction,
        stock="wrong",
    ),
    Row(
        name="a hung agent keeps its partitions",
        injected="one of two workers blocks its event loop at a record, once",
        play=a_worker_that_hangs,
        stock="stuck",
    ),
    Row(
        name="HTTP answers while tables are restored",
        injected="a restore that takes long, and somebody who asks for a row meanwhile",
        play=asked_during_a_restore,
        stock="wrong",
    ),
]
