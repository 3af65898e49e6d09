"""`headroom watch`: a worker asked over HTTP, and what is shown while it does not answer."""

import asyncio
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from headroom.base.asking import NotAnswered
from headroom.look.live import show
from headroom.look.live.ask import Worker
from headroom.look.live.scene import HeardStatus, venues_of
from headroom.look.live.show import watch
from schemas.secrets import Secret
from schemas.times import time_ns_of
from tests.headroom.look.test_query import EXPOSURE

TOKEN = "canary-0123456789"
NOW = "2026-11-24T10:00:00.000000000Z"
METRICS = """\
# TYPE headroom_frames_normalised counter
headroom_frames_normalised_total{venue="sfox"} 7.0
headroom_frames_normalised_total{venue="hercle"} 5.0
# TYPE headroom_dead_letters counter
headroom_dead_letters_total{venue="sfox",reason="amount"} 2.0
# TYPE headroom_lag_records gauge
headroom_lag_records{topic="a",partition="0"} 3.0
headroom_lag_records{topic="a",partition="1"} 1.0
# TYPE headroom_socket_to_table_seconds histogram
headroom_socket_to_table_seconds_bucket{le="0.01"} 4.0
headroom_socket_to_table_seconds_bucket{le="0.05"} 9.0
headroom_socket_to_table_seconds_bucket{le="+Inf"} 10.0
headroom_socket_to_table_seconds_count 10.0
headroom_socket_to_table_seconds_sum 0.3
"""


def status(venue: str, connection: str, state: str, heard: str | None) -> dict[str, Any]:
    return {
        "venue": venue,
        "connection": connection,
        "state": state,
        "epoch": 1,
        "last_heard": heard,
        "last_frame": heard,
        "frames": 10,
        "gaps": 0,
        "reconnects": 1,
        "time": NOW,
    }


FEEDS = [
    status("hercle", "1", "connected", "2026-11-24T09:59:58.000000000Z"),
    status("hercle", "2", "disconnected", "2026-11-24T09:59:59.500000000Z"),
    status("sfox", "", "connected", None),
]
ACCOUNTS = {"hercle": {"live": 12, "unconfirmed": 3}}
NOT_LIVE = {
    "user": "ann",
    "venue": "hercle",
    "account": "a",
    "state": "unconfirmed",
    "cause": "gap",
    "reason": "a frame is missing",
    "since": NOW,
}
LIMIT, UNKNOWN = ({"user": "hercle:a", **limit} for limit in EXPOSURE["limits"])


class FakeWorker:
    """Paths of a worker, and what it says when it cannot answer."""

    def __init__(self) -> None:
        self.restoring = False
        self.more: dict[str, Any] = {"accounts": ACCOUNTS, "unconfirmed": [NOT_LIVE]}
        self.server: TestServer | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self.metrics),
                web.get("/v1/feeds", self.feeds),
                web.get("/v1/overview", self.overview),
            ]
        )
        return app

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=METRICS)

    async def feeds(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"detail": "a bearer token is needed"}, status=401)
        return web.json_response({"feeds": FEEDS})

    async def overview(self, _: web.Request) -> web.Response:
        if self.restoring:
            return web.json_response({"detail": "tables are being restored"}, status=503)
        answer = {"users": 3, "limits": [LIMIT, UNKNOWN], "as_of": NOW}
        return web.json_response(answer | self.more)


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeWorker, str]]:
    worker = FakeWorker()
    async with TestServer(worker.app()) as server:
        worker.server = server
        yield worker, str(server.make_url("")).rstrip("/")


def test_when_a_venue_was_heard_is_not_told_by_our_clock_where_a_worker_has_heard_of_it() -> None:
    """Whatever that says: the worker counts from when it heard, the producer before that."""
    told = [{**each, "silent_seconds": 3.0} for each in FEEDS]
    for day in (-1, 0, 1):
        now_ns = time_ns_of(NOW) + day * 86_400 * 10**9
        hercle, sfox = venues_of(msgspec.convert(told, list[HeardStatus]), now_ns=now_ns)
        assert (hercle.heard_seconds, sfox.heard_seconds) == (3.5, None)


async def test_a_scene_is_what_the_worker_says(fake: tuple[FakeWorker, str]) -> None:
    _, url = fake
    async with Worker(url, token=Secret(TOKEN), clock_ns=lambda: time_ns_of(NOW)) as worker:
        scene = await worker.look(1.5)
        assert await worker.median_latency_seconds() == 0.05
    assert (scene.normalised, scene.dead_letters, scene.lag, scene.users) == (12, 2, 4, 3)
    assert (scene.elapsed_seconds, scene.frames) == (1.5, None)
    hercle, sfox = scene.venues
    assert (hercle.connected, hercle.connections, hercle.heard_seconds) == (1, 2, 0.5)
    assert (hercle.frames, hercle.reconnects) == (20, 2)
    assert (sfox.connected, sfox.heard_seconds) == (1, None)
    assert (hercle.accounts, sfox.accounts) == (ACCOUNTS["hercle"], {})
    (doubt,) = scene.doubts
    assert (doubt.user, doubt.state, doubt.reason) == ("ann", "unconfirmed", "a frame is missing")
    (used,) = scene.limits
    assert (used.user, used.current, used.utilisation) == ("hercle:a", "1430", Decimal("0.953333"))


async def test_a_worker_of_before_counts_no_accounts(fake: tuple[FakeWorker, str]) -> None:
    worker, url = fake
    worker.more = {}
    async with Worker(url, token=Secret(TOKEN)) as asked:
        scene = await asked.look(0.0)
    assert (scene.doubts, [venue.accounts for venue in scene.venues]) == ([], [{}, {}])


async def test_while_tables_are_restored_the_venues_are_seen(fake: tuple[FakeWorker, str]) -> None:
    worker, url = fake
    worker.restoring = True
    async with Worker(url, token=Secret(TOKEN)) as asked:
        scene = await asked.look(0.0)
    assert (scene.users, scene.limits, len(scene.venues)) == (None, [], 2)
    assert scene.problem == "tables are being restored"


async def test_a_token_that_is_missing_is_told(fake: tuple[FakeWorker, str]) -> None:
    _, url = fake
    with pytest.raises(NotAnswered, match="bearer token"):
        await watch(url, asyncio.Event(), console=Console(file=io.StringIO()))


async def test_a_worker_that_is_not_there_is_told() -> None:
    with pytest.raises(NotAnswered, match=r"no worker answers at http://127\.0\.0\.1:9"):
        await watch("http://127.0.0.1:9", asyncio.Event(), console=Console(file=io.StringIO()))


async def test_a_worker_that_goes_away_leaves_its_last_figures(
    fake: tuple[FakeWorker, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, url = fake
    monkeypatch.setattr(show, "PAUSE_SECONDS", 0.01)
    stop, out = asyncio.Event(), io.StringIO()
    console = Console(file=out, width=200)
    watching = asyncio.create_task(watch(url, stop, console=console, token=Secret(TOKEN)))
    async with asyncio.timeout(20):
        while "users      3" not in out.getvalue():
            await asyncio.sleep(0.01)
        assert worker.server is not None
        await worker.server.close()
        while "no worker answers" not in out.getvalue():
            await asyncio.sleep(0.01)
    stop.set()
    await watching
    last = out.getvalue().splitlines()[-1]
    assert "users      3" in last
    assert "per second      ?" in last
    assert "no worker answers" in last
    assert "canary" not in out.getvalue()
