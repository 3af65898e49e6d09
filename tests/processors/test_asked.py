"""What a token asks is written down, how often it may ask is bounded, and tokens change."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from processors.http.access import (
    FORWARDED,
    Access,
    Grant,
    grant_of,
    guarded,
    hashed,
)
from processors.http.asked import note_asked
from processors.http.problems import not_found
from processors.http.rates import Rates
from schemas.secrets import Secret

RISK, PORTAL, SLOW, WORKER = (f"canary-{name}-0123456789-0123456789" for name in "rpsw")


class Site:
    """A worker's guard before a handler, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.access = Access(
            [
                Grant("risk", hashed(RISK), None),
                Grant("portal", hashed(PORTAL), frozenset({"a"})),
                Grant("slow", hashed(SLOW), None, 2),
            ],
            Secret(WORKER),
            clock=lambda: self.now,
        )
        self.url = ""

    async def user(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        note_asked(request, [user])
        if user == "broken":
            raise ValueError(user)
        if not grant_of(request).covers(user):
            raise not_found("no such user")
        return web.json_response({})

    async def ask(self, token: str, user: str, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {token}", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/v1/users/{user}/balances", headers=given) as response,
        ):
            await response.read()
            return response


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application(middlewares=[guarded(made.access)])
    app.add_routes([web.get("/v1/users/{user}/balances", made.user)])
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made


async def test_who_asked_about_whom_is_one_line_also_where_the_answer_is_no(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "headroom.questions")
    await site.ask(RISK, "a")
    await site.ask(PORTAL, "b")
    await site.ask(RISK, "broken")
    # A fellow asks for somebody whom it has checked, and written down.
    await site.ask(WORKER, "a", **{FORWARDED: "1"})
    lines = [r.getMessage() for r in caplog.records if r.name == "headroom.questions"]
    told = [json.loads(line) for line in lines]
    assert [(one["by"], one["users"], one["status"]) for one in told] == [
        ("risk", ["a"], 200),
        ("portal", ["b"], 404),
        ("risk", ["broken"], None),
    ]
    assert all(one["path"].startswith("/v1/users/") and one["at"].endswith("Z") for one in told)
    assert not any(token in caplog.text for token in (RISK, PORTAL, WORKER))


async def test_a_token_may_ask_so_often_and_others_as_often_as_they_like(site: Site) -> None:
    assert [(await site.ask(SLOW, "a")).status for _ in range(3)] == [200, 200, 429]
    refused = await site.ask(SLOW, "a")
    assert refused.content_type == "application/problem+json"
    assert refused.headers["Retry-After"] == "30"
    assert {(await site.ask(RISK, "a")).status for _ in range(5)} == {200}
    site.now += 29.9
    assert (await site.ask(SLOW, "a")).status == 429
    site.now += 0.1
    assert [(await site.ask(SLOW, "a")).status for _ in range(2)] == [200, 429]


async def test_a_token_that_was_taken_away_is_not_known(site: Site) -> None:
    risk, portal = site.access._grants[:2]
    assert (await site.ask(PORTAL, "a")).status == 200
    changed = Grant("portal", portal.digest, frozenset({"b"}))
    site.access.replace([risk, changed])
    assert site.access.knows(risk)
    assert not site.access.knows(portal)
    assert (await site.ask(PORTAL, "a")).status == 404
    site.access.replace([changed])
    assert (await site.ask(RISK, "a")).status == 401
    assert (await site.ask(WORKER, "a")).status == 200


@given(
    per_minute=st.integers(1, 5),
    pauses=st.lists(st.sampled_from((0.0, 0.0, 0.0, 0.5, 20.0, 600.0)), min_size=1, max_size=50),
)
def test_no_minute_has_more_than_twice_its_questions(per_minute: int, pauses: list[float]) -> None:
    """A full bucket, and what flows in meanwhile; and who waits as told may ask."""
    now = 0.0
    rates = Rates(lambda: now)
    asked: list[float] = []
    for pause in pauses:
        now += pause
        wait = rates.take("one", per_minute)
        if not wait:
            asked.append(now)
            continue
        now += wait + 1e-6
        assert rates.take("one", per_minute) == 0.0
        asked.append(now)
    for begin in asked:
        assert sum(begin <= at < begin + 60 for at in asked) <= 2 * per_minute
