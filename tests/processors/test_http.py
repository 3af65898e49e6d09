"""The questions while a worker cannot answer them, and what nobody may reach."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from faust.types import TP

from headroom.base.following import Reader
from processors.app import NOT_SERVING_SECONDS, Worker, WorkerSettings
from processors.engine.app import EngineSettings
from processors.engine.librdkafka import properties
from processors.engine.restore import Restorer
from processors.names import Names
from tests.conftest import KafkaHandle
from tests.processors.pipeline import PARTITIONS, Pipeline, sfox_frame


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


@pytest.fixture
async def held(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A worker whose restore waits for an event, and its URL; a parameter is its patience."""
    gate, original = asyncio.Event(), Restorer.run

    async def gated(self: Restorer, *args: Any, **options: Any) -> set[TP]:
        await gate.wait()
        return await original(self, *args, **options)

    monkeypatch.setattr(Restorer, "run", gated)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engine = EngineSettings(
        name=f"{pipeline.prefix}headroom",
        kafka=pipeline.kafka,
        data_dir=pipeline.folder / "data",
        partitions=PARTITIONS,
        url=url,
        session_seconds=2.0,
    )
    settings = WorkerSettings(
        engine,
        names=Names.behind(pipeline.prefix),
        not_serving_seconds=getattr(request, "param", NOT_SERVING_SECONDS),
    )
    follow = Reader(lambda: properties(pipeline.kafka))
    worker = Worker(settings, listener, follow=follow)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(20):
        while worker.app.tables._at_work is None:
            await asyncio.sleep(0.01)
    try:
        yield url, gate
    finally:
        gate.set()
        stop.set()
        await running


QUESTIONS = [
    "/v1/users",
    "/v1/users/sfox%3Aa/balances",
    "/v1/users/sfox%3Aa/exposure",
    "/v1/assets",
    "/v1/assets/BTC/exposure",
    "/v1/bases/EUR/exposure",
    "/readyz",
]


async def test_while_tables_are_restored_the_answer_is_503(
    pipeline: Pipeline, held: tuple[str, asyncio.Event]
) -> None:
    """An empty answer never stands for "not known yet": 503 with `Retry-After`, then the truth."""
    url, gate = held
    await pipeline.send("sfox", [("a", sfox_frame("a", 1, btc="1.50"))])
    async with aiohttp.ClientSession() as session:
        for path in QUESTIONS:
            async with session.get(url + path) as response:
                assert response.status == 503, path
                assert int(response.headers["Retry-After"]) >= 1
                assert response.content_type == "application/problem+json"
                assert (await response.json(content_type=None))["status"] == 503
        async with session.get(url + "/livez") as response:
            assert response.status == 200
        gate.set()
        await pipeline.drained()
        async with session.get(url + "/v1/users/sfox%3Aa/balances") as response:
            assert (await response.json())["totals"]["BTC"]["total"] == "1.50"
        async with session.get(url + "/readyz") as response:
            assert response.status == 200
        async with session.get(url + "/metrics") as response:
            text = await response.text()
        assert 'headroom_frames_normalised_total{venue="sfox"} 1.0' in text
        assert "headroom_serving 1.0" in text
        assert 'headroom_transactions_total{outcome="committed"}' in text
        assert re.search(r"^headroom_transaction_commit_seconds_sum 0\.0*[1-9]", text, re.MULTILINE)
        assert "headroom_restored_records_total" in text
        assert "process_resident_memory_bytes" in text or sys.platform != "linux"


@pytest.mark.parametrize("held", [0.5], indirect=True)
async def test_who_does_not_serve_for_long_is_not_alive(held: tuple[str, asyncio.Event]) -> None:
    """A supervisor starts it again; as soon as it serves it is well."""
    url, gate = held
    async with aiohttp.ClientSession() as session:

        async def alive() -> tuple[int, str]:
            async with session.get(url + "/livez") as response:
                return response.status, await response.text()

        async def until_alive_is(status: int) -> str:
            async with asyncio.timeout(20):
                while (answer := await alive())[0] != status:
                    await asyncio.sleep(0.05)
            return answer[1]

        assert "no group, no partitions, or tables that are not" in await until_alive_is(503)
        gate.set()
        await until_alive_is(200)


@pytest.mark.parametrize("path", ["/table", "/table/users", "/router", "/stats/", "/agent"])
async def test_nothing_of_fausts_own_web_is_reachable(
    held: tuple[str, asyncio.Event], path: str
) -> None:
    """Faust would serve its tables to anyone; here these paths do not exist."""
    url, _ = held
    async with aiohttp.ClientSession() as session, session.get(url + path) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
