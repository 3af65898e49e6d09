"""Answers from copies while nobody answers who holds the row: which, when, and how marked.

Three workers without Kafka: what each holds, and what lies there as a copy, a test says.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from processors.engine.copies import Copy
from processors.freshness import user_freshness
from processors.http.access import Access, Grant, guarded, hashed
from processors.http.of_users import UserQuestions
from processors.http.ownership import Ownership
from schemas.codec import encode
from schemas.secrets import Secret
from tests.processors.connections import at, connections, status
from tests.processors.ledger.snapshots import last, snapshot

RISK, PORTAL, FELLOWS = (f"canary-{name}-0123456789-0123456789" for name in "rpw")
A, B = "sfox:a", "sfox:b"
BALANCES = f"/v1/users/{A}/balances"
STALE = f"{BALANCES}?allow_stale=true"


def row(version: int = 1, account: str = "a", **fields: Any) -> bytes:
    """A row whose frames came 50 seconds before the moment, which its connection confirms since."""
    assets = {"BTC": "1"}
    seen = [
        snapshot(1, n, n, account=account, assets=assets, **fields) for n in range(1, version + 1)
    ]
    return encode(last([msgspec.structs.replace(one, received_time=at(950)) for one in seen]).state)


def copy(lag: int | None, version: int = 1, *, account: str = "a", **fields: Any) -> Copy:
    return Copy(
        row(version, account), **{"is_standby": True, "lag": lag, "applied_ms": 0, **fields}
    )


class Worker:
    """One worker's view: who holds what (`owners`), its rows, and its copies."""

    def __init__(self, url: str, urls: list[str]) -> None:
        self.url = url
        self.serving = True
        self.owners: dict[str, str | None] = {}
        self.rows: dict[str, bytes] = {}
        self.copies: dict[str, Copy] = {}
        self.workers = lambda: urls
        self.asked: list[tuple[str, str | None]] = []
        table: Any = SimpleNamespace(committed=lambda _, key: self.rows.get(key.decode()))
        self.ownership = Ownership(self, url, Secret(FELLOWS))  # type: ignore[arg-type]
        known = connections(status(1))
        self.feeds: Any = SimpleNamespace(
            freshness=lambda state, copied=None: user_freshness(state, known, copied)
        )
        agents: Any = SimpleNamespace(users=table, in_assets=frozenset())
        self.questions = UserQuestions(agents, self.ownership, self.feeds)

    def owner(self, _: Any, key: bytes) -> tuple[int, str | None]:
        return 0, self.owners.get(key.decode())

    async def copy_of(self, _: Any, key: bytes) -> Copy | None:
        return self.copies.get(key.decode())

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        grants = [
            Grant("risk", hashed(RISK), None),
            Grant("portal", hashed(PORTAL), frozenset({B})),
        ]

        @web.middleware
        async def noting(request: web.Request, handler: Any) -> Any:
            self.asked.append((request.rel_url.path, request.headers.get("X-Headroom-Forwarded")))
            return await handler(request)

        app = web.Application(middlewares=[noting, guarded(Access(grants, Secret(FELLOWS)))])
        app.add_routes(self.questions.routes())
        async with TestServer(app, port=int(self.url.rpartition(":")[2])):
            try:
                yield
            finally:
                await self.ownership.close()


class Group:
    """Workers `one`, `two`, `three`; `one` is asked, and `three` holds what nobody else does."""

    def __init__(self) -> None:
        self.urls = [f"http://127.0.0.1:{unused_port()}" for _ in range(3)]
        self.one, self.two, self.three = (Worker(url, self.urls) for url in self.urls)
        self.gone = f"http://127.0.0.1:{unused_port()}"

    def held_by(self, url: str | None, *users: str) -> None:
        for worker in (self.one, self.two, self.three):
            worker.owners.update(dict.fromkeys(users or (A, B), url))

    async def ask(
        self, path: str, *, token: str = RISK, body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        given = {"Authorization": f"Bearer {token}", **headers}
        method = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.one.url + path, headers=given, json=body) as response,
        ):
            text = await response.read()
            return response.status, json.loads(text) if text else None, response.headers


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    made = Group()
    async with contextlib.AsyncExitStack() as stack:
        for worker in (made.one, made.two, made.three):
            await stack.enter_async_context(worker.answering())
        yield made


