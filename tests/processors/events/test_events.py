"""Events of real workers on a real Kafka: told as GET answers, resumed, passed on, moved."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.conftest import KafkaHandle
from tests.processors.events.reading import Stream, reading
from tests.processors.pipeline import EPOCH, PARTITIONS, Pipeline, answered, sfox_frame, status

RISK, PORTAL, WORKER = (f"canary-{name}-0123456789-0123456789" for name in ("r", "p", "w"))
ALL = set(range(PARTITIONS))
USERS = [f"user-{number}" for number in range(12)]


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


def frames(sequence: int, users: list[str] = USERS) -> list[tuple[str | None, bytes | None]]:
    return [(user, sfox_frame(user, sequence, btc=f"{sequence}")) for user in users]


def newest(stream: Stream, kind: str = "balances") -> dict[str, int]:
    """The last version that was told of each user; none was ever told of after a later one."""
    found: dict[str, int] = {}
    for event in stream.seen:
        if event.kind == kind:
            user, version = event.data["user"], event.data["version"]
            assert version >= found.get(user, 0), "the older after the newer"
            found[user] = version
    return found


async def until_all_are_at(stream: Stream, version: int, users: list[str] = USERS) -> None:
    wanted = {f"sfox:{user}" for user in users}
    while {user for user, at in newest(stream).items() if at >= version} < wanted:
        await stream.next()


def path(user: str, what: str = "balances") -> str:
    return f"/v1/users/{quote(f'sfox:{user}', safe='')}/{what}"


def ageless(document: dict[str, Any]) -> dict[str, Any]:
    """The same without what passes with time."""
    if isinstance(document, dict):
        return {k: ageless(v) for k, v in document.items() if k != "age_seconds"}
    return [ageless(one) for one in document] if isinstance(document, list) else document


async def test_what_is_now_comes_first_then_what_changes(pipeline: Pipeline) -> None:
    """All kinds, as GET answers; then from the last id on, without a gap and without all again."""
    await pipeline.send("sfox", frames(1))
    await pipeline.tell(status(EPOCH))
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        async with reading(url, "?snapshot=true") as stream:
            first = await stream.all_current(ALL)
            resets = [event.data for event in first if event.kind == "reset"]
            assert sorted(n for one in resets for n in one["partitions"]) == sorted(ALL)
            assert {one["why"] for one in resets} == {"asked"}
            told = {(event.kind, event.data.get("user")) for event in first}
            for user in USERS:
                for kind in ("balances", "exposure", "freshness"):
                    assert (kind, f"sfox:{user}") in told
            await pipeline.send("sfox", frames(2, USERS[:3]))
            await until_all_are_at(stream, 2, USERS[:3])
            last = {e.data["user"]: e for e in stream.seen if e.kind == "balances"}
            for user in USERS[:3]:
                now = await answered(url, path(user))
                assert ageless(last[f"sfox:{user}"].data) == ageless(now)
            last_id = stream.last_id
        await pipeline.send("sfox", frames(3, USERS[2:5]))
        await pipeline.drained()
        async with reading(url, "?snapshot=true&kind=balances", last_id=last_id) as stream:
            await until_all_are_at(stream, 2, USERS[3:5])
            await until_all_are_at(stream, 3, USERS[2:3])
            assert "reset" not in {event.kind for event in stream.seen}
            assert set(newest(stream)) <= {f"sfox:{user}" for user in USERS[:5]}
        async with reading(url, "?kind=balances", last_id="0.deadbeef.7") as stream:
            again = await stream.all_current(ALL)
            assert {e.data["why"] for e in again if e.kind == "reset"} == {
                "another_life",
                "unknown_place",
            }
            assert len(newest(stream)) == len(USERS)
        assert worker.stop() == 0


async def test_a_change_of_freshness_is_told(pipeline: Pipeline) -> None:
    await pipeline.send("sfox", frames(1, USERS[:2]))
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        async with reading(url, "?kind=freshness&user=sfox:user-1&snapshot=true") as stream:
            await stream.until(lambda e: e.kind == "current")
            await pipeline.tell(status(EPOCH))
            live = await stream.until(
                lambda e: e.kind == "freshness" and e.data["freshness"]["state"] == "live"
            )
            await pipeline.tell(status(EPOCH, state="disconnected"))
            await stream.until(
                lambda e: e.kind == "freshness" and e.data["freshness"]["state"] == "disconnected"
            )
            assert {e.data["user"] for e in live if e.kind == "freshness"} == {"sfox:user-1"}
        assert worker.stop() == 0


async def test_filters_and_what_cannot_be_asked(pipeline: Pipeline) -> None:
    """An asset that is held no more is told to whoever asks for it; a filter may match nobody."""
    await pipeline.send("sfox", frames(1, USERS[:2]))
    await pipeline.send("sfox", [("rich", sfox_frame("rich", 1, eth="5"))])
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        async with (
            reading(url, "?kind=balances&asset=eth&snapshot=true") as eth,
            reading(url, "?venue=hercle&snapshot=true") as hercle,
            reading(url, "?user=sfox:nobody&snapshot=true") as nobody,
        ):
            await eth.all_current(ALL)
            assert set(newest(eth)) == {"sfox:rich"}
            await pipeline.send("sfox", [("rich", sfox_frame("rich", 2, btc="5"))])
            await until_all_are_at(eth, 2, ["rich"])
            assert eth.seen[-1].data["totals"].keys() == {"BTC"}
            assert {e.kind for e in await hercle.all_current(ALL)} == {"reset", "current"}
            assert (await nobody.next()).kind == "reset"
            assert (await nobody.next()).kind == "current"
        async with aiohttp.ClientSession() as session:
            for query in ("kind=alarm", "venue=nowhere", "snapshot=yes"):
                async with session.get(f"{url}/v1/events?{query}") as response:
                    assert response.status == 400
            async with session.head(f"{url}/v1/events") as response:
                assert (response.status, response.content_type) == (200, "text/event-stream")
            async with session.post(f"{url}/v1/events") as response:
                assert response.status == 405
                assert "GET" in response.headers["Allow"]
        assert worker.stop() == 0


async def test_any_worker_tells_of_all_and_says_what_moved(pipeline: Pipeline) -> None:
    """Two workers, one killed: a reader of either is told of all, before and after."""
    await pipeline.send("sfox", frames(1))
    tokens = [["risk", RISK, None], ["portal", PORTAL, ["sfox:user-3", "sfox:user-4"]]]
    options = {"tokens": tokens, "worker_token": WORKER}
    with pipeline.worker("one", **options) as one, pipeline.worker("two", **options) as two:
        urls = [await one.ready(), await two.ready()]
        await pipeline.drained()
        async with (
            reading(urls[0], "?kind=balances&snapshot=true", token=RISK) as first,
            reading(urls[1], "?kind=balances&snapshot=true", token=RISK) as second,
            reading(
                urls[1], "?snapshot=true&user=sfox:user-3&user=sfox:user-9", token=PORTAL
            ) as mine,
        ):
            for stream in (first, second):
                await stream.all_current(ALL)
                assert len(newest(stream)) == len(USERS)
            await pipeline.send("sfox", frames(2))
            for stream in (first, second):
                await until_all_are_at(stream, 2)
            await until_all_are_at(mine, 2, ["user-3"])
            assert {e.data["user"] for e in mine.seen if "user" in e.data} == {"sfox:user-3"}
            one.kill()
            moved = await second.until(lambda e: e.kind == "moved")
            lost = set(moved[-1].data["partitions"])
            assert 0 < len(lost) < PARTITIONS
            await second.all_current(lost)
            await pipeline.send("sfox", frames(3))
            await until_all_are_at(second, 3)
            assert second.seen[0].kind == "reset"
            last_id = first.last_id
        # Who read of the one that is gone goes on at the other: of what that had, without a gap.
        async with reading(urls[1], "?kind=balances", last_id=last_id, token=RISK) as stream:
            told = await stream.all_current(ALL)
            anew = {n for e in told if e.kind == "reset" for n in e.data["partitions"]}
            assert anew == lost
            await until_all_are_at(stream, 3)
        assert two.stop() == 0


async def test_who_is_told_that_a_worker_stops_knows_where_to_go(pipeline: Pipeline) -> None:
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        async with reading(url) as stream:
            await stream.all_current(ALL)
            worker._process.send_signal(15)  # type: ignore[union-attr]
            with pytest.raises(EOFError):
                await stream.until(lambda _: False)
            moved = [event.data for event in stream.seen if event.kind == "moved"]
            assert {number for one in moved for number in one["partitions"]} == ALL
        assert worker.wait() == 0
