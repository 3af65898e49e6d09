"""Alerts over killed workers and rebalances: one record for each crossing, with the fold."""

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headroom.audit import audit
from schemas.topics import ALERTS
from tests.conftest import KafkaHandle
from tests.processors.events.reading import Stream, reading
from tests.processors.pipeline import PARTITIONS, Pipeline

RULES = """
[[rule]]
name = "limit"
condition = "utilisation_above"
warning = "0.80"
warning_clear = "0.70"
breach = "1"
breach_clear = "0.90"
"""
ACCOUNTS = [f"user-{number}" for number in range(12)]


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


def frame(account: str, sequence: int, used: int) -> bytes:
    data = {
        "userId": account,
        "sequence": sequence,
        "assets": [],
        "baseCurrency": "EUR",
        "totalCurrentExposure": used,
        "totalMaxExposure": 100,
        "deleted": False,
    }
    event = {"subject": "account.balances.snapshot", "data": data}
    return json.dumps({"type": 1, "target": "executionEvents", "arguments": [event]}).encode()


class Market:
    """Limits that are used more and less, and the levels that follow, worked out by hand."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._level = dict.fromkeys(ACCOUNTS, "cleared")
        self._sequence = 0
        self.wanted: dict[str, list[str]] = defaultdict(list)

    def frames(self, count: int) -> list[tuple[str | None, bytes | None]]:
        found: list[tuple[str | None, bytes | None]] = []
        for _ in range(count):
            account, used = self._random.choice(ACCOUNTS), self._random.randrange(60, 110)
            self._sequence += 1
            before = self._level[account]
            if used > 100 or (before == "breach" and used > 90):
                level = "breach"
            elif used > 80 or (before != "cleared" and used > 70):
                level = "warning"
            else:
                level = "cleared"
            if level != before:
                self._level[account] = level
                self.wanted[f"hercle:{account}"].append(level)
            found.append((account, frame(account, self._sequence, used)))
        return found


async def told(pipeline: Pipeline) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for record in await pipeline.records(ALERTS):
        alert: dict[str, Any] = json.loads(record.value)
        assert record.key.decode() == alert["user"]
        found[alert["user"]].append(alert["level"])
    return found


async def newest(pipeline: Pipeline) -> dict[str, Any]:
    """The last alert of each user; each of them has one account and one rule."""
    records = [json.loads(record.value) for record in await pipeline.records(ALERTS)]
    return {alert["user"]: alert for alert in records}


def known(stream: Stream) -> dict[str, Any]:
    return {event.data["user"]: event.data for event in stream.seen if event.kind == "alert"}


async def until_known(stream: Stream, wanted: dict[str, Any]) -> None:
    while known(stream) != wanted:
        await stream.next()


@pytest.mark.timeout(180)
async def test_each_crossing_is_told_once_whoever_is_killed(pipeline: Pipeline) -> None:
    market = Market()
    with pipeline.worker("one", rules=RULES) as one:
        url = await one.ready()
        async with reading(url, "?kind=alert") as stream:
            await stream.all_current(set(range(PARTITIONS)))
            await pipeline.send("hercle", market.frames(200))
            await pipeline.drained()
            assert await told(pipeline) == market.wanted
            await until_known(stream, await newest(pipeline))
            lines = {record.value for record in await pipeline.records(ALERTS)}
            documents = [json.loads(line) for line in lines]
            assert all(event.data in documents for event in stream.seen if event.kind == "alert")
        # Killed with frames in hand, and back beside another one, which is given some of them.
        await pipeline.send("hercle", market.frames(400))
        one.kill()
        with pipeline.worker("two", rules=RULES) as two:
            one.start()
            url = await two.ready()
            await pipeline.send("hercle", market.frames(200))
            await pipeline.drained()
            last = await newest(pipeline)
            async with reading(url, "?kind=alert&snapshot=true") as stream:
                await stream.all_current(set(range(PARTITIONS)))
                standing = {user: one for user, one in last.items() if one["level"] != "cleared"}
                assert known(stream) == standing != {}
    assert await told(pipeline) == market.wanted
    assert sum(map(len, market.wanted.values())) > 100
    found = await audit(pipeline.kafka, topic_prefix=pipeline.prefix)
    assert found.findings == []