async def test_without_the_word_nobody_is_told_of_a_copy(group: Group) -> None:
    group.held_by(group.gone)
    group.one.copies[A] = copy(0)
    for path in (BALANCES, f"{BALANCES}?allow_stale=false", f"{STALE}&require=live"):
        status_, problem, _ = await group.ask(path)
        assert (status_, problem["title"]) == (503, "Service Unavailable")
    status_, _, _ = await group.ask("/v1/users/balances:batch", body={"users": [A]})
    assert status_ == 503
    assert (await group.ask(f"{BALANCES}?allow_stale=yes"))[0] == 400
    assert {path for path, _ in group.two.asked} == set()


async def test_a_copy_is_marked_is_never_live_and_has_no_etag(group: Group) -> None:
    group.held_by(group.one.url)
    group.one.rows[A] = row()
    _, live, said = await group.ask(BALANCES)
    assert (live["freshness"]["state"], said["X-Headroom-Answered-By"]) == ("live", "owner")
    assert "copy" not in live
    tag = said["ETag"]
    # The same row, and the same connection; but by now another worker has it, and is silent.
    group.held_by(group.gone)
    group.one.copies[A] = copy(0)
    status_, found, said = await group.ask(STALE, **{"If-None-Match": f'{tag}, "*"'})
    assert status_ == 200
    assert found["copy"] == {
        "of": "standby",
        "lag_records": 0,
        "applied_time": "1970-01-01T00:00:00.000000000Z",
    }
    assert found["freshness"]["state"] == "unconfirmed"
    assert found["freshness"]["stale"] is True
    assert {one["cause"] for one in found["freshness"]["accounts"]} == {"copy"}
    assert found["accounts"] == live["accounts"]
    ages = [one["freshness"]["age_seconds"] for one in (live, found)]
    assert ages == [1.0, 50.0]
    assert "ETag" not in said
    assert said["Cache-Control"] == "no-store"
    assert said["X-Headroom-Answered-By"] == "standby"
    for what in ("exposure", "explain"):
        path = f"/v1/users/{A}/{what}?allow_stale=true&asset=btc"
        status_, found, _ = await group.ask(path)
        assert (status_, found["copy"]["of"]) == (200, "standby")


async def test_who_holds_the_row_is_believed_also_where_it_says_no(group: Group) -> None:
    group.held_by(group.three.url)
    group.one.copies[A] = group.two.copies[A] = copy(0)
    assert (await group.ask(STALE))[0] == 404
    group.three.rows[A] = row(2)
    status_, found, said = await group.ask(STALE)
    assert (status_, found["version"], "copy" in found) == (200, 2, False)
    assert (await group.ask(STALE, **{"If-None-Match": said["ETag"]}))[0] == 304
    status_, problem, _ = await group.ask(f"{STALE}&max_age_seconds=0")
    assert (status_, "s old" in problem["detail"]) == (503, True)
    assert group.two.asked == []


async def test_of_several_copies_the_least_behind_is_told(group: Group) -> None:
    group.held_by(group.gone)
    group.one.copies[A], group.two.copies[A] = copy(None), copy(7, 3)
    assert (await group.ask(STALE))[1]["version"] == 3
    group.three.copies[A] = copy(6, 4, is_standby=False, applied_ms=None)
    _, found, said = await group.ask(STALE)
    assert found["copy"] == {"of": "restoring", "lag_records": 6, "applied_time": None}
    assert (found["version"], "ETag" in said, said["Cache-Control"]) == (4, False, "no-store")
    # By now another one knows that it holds the row itself.
    group.two.owners[A] = group.two.url
    group.two.rows[A] = row(5)
    _, found, _ = await group.ask(STALE)
    assert (found["version"], "copy" in found) == (5, False)
    # Nobody is asked where what is here lacks nothing.
    del group.three.asked[:]
    group.one.copies[A] = copy(0, 2)
    assert (await group.ask(STALE))[1]["version"] == 2
    assert group.three.asked == []


