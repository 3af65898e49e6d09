"""Standbys answer while the worker that holds a user hangs, over a real Kafka."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import KafkaHandle
from tests.processors.pipeline import (
    DEADLINE_SECONDS,
    EPOCH,
    Pipeline,
    WorkerProcess,
    answered,
    get,
    sfox_frame,
)
from tests.processors.pipeline import status as told

USERS = [f"user-{number}" for number in range(12)]
NAMES = [f"sfox:{user}" for user in USERS]
BATCH = "/v1/users/balances:batch"


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


def path(name: str, *, stale: bool = True) -> str:
    return f"/v1/users/{name}/balances" + ("?allow_stale=true" if stale else "")


async def test_a_standby_answers_for_a_worker_that_hangs(pipeline: Pipeline) -> None:
    """The group has not noticed, nor will it for a while: nobody restores anything."""
    frames = [(user, sfox_frame(user, n + 1, btc=f"1.{n}0")) for n, user in enumerate(USERS)]
    await pipeline.send("sfox", frames)
    options = {"standby_replicas": 1, "session_seconds": 60.0}
    with pipeline.worker("one", **options) as one:
        # The second one joins while nothing is in flight, and the group has its last shape then.
        await one.ready()
        with pipeline.worker("two", **options) as two:
            await two.ready()
            await pipeline.tell(told(EPOCH))
            await pipeline.drained()
            held = await _all(one.url, is_copied=False)
            try:
                two.signal(signal.SIGSTOP)
                await _answers_of_one(one, held)
            finally:
                two.signal(signal.SIGCONT)
            again = await _all(one.url, is_copied=False)
            assert {name: document["version"] for name, document in again.items()} == {
                name: document["version"] for name, document in held.items()
            }


async def _all(url: str, *, is_copied: bool) -> dict[str, Any]:
    """What is answered of everybody, once none, or one at least, of it is from a copy."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = {name: await answered(url, path(name)) for name in NAMES}
            copies = [document["copy"] for document in found.values() if "copy" in document]
            if is_copied and copies and not any(copy["lag_records"] for copy in copies):
                return found
            if not is_copied and not copies:
                return found
            await asyncio.sleep(0.1)


async def _answers_of_one(one: WorkerProcess, held: dict[str, Any]) -> None:
    found = await _all(one.url, is_copied=True)
    copied = {name for name, document in found.items() if "copy" in document}
    assert copied != set(NAMES)
    for name in copied:
        document = found[name]
        # It heard of everything: control markers are read over, and count as nothing.
        assert document["copy"]["of"] == "standby"
        assert document["copy"]["lag_records"] == 0
        assert document["copy"]["applied_time"] > document["freshness"]["source_time"]
        assert document["totals"] == held[name]["totals"]
        assert document["freshness"]["state"] != "live"
    one_of = min(copied)
    assert (await get(one.url, path(one_of, stale=False)))[0] == 503
    assert (await get(one.url, f"{path(one_of)}&require=live"))[0] == 503
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{one.url}{BATCH}?allow_stale=true", json={"users": NAMES}) as answer,
    ):
        users = (await answer.json())["users"]
    assert {name for name, document in users.items() if "copy" in document} == copied
    assert {name: document["totals"] for name, document in users.items()} == {
        name: document["totals"] for name, document in held.items()
    }
