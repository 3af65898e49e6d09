"""Workers on a real Kafka: what they write, what they answer, what their death costs."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from headroom.audit import Audit, audit
from schemas.topics import BALANCES_LATEST
from tests.conftest import KafkaHandle
from tests.processors.pipeline import Pipeline, answered, get, sfox_frame

pytestmark = pytest.mark.slow

USERS = [f"user-{number}" for number in range(30)]


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


def frames(count: int, *, seed: int, start: int = 1) -> list[tuple[str | None, bytes | None]]:
    """Frames of random users, each sequence a little richer than the last."""
    rng = random.Random(seed)
    found: list[tuple[str | None, bytes | None]] = []
    for sequence in range(start, start + count):
        user = rng.choice(USERS)
        assets = {
            asset: f"{rng.randrange(10**6)}.{rng.randrange(10**8):08d}"
            for asset in rng.sample(["btc", "eth", "usd", "sol"], rng.randrange(1, 4))
        }
        found.append((user, sfox_frame(user, sequence, **assets)))
    return found


def assert_sound(found: Audit, *, raw: int) -> None:
    assert not found.findings, found.findings[:5]
    assert found.lost == 0
    assert found.raw == raw
    assert found.normalised + found.dead_lettered == raw


def assert_told(log: str, letters: list[dict[str, bytes]]) -> None:
    """Of each kind of what could not be read a line of JSON names the event, by its fields too."""
    objects = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    lines = [line for line in objects if line["logger"] == "headroom.unread"]
    buried = {
        "{}/{}/{}".format(*(letter[f"__connect.errors.{name}"].decode() for name in names)): letter[
            "headroom.reason"
        ].decode()
        for letter in letters
        for names in [("topic", "partition", "offset")]
    }
    assert {line["reason"] for line in lines} == set(buried.values())
    for line in lines:
        place = f"{line['topic']}/{line['partition']}/{line['offset']}"
        assert buried[place] == line["reason"]
        assert (line["ce_id"], line["venue"], line["level"]) == (place, "sfox", "WARNING")
        assert line["ce_id"] in line["message"]


async def test_every_frame_ends_in_the_table_or_in_the_dead_letters(pipeline: Pipeline) -> None:
    """Bad frames are buried with their reason, their neighbours go through (I2 to I5)."""
    bad = [
        ("user-1", b"\xff\xfe"),
        (None, b"{cut"),
        ("user-2", sfox_frame("user-2", 5, btc="1e400")),
        ("user-3", b'{"sequence": 7}'),
        ("user-4", b"[" * 3000),
        ("user-5", sfox_frame("user-5", 6, btc="1", BTC="2")),
        (None, None),
    ]
    good = frames(200, seed=1)
    await pipeline.send("sfox", [*good[:100], *bad, *good[100:]])
    with pipeline.worker("one", logs="json") as worker:
        await worker.ready()
        await pipeline.drained()
        letters = [dict(record.headers) for record in await pipeline.dead_letters()]
        reasons = [letter["headroom.reason"] for letter in letters]
        assert sorted(reasons) == sorted(
            [
                b"not_utf8",
                b"not_json",
                b"amount",
                b"unknown_message",
                b"too_deep",
                b"duplicate_asset",
                b"not_json",
            ]
        )
        assert worker.stop() == 0
    assert_told(worker.log.read_text(), letters)
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert_sound(found, raw=207)
    assert found.dead_lettered == len(bad)


async def test_answers_are_those_of_the_table(pipeline: Pipeline) -> None:
    """HTTP answers what lies in `balances.latest.v1`, with odd ids, 404 for nobody."""
    odd = ["a b", "a/b", "a\nb", "🙂", "x" * 200, "per%cent?&#", "{user}", "a{b"]
    await pipeline.send("sfox", [(user, sfox_frame(user, 9, btc="1.10")) for user in odd])
    with pipeline.worker("one") as worker:
        url = await worker.ready()
        await pipeline.drained()
        for user in odd:
            path = f"/v1/users/{quote(f'sfox:{user}', safe='')}/balances"
            document = await answered(url, path)
            assert document["accounts"][0]["account"] == user
            assert document["totals"] == {
                "BTC": {"total": "1.10", "available": "1.10", "held": "0"}
            }
            assert document["freshness"]["source"] == document["accounts"][0]["source"]
        page = await answered(url, "/v1/users?limit=4")
        rest = await answered(url, f"/v1/users?limit=4&after={quote(page['next'], safe='')}")
        assert page["users"] + rest["users"] == sorted(f"sfox:{user}" for user in odd)
        assert (await answered(url, "/v1/assets/btc/exposure"))["total"] == "8.80"
        assert (await answered(url, "/v1/assets"))["assets"] == ["BTC"]
        status, problem = await get(url, "/v1/users/sfox%3Anobody/balances")
        assert (status, problem["status"]) == (404, 404)
        assert (await get(url, "/v1/users?limit=0"))[0] == 400
        assert (await get(url, f"/v1/users?limit={'9' * 5_000}"))[0] == 400
        assert (await get(url, "/v1/bases/EUR/exposure"))[0] == 404
        assert (await get(url, "/table/"))[0] == 404


async def test_two_workers_answer_alike_and_one_takes_over(pipeline: Pipeline) -> None:
    """Both workers answer for every user; after one was killed the other answers for all."""
    await pipeline.send("sfox", frames(300, seed=2))
    with pipeline.worker("one") as one, pipeline.worker("two") as two:
        urls = [await one.ready(), await two.ready()]
        await pipeline.drained()
        users = (await answered(urls[0], "/v1/users?limit=1000"))["users"]
        assert users
        for user in users:
            path = f"/v1/users/{quote(user, safe='')}/balances"
            first, second = [await answered(url, path) for url in urls]
            first.pop("freshness")
            second.pop("freshness")
            assert first == second
        one.kill()
        await pipeline.send("sfox", frames(300, seed=3, start=1000))
        await pipeline.drained()
        after = (await answered(urls[1], "/v1/users?limit=1000"))["users"]
        assert set(users) <= set(after)
        for user in after:
            await answered(urls[1], f"/v1/users/{quote(user, safe='')}/exposure")
    assert_sound(await audit(pipeline.kafka, topic_prefix=pipeline.prefix), raw=600)


@pytest.mark.parametrize("store", ["rocksdb", pytest.param("memory", marks=pytest.mark.long)])
async def test_nothing_is_lost_when_a_worker_is_killed_again_and_again(
    pipeline: Pipeline, store: str
) -> None:
    """Kill -9 in the middle of the work, five times; the last one close to the end (I2 to I5)."""
    sent = 0
    rng = random.Random(4)
    for number in range(5):
        await pipeline.send("sfox", frames(400, seed=number, start=1 + sent))
        sent += 400
        with pipeline.worker("one", store=store) as worker:
            await worker.ready()
            await asyncio.sleep(rng.random() * 0.4)
            worker.kill()
    with pipeline.worker("one", store=store) as worker:
        await worker.ready()
        await pipeline.drained()
        assert worker.stop() == 0
    assert_sound(await audit(pipeline.kafka, topic_prefix=pipeline.prefix), raw=sent)


async def test_a_worker_that_cannot_send_stops_with_its_reason(pipeline: Pipeline) -> None:
    """A record that Kafka refuses stops the worker with status 1 and nothing committed over it."""
    await pipeline.configure(BALANCES_LATEST, {"max.message.bytes": "100"})
    with pipeline.worker("one") as worker:
        await worker.ready()
        await pipeline.send("sfox", frames(5, seed=5))
        assert worker.wait() == 1
        reason = worker.log.read_text()
        assert "cannot commit a transaction" in reason
        assert f"{pipeline.prefix}{BALANCES_LATEST}" in reason
    assert await pipeline.lag() > 0
    await pipeline.configure(BALANCES_LATEST, {"max.message.bytes": "1000000"})
    with pipeline.worker("one") as worker:
        await worker.ready()
        await pipeline.drained()
    assert_sound(await audit(pipeline.kafka, topic_prefix=pipeline.prefix), raw=5)