async def test_while_tables_are_restored_or_nobody_holds_a_key(group: Group) -> None:
    group.one.copies[A] = copy(3, is_standby=False)
    group.held_by(None)
    assert (await group.ask(STALE))[1]["copy"]["of"] == "restoring"
    group.held_by(group.three.url)
    group.three.serving = False
    group.three.copies[A] = copy(2, is_standby=False)
    assert (await group.ask(STALE))[1]["copy"]["lag_records"] == 2
    group.one.serving = False
    assert (await group.ask(STALE))[1]["copy"]["lag_records"] == 2
    # It serves again before the one that is asked does.
    group.three.serving, group.three.rows[A] = True, row()
    assert "copy" not in (await group.ask(STALE))[1]


async def test_a_copy_does_not_say_that_there_is_nobody(group: Group) -> None:
    group.held_by(group.gone)
    deleted = row(deleted=True)
    for found in (None, Copy(None, True, 0, 0), Copy(deleted, True, 0, 0)):
        group.one.copies = {} if found is None else {A: found}
        status_, problem, _ = await group.ask(STALE)
        assert (status_, "does not answer" in problem["detail"]) == (503, True)
    group.one.copies[A] = copy(0)
    status_, _, _ = await group.ask(f"/v1/users/{A}/explain?asset=nothing&allow_stale=true")
    assert status_ == 503
    # Nor is a token told more by it than it may know.
    assert (await group.ask(STALE, token=PORTAL))[0] == 404


async def test_a_copy_has_to_meet_the_other_terms(group: Group) -> None:
    group.held_by(group.gone)
    group.one.copies[A] = group.two.copies[A] = copy(1)
    age = (await group.ask(STALE))[1]["freshness"]["age_seconds"]
    assert (await group.ask(f"{STALE}&max_age_seconds={age + 1}"))[0] == 200
    assert (await group.ask(f"{STALE}&max_age_seconds={age - 1}"))[0] == 503


async def test_a_batch_takes_each_from_who_has_it(group: Group) -> None:
    path, body = "/v1/users/balances:batch?allow_stale=true", {"users": [A, B, "sfox:c"]}
    group.held_by(group.gone, A, "sfox:c")
    group.held_by(group.three.url, B)
    group.three.rows[B] = row(2, "b")
    group.one.copies[A], group.two.copies[A] = copy(5), copy(4, 3)
    status_, problem, _ = await group.ask(path, body=body)
    assert (status_, "of 1 users" in problem["detail"]) == (503, True)
    group.two.owners["sfox:c"] = group.two.url
    status_, found, _ = await group.ask(path, body=body)
    assert status_ == 200
    users = found["users"]
    assert users["sfox:c"] is None
    assert (users[A]["version"], users[A]["copy"]["lag_records"]) == (3, 4)
    assert (users[B]["version"], "copy" in users[B]) == (2, False)
    # A token is told of its users, and no worker is asked for others.
    _, found, _ = await group.ask(path, body=body, token=PORTAL)
    assert {name: one is None for name, one in found["users"].items()} == {
        A: True,
        B: False,
        "sfox:c": True,
    }
    group.one.serving = group.three.serving = False
    group.three.copies[B] = copy(1, 2, account="b")
    _, found, _ = await group.ask(path, body={"users": [B]})
    assert found["users"][B]["copy"]["lag_records"] == 1


async def test_it_is_written_down_as_any_question(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "headroom.questions")
    group.held_by(group.gone)
    group.two.copies[A] = copy(1)
    await group.ask(STALE)
    lines = [json.loads(one.getMessage()) for one in caplog.records if "questions" in one.name]
    assert [(one["by"], one["users"], one["status"]) for one in lines] == [("risk", [A], 200)]
