"""Alerts of accounts that are not live, over workers that are killed, on a real Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headroom.audit import audit
from schemas.topics import ADOPTIONS, ALERTS
from tests.conftest import KafkaHandle
from tests.processors.events.reading import reading
from tests.processors.pipeline import EPOCH, PARTITIONS, Pipeline, sfox_frame, status

RULES = """
[[rule]]
name = "gone"
condition = "not_live_for"
warning = "1"
breach = "4"

[[rule]]
name = "not-asked-for"
condition = "not_live_for"
warning = "1"
users = ["somebody-else"]
"""
ACCOUNTS = [f"user-{number}" for number in range(12)]


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def told(pipeline: Pipeline) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {f"sfox:{account}": [] for account in ACCOUNTS}
    for record in await pipeline.records(ALERTS):
        alert: dict[str, Any] = json.loads(record.value)
        assert record.key.decode() == alert["user"]
        assert (alert["rule"], alert["condition"]) == ("gone", "not_live_for")
        found[alert["user"]].append(alert["level"])
    return found


async def until_told(pipeline: Pipeline, *levels: str) -> None:
    """Wait until each account was told these levels, and no others."""
    async with asyncio.timeout(60):
        while (found := await told(pipeline)) != {key: list(levels) for key in found}:
            await asyncio.sleep(0.2)


@pytest.mark.timeout(180)
async def test_each_account_is_told_once_whichever_worker_is_killed(pipeline: Pipeline) -> None:
    options = {"rules": RULES}
    frames = [(account, sfox_frame(account, 1, btc="1")) for account in ACCOUNTS]
    await pipeline.send("sfox", frames)
    with pipeline.worker("one", **options) as one, pipeline.worker("two", **options) as two:
        url = await one.ready()
        await two.ready()
        await pipeline.drained()
        async with reading(url, "?kind=alert") as stream:
            await stream.all_current(set(range(PARTITIONS)))
            await pipeline.tell(status(EPOCH, state="disconnected"))
            await until_told(pipeline, "warning")
            seen = {event.data["user"] async for event in _some(stream, len(ACCOUNTS))}
            assert seen == {f"sfox:{account}" for account in ACCOUNTS}
        # Who takes over goes on from what was told, and from when on it was so.
        one.kill()
        await until_told(pipeline, "warning", "breach")
        one.start()
        await one.ready()
        two.kill()
        await pipeline.tell(status(EPOCH))
        await until_told(pipeline, "warning", "breach", "cleared")
        assert await pipeline.records(ADOPTIONS) != []
        await pipeline.drained()
        assert one.stop() == 0
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert found.findings == []


async def _some(stream: Any, count: int) -> AsyncIterator[Any]:
    while count:
        event = await stream.next()
        if event.kind == "alert":
            count -= 1
            yield event
