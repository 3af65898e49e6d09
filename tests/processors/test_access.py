"""Tokens over HTTP: who may ask what, and that a worker's credential is its own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from processors.http.access import (
    FORWARDED,
    Access,
    Grant,
    grant_of,
    guarded,
    hashed,
    passed_on,
    require_all,
)
from processors.http.problems import Problem
from schemas.secrets import Secret
from tests.conftest import KafkaHandle
from tests.processors.pipeline import DEADLINE_SECONDS, Pipeline, sfox_frame

RISK, PORTAL, WORKER = (f"canary-{name}-0123456789-0123456789" for name in ("r", "p", "w"))
USERS = [f"user-{number}" for number in range(12)]
MINE = ["sfox:user-3", "sfox:user-4", "sfox:user-7", "sfox:nobody"]


def access() -> Access:
    return Access(
        [Grant("risk", hashed(RISK), None), Grant("portal", hashed(PORTAL), frozenset({"a"}))],
        Secret(WORKER),
    )


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A path for some, one for all, and one that needs no token."""

    async def mine(request: web.Request) -> web.Response:
        grant = grant_of(request)
        said = {"name": grant.name, "a": grant.covers("a"), "b": grant.covers("b")}
        return web.json_response({**said, "passed_on": passed_on(request)})

    async def sums(request: web.Request) -> web.Response:
        require_all(request)
        return web.json_response({})

    app = web.Application(middlewares=[guarded(access())])
    app.add_routes([web.get("/v1/mine", mine), web.get("/v1/sums", sums), web.get("/livez", sums)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def ask(url: str, path: str, *headers: tuple[str, str]) -> tuple[int, Any, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=list(headers)) as response,
    ):
        return response.status, await response.json(content_type=None), response.headers


def bearer(token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {token}")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [bearer("")],
        [bearer(RISK + "x")],
        [bearer(RISK[:-1])],
        [bearer(hashed(RISK).hex())],
        [("Authorization", f"Basic {RISK}")],
        [("Authorization", RISK)],
        [bearer(RISK), bearer(RISK)],
        [bearer("ü")],
        [("X-Token", RISK)],
        [(FORWARDED, "1")],
    ],
)
async def test_without_a_known_token_the_answer_is_401(
    site: str, headers: list[tuple[str, str]]
) -> None:
    for path in ("/v1/mine", "/v1/sums", "/v1/nothing", "/elsewhere"):
        status, problem, said = await ask(site, path, *headers)
        assert (status, problem["status"]) == (401, 401)
        assert said["WWW-Authenticate"].startswith("Bearer")
        assert said["Content-Type"].startswith("application/problem+json")
        assert "canary" not in str(problem)
    assert (await ask(site, f"/v1/mine?token={RISK}"))[0] == 401


async def test_a_token_allows_what_its_grant_says(site: str) -> None:
    assert (await ask(site, "/v1/mine", bearer(RISK)))[1] == {
        "name": "risk",
        "a": True,
        "b": True,
        "passed_on": False,
    }
    _, portal, _ = await ask(site, "/v1/mine", ("authorization", f"bearer  {PORTAL}"))
    assert (portal["a"], portal["b"]) == (True, False)
    assert (await ask(site, "/v1/sums", bearer(RISK)))[0] == 200
    assert (await ask(site, "/v1/sums", bearer(PORTAL)))[0] == 403


async def test_probes_need_no_token(site: str) -> None:
    assert (await ask(site, "/livez"))[0] == 200


async def test_only_a_worker_passes_questions_on(site: str) -> None:
    """Else anybody could have a part of an answer passed off as the whole."""
    for token, expected in ((RISK, False), (PORTAL, False), (WORKER, True)):
        _, said, _ = await ask(site, "/v1/mine", bearer(token), (FORWARDED, "1"))
        assert said["passed_on"] is expected
    assert (await ask(site, "/v1/mine", bearer(WORKER)))[1]["passed_on"] is False


async def test_nothing_shows_a_token() -> None:
    assert "canary" not in repr(access()) + repr(vars(access()))
    with pytest.raises(Problem):
        await access()._find([f"Bearer {RISK}x"])


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def test_any_worker_answers_whoever_may_ask(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Two workers share the users; a token for some of them finds these, and only these."""
    caplog.set_level(logging.DEBUG)
    frames = [(user, sfox_frame(user, 1, btc="1")) for user in USERS]
    await pipeline.send("sfox", frames)
    options = {
        "debug": True,
        "worker_token": WORKER,
        "tokens": [["risk", RISK, None], ["portal", PORTAL, MINE]],
    }
    with pipeline.worker("one", **options) as one, pipeline.worker("two", **options) as two:
        urls = [await worker.ready() for worker in (one, two)]
        await pipeline.drained()
        for url in urls:
            for user in USERS:
                path = f"/v1/users/sfox:{user}/balances"
                assert (await settled(url, path, RISK))[0] == 200
                status, problem = await settled(url, path, PORTAL)
                assert status == (200 if f"sfox:{user}" in MINE else 404)
                explain = path.replace("balances", "explain?asset=btc")
                assert (await settled(url, explain, PORTAL))[0] == status
                # In the very words in which one is told of who does not exist.
                nobody = await settled(url, path.replace(user, "nobody"), RISK)
                if status == 404:
                    assert str(problem).replace(user, "nobody") == str(nobody[1])
            assert (await settled(url, "/v1/users", RISK))[1]["users"] == sorted(
                f"sfox:{user}" for user in USERS
            )
            assert (await settled(url, "/v1/users", PORTAL))[1]["users"] == sorted(MINE)[1:]
            first = (await settled(url, "/v1/users?limit=2", PORTAL))[1]
            assert first == {"users": sorted(MINE)[1:3], "next": sorted(MINE)[2]}
            rest = await settled(url, f"/v1/users?limit=2&after={first['next']}", PORTAL)
            assert rest[1] == {"users": sorted(MINE)[3:], "next": None}
            assert (await settled(url, "/v1/assets", RISK))[1]["assets"] == ["BTC"]
            for path in ("/v1/assets", "/v1/assets/BTC/exposure", "/v1/feeds", "/v1/overview"):
                assert (await settled(url, path, PORTAL))[0] == 403
                assert (await ask(url, path))[0] == 401
    assert "canary" not in one.log.read_text() + two.log.read_text() + caplog.text


async def test_a_worker_that_is_not_known_is_told_of(pipeline: Pipeline) -> None:
    """Two workers with different credentials: 503 for who asks, the reason in the log."""
    await pipeline.send("sfox", [(user, sfox_frame(user, 1, btc="1")) for user in USERS])
    tokens = [["risk", RISK, None]]
    with (
        pipeline.worker("one", tokens=tokens, worker_token=WORKER) as one,
        pipeline.worker("two", tokens=tokens, worker_token=WORKER + "x") as two,
    ):
        urls = [await worker.ready() for worker in (one, two)]
        await pipeline.drained()
        async with asyncio.timeout(DEADLINE_SECONDS):
            for url, worker in zip(urls, (one, two), strict=True):
                # At first it may be 503 because partitions are moved, and never anything else.
                while "HEADROOM_WORKER_TOKEN" not in worker.log.read_text():
                    assert (await ask(url, "/v1/users", bearer(RISK)))[0] == 503


async def settled(url: str, path: str, token: str) -> tuple[int, Any]:
    """An answer, after as many 503 as it takes."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            status, document, _ = await ask(url, path, bearer(token))
            if status != 503:
                return status, document
