"""Freshness as a worker answers it: statuses, frames and what cannot be read, over a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from headroom.audit import audit
from schemas.feeds import ConfirmedFrom, Doubt
from schemas.times import rfc3339
from schemas.topics import UNCONFIRMED
from tests.conftest import KafkaHandle
from tests.processors.pipeline import EPOCH, Pipeline, answered, now, sfox_frame, status

pytestmark = pytest.mark.slow

A, B = "/v1/users/sfox%3Aa/balances", "/v1/users/sfox%3Ab/balances"


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.05)


async def reaches(url: str, path: str, state: str, cause: str | None = None) -> dict[str, Any]:
    """The freshness of a user, once it is of this state and cause."""
    found: dict[str, Any] = {}

    async def is_so() -> bool:
        nonlocal found
        found = (await answered(url, path))["freshness"]
        return (found["state"], found["cause"]) == (state, cause)

    try:
        await until(is_so)
    except TimeoutError:
        pytest.fail(f"not {state} ({cause}): {found}")
    assert found["stale"] == (state != "live")
    return found


async def overview_counts(url: str, **wanted: int) -> None:
    """Wait until the overview, which asks all workers, counts sFOX's accounts so."""

    async def is_so() -> bool:
        return bool((await answered(url, "/v1/overview"))["accounts"].get("sfox", {}) == wanted)

    await until(is_so)


async def counts(url: str, **wanted: int) -> None:
    """Wait until the overview and the metric of a worker that is alone count them so."""

    async def in_metrics() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
            text = await response.text()
        return all(
            f'headroom_accounts{{state="{state}",venue="sfox"}} {count}.0' in text
            or f'headroom_accounts{{venue="sfox",state="{state}"}} {count}.0' in text
            for state, count in wanted.items()
        )

    await overview_counts(url, **wanted)
    await until(in_metrics)


async def test_a_user_is_fresh_as_long_as_the_connection_that_told_of_it_vouches(
    pipeline: Pipeline,
) -> None:
    """Unknown, live, reconnected, confirmed again, disconnected, gone."""
    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1")), ("b", sfox_frame("b", 2))])
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        await reaches(url, A, "disconnected", "no_connection")
        await pipeline.tell(status(EPOCH))
        found = await reaches(url, A, "live")
        assert [one["account"] for one in found["accounts"]] == ["a"]
        assert found["age_seconds"] < 30
        await counts(url, live=2)
        again = Doubt("reconnected", "connected again at 22:00:25", now())
        await pipeline.tell(status(EPOCH + 9, confirmed_from=ConfirmedFrom(1, again)))
        for path in (A, B):
            found = await reaches(url, path, "unconfirmed", "reconnected")
            assert found["reason"] == "connected again at 22:00:25; no frame of this account since"
            assert found["since"] == again.since
        await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1"))], epoch=EPOCH + 9)
        await pipeline.drained()
        await reaches(url, A, "live")
        await reaches(url, B, "unconfirmed", "reconnected")
        await counts(url, live=1, unconfirmed=1)
        overview = await answered(url, "/v1/overview")
        (worst,) = overview["unconfirmed"]
        assert (worst["user"], worst["state"], worst["cause"]) == (
            *("sfox:b", "unconfirmed", "reconnected"),
        )
        await pipeline.tell(status(EPOCH + 9, state="refused"))
        await reaches(url, A, "refused", "key_refused")
        [feed] = (await answered(url, "/v1/feeds"))["feeds"]
        assert (feed["state"], feed["accounts"], feed["accounts_count"]) == ("refused", None, None)
        await pipeline.forget("sfox/")
        await reaches(url, A, "disconnected", "no_connection")
        assert (await answered(url, "/v1/feeds"))["feeds"] == []
        assert (await answered(url, A))["version"] == 2
        assert worker.stop() == 0


async def test_statuses_that_are_not_told_any_more_grow_stale_by_themselves(
    pipeline: Pipeline,
) -> None:
    """Nobody has to say so: neither a producer that was killed can, nor a Kafka that is away."""
    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1"))])
    with pipeline.worker("one", stale_after_seconds=2.0) as worker:
        url = await worker.ready()
        await pipeline.drained()
        await pipeline.tell(status(EPOCH))
        await reaches(url, A, "live")
        found = await reaches(url, A, "stale", "not_heard")
        assert found["reason"].startswith("nothing is told of the connection since ")
        await pipeline.tell(status(EPOCH))
        await reaches(url, A, "live")


