"""Rows about commits: what is committed although its consequences are not there."""

from tests.engine.proxy import Kind
from tests.engine.stock.bench import LARGE, SMALL, Bench
from tests.engine.stock.jobs import TROUBLE
from tests.engine.stock.observer import Seen
from tests.engine.stock.rows import NAMES, Row


async def a_message_in_flight(bench: Bench) -> Seen:
    await bench.fill(b"first")
    with bench.trouble():
        async with bench.worker("send", trouble="hang", concurrency=2) as worker:
            await bench.done()
            await bench.fill(TROUBLE, *NAMES)
            await bench.done(seconds=5.0)
            await bench.kill(worker)
    async with bench.worker("send"):
        return await bench.judge(sends=bench.sent)


async def a_slow_broker(bench: Bench) -> Seen:
    await bench.fill(*[name * 5_000 for name in NAMES])

    async def committing() -> bool:
        return await bench.committed() > 0

    with bench.proxy.slow(Kind.PRODUCE, 0.3):
        async with bench.worker("keep") as worker:
            await bench.until(committing)
            await bench.kill(worker)
    async with bench.worker("keep"):
        return await bench.judge(rows=bench.last)


async def a_send_that_fails(bench: Bench) -> Seen:
    await bench.configure(SMALL, bench.out, bench.changelog)
    await bench.fill(b"small", b"large" * 100, b"little")
    async with bench.worker("copy") as worker:
        await bench.done_or_ended(worker)
    await bench.configure(LARGE, bench.out, bench.changelog)
    async with bench.worker("copy"):
        return await bench.judge(sends=bench.sent, rows=bench.last, once=False)


async def an_answer_that_is_lost(bench: Bench) -> Seen:
    bench.proxy.lose_answer(Kind.PRODUCE)
    await bench.fill(*NAMES)
    async with bench.worker("send"):
        return await bench.judge(sends=bench.sent)


async def an_agent_that_raises(bench: Bench) -> Seen:
    return await _raising(bench)


async def a_batch_that_raises(bench: Bench) -> Seen:
    return await _raising(bench, take=len(NAMES) + 1)


async def _raising(bench: Bench, take: int = 0) -> Seen:
    await bench.fill(*NAMES[:4], TROUBLE, *NAMES[4:])
    with bench.trouble():
        async with bench.worker("send", trouble="raise", take=take) as worker:
            await bench.done_or_ended(worker)
    async with bench.worker("send", take=take):
        return await bench.judge(sends=bench.sent)


async def a_value_that_is_no_json(bench: Bench) -> Seen:
    await bench.fill(b"1", key=b'"k"')
    await bench.fill(b"{cut", key=b'"k"')
    await bench.fill(b"2", key=b'"k"')
    async with bench.worker("send", form="json"):
        expected = [b"1", b"dead letter", b"2"]
        return await bench.judge(sends=[(b'"k"', value) for value in expected])


async def a_table_written_in_a_batch(bench: Bench) -> Seen:
    await bench.fill(*NAMES)
    async with bench.worker("keep", take=len(NAMES)):
        return await bench.judge(rows=bench.last)


ROWS = [
    Row(
        name="a commit passes over a message in flight",
        injected="the agent never gets an answer for one record, those behind it are done; kill -9",
        play=a_message_in_flight,
        stock="lost",
    ),
    Row(
        name="flush before a commit gives up after 0.1 s",
        injected="the broker takes 0.3 s for each produce request; kill -9 at the first commit",
        play=a_slow_broker,
        stock="lost",
    ),
    Row(
        name="a failed produce is logged, then committed over",
        injected="the broker refuses a record as too large, for the output and the changelog",
        play=a_send_that_fails,
        stock="lost",
        stops="size",
    ),
    Row(
        name="the producer is not idempotent",
        injected="the broker took a produce request, the connection ends before it says so",
        play=an_answer_that_is_lost,
        stock="wrong",
    ),
    Row(
        name="an exception in an agent acks its message",
        injected="the agent raises at one record, until the next worker starts",
        play=an_agent_that_raises,
        stock="lost",
        stops="ConnectionError",
    ),
    Row(
        name="an exception in take() acks the whole batch",
        injected="the agent raises at one record of a batch, until the next worker starts",
        play=a_batch_that_raises,
        stock="lost",
        stops="ConnectionError",
    ),
    Row(
        name="a decode error acks and drops",
        injected="a value that is no JSON",
        play=a_value_that_is_no_json,
        stock="lost",
    ),
    Row(
        name="a table cannot be written inside take()",
        injected="nothing: an agent that writes a table while it works on a batch",
        play=a_table_written_in_a_batch,
        stock="lost",
    ),
]