@pytest.mark.parametrize(
    ("worker_ahead_seconds", "producer_ahead_seconds"),
    [(-86_400, 0), (86_400, 0), (0, 3_000), (0, -86_400), (-86_400, 3_000)],
)
async def test_no_clock_that_is_wrong_makes_anything_live_or_young(
    pipeline: Pipeline, worker_ahead_seconds: int, producer_ahead_seconds: int
) -> None:
    """Whose clock it may be: a producer that was killed is stale, and ages by what has passed."""

    async def tell() -> None:
        one, ahead_ns = status(EPOCH), producer_ahead_seconds * 10**9
        times = ("time", "last_heard", "last_confirmed")
        found = dict.fromkeys(times, rfc3339(time.time_ns() + ahead_ns))
        await pipeline.tell(msgspec.structs.replace(one, **found))

    async def go_on() -> None:
        while True:
            await tell()
            await asyncio.sleep(0.2)

    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1"))])
    await tell()
    options = {"stale_after_seconds": 3.0, "clock_ahead_seconds": worker_ahead_seconds}
    with pipeline.worker("one", **options) as worker:
        url = await worker.ready()
        await pipeline.drained()
        # It was told before anybody listened.
        await reaches(url, A, "stale", "not_heard")
        producer = asyncio.create_task(go_on())
        found = await reaches(url, A, "live")
        assert found["age_seconds"] <= 3.0
        [feed] = (await answered(url, "/v1/feeds"))["feeds"]
        assert feed["silent_seconds"] < 60.0
        producer.cancel()
        found = await reaches(url, A, "stale", "not_heard")
        assert 3.0 < found["age_seconds"] < 60.0


async def test_a_frame_that_cannot_be_read_marks_its_account_until_the_next_one(
    pipeline: Pipeline,
) -> None:
    """Its dead letter names the place; `unconfirmed.v1` gets a record, then a tombstone."""
    bad = sfox_frame("a", 2, btc="1").replace(b'"held": "0"', b'"held": 0')
    nobodys = b'{"payload": {"user_id": ""}}'
    frames = [("a", sfox_frame("a", 1, btc="1")), ("b", sfox_frame("b", 1, btc="1"))]
    await pipeline.send("sfox", [*frames, ("a", bad), (None, nobodys)])
    with pipeline.worker("one") as one, pipeline.worker("two") as two:
        urls = [await one.ready(), await two.ready()]
        await pipeline.drained()
        await pipeline.tell(status(EPOCH))
        for url in urls:
            found = await reaches(url, A, "unconfirmed", "unreadable")
            assert found["reason"] == "unreadable frame at payload.updates[0].held (wrong_type)"
            await reaches(url, B, "live")
            await overview_counts(url, unconfirmed=1, live=1)
            overview = await answered(url, "/v1/overview")
            assert [each["user"] for each in overview["unconfirmed"]] == ["sfox:a"]
        (record,) = await pipeline.records(UNCONFIRMED)
        told, headers = msgspec.json.decode(record.value), dict(record.headers)
        assert record.key == b"sfox:a"
        assert (told["user"], told["receipt"], told["epoch"]) == ("sfox:a", 3, EPOCH)
        assert told["doubt"]["reason"] == found["reason"]
        assert told["source"]["topic"].endswith("raw.sfox.balances.v1")
        assert headers["ce_type"] == b"headroom.unconfirmed.v1"
        assert headers["ce_id"].endswith(b"unconfirmed.v1/sfox:a/%d/3/sfox:a" % EPOCH)
        assert headers["ce_subject"] == b"sfox:a"
        await pipeline.send("sfox", [("a", sfox_frame("a", 3, btc="1"))])
        await pipeline.drained()
        for url in urls:
            await reaches(url, A, "live")
            assert (await answered(url, A))["version"] == 2
        _, gone = await pipeline.records(UNCONFIRMED)
        assert (gone.key, gone.value) == (b"sfox:a", None)
        assert dict(gone.headers)["ce_id"].endswith(b"/5/confirmed")
        assert one.stop() == two.stop() == 0
    sound = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert (sound.findings, sound.lost, sound.dead_lettered) == ([], 0, 2)


async def test_a_frame_that_nobody_reads_on_marks_the_account_under_which_it_came(
    pipeline: Pipeline,
) -> None:
    """Too large, too deep, or with the account given twice: the producer knew whose it is."""
    sound = sfox_frame("a", 2, btc="2")
    refused = {
        "large": (sound.replace(b"}", b" " * 2**20 + b"}", 1), "too_large"),
        "deep": (sound.replace(b"{", b'{"x": ' + b"[" * 65 + b"]" * 65 + b", ", 1), "too_deep"),
        "twice": (sound.replace(b'"user_id"', b'"user_id": "a", "user_id"'), "duplicate_key"),
    }
    for account, (frame, _) in refused.items():
        frames = [sfox_frame(account, 1, btc="1"), frame]
        await pipeline.send("sfox", [(account, one) for one in frames])
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        await pipeline.tell(status(EPOCH))
        for account, (_, reason) in refused.items():
            path = f"/v1/users/sfox%3A{account}/balances"
            found = await reaches(url, path, "unconfirmed", "unreadable")
            assert found["reason"].endswith(f"({reason})")


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
async def test_a_doubt_outlives_a_worker_that_was_killed(
    pipeline: Pipeline, guarantee: str
) -> None:
    bad = sfox_frame("a", 2, btc="1").replace(b'"held": "0"', b'"held": 0')
    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1"))])
    await pipeline.tell(status(EPOCH))
    with pipeline.worker("one", guarantee=guarantee) as worker:
        await worker.ready()
        await pipeline.send("sfox", [("a", bad)])
        worker.kill()
    with pipeline.worker("one", guarantee=guarantee) as worker:
        url = await worker.ready()
        await pipeline.drained()
        await pipeline.tell(status(EPOCH))
        await reaches(url, A, "unconfirmed", "unreadable")
        assert {record.key for record in await pipeline.records(UNCONFIRMED)} == {b"sfox:a"}
