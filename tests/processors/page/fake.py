"""A worker of a few lines: it tells what a test wants, in documents of the contract."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from headroom.base.partitioner import partition_of
from processors.http.page.serving import Page

PARTITIONS = 4
TIME = "2026-11-29T17:00:00.000000000Z"
Event = tuple[str, dict[str, Any]]


def freshness(venue: str, account: str, state: str = "live", reason: str | None = None) -> Any:
    why = {"cause": reason and "gap", "reason": reason, "since": reason and TIME}
    one = {"venue": venue, "account": account, "state": state, **why, "age_seconds": 1.25}
    beside = {"source": None, "source_time": TIME, "age_seconds": 1.25, "stale": state != "live"}
    return {**beside, "state": state, **why, "accounts": [one]}


def exposure(user: str, utilisation: str, version: int = 1, **fresh: Any) -> dict[str, Any]:
    """A user of Hercle's who uses so much of a limit of 1000 EUR."""
    venue, _, account = user.partition(":")
    used = {"current": "950.50", "max": "1000", "headroom": "49.50", "utilisation": utilisation}
    held = {"total": "1250.100000000000000001", "available": "1000.1", "held": "250"}
    whose = {"venue": venue, "account": account, "asset": None, "base_currency": "EUR"}
    return {
        "user": user,
        "assets": {"USDT": {**held, "by_venue": {venue: held["total"]}}},
        "limits": [{**whose, **used}],
        "version": version,
        "freshness": freshness(venue, account, **fresh),
    }


def balances(told: dict[str, Any]) -> dict[str, Any]:
    """The same user's balances."""
    one = told["freshness"]["accounts"][0]
    assets = {
        name: {**held, "wallets": {"trading": held["total"], "lending": "0"}, "exposure": None}
        for name, held in told["assets"].items()
    }
    account = {**one, "user": told["user"], "assets": assets}
    return {**told, "accounts": [account], "totals": told["assets"]}


def alert(user: str, level: str, **fields: Any) -> dict[str, Any]:
    """A `LimitAlert`."""
    venue, _, account = user.partition(":")
    limit = {"asset": None, "base_currency": "EUR", "current": "950.50", "max": "1000"}
    said = {"condition": "utilisation_above", "value": "0.950500", "threshold": "0.9"}
    whose = {"user": user, "venue": venue, "account": account, "level": level, "time": TIME}
    return {**whose, **limit, "utilisation": "0.950500", "rule": "near", **said, **fields}


class Fake:
    """Users, and what is told of them; `tell` goes to everybody who reads."""

    def __init__(self, users: Iterable[dict[str, Any]]) -> None:
        self.users = {told["user"]: told for told in users}
        self.readers: list[asyncio.Queue[Event | None]] = []
        self.last_ids: list[str | None] = []
        self.refuses: int | None = None
        self._id = 0

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "exposure":
            self.users[data["user"]] = data
        for reader in self.readers:
            reader.put_nowait((kind, data))

    def cut(self) -> None:
        """End all streams."""
        for reader in self.readers:
            reader.put_nowait(None)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                *Page().routes(),
                web.get("/v1/events", self.events),
                web.get("/v1/users/{user}/{what}", self.user),
                web.get("/v1/assets", self.assets),
                web.get("/v1/assets/{name}/exposure", self.asset),
                web.get("/v1/bases/{name}/exposure", self.base),
                web.get("/v1/feeds", self.feeds),
            ]
        )
        return app

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.last_ids.append(request.headers.get("Last-Event-ID"))
        if self.refuses is not None:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "0"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        mine: asyncio.Queue[Event | None] = asyncio.Queue()
        self.readers.append(mine)
        try:
            if self.last_ids[-1] is None:
                await self._write(response, ("reset", {"partitions": [*range(PARTITIONS)]}))
                for told in self.users.values():
                    await self._write(response, ("exposure", told))
            await self._write(response, ("current", {"partitions": [*range(PARTITIONS)]}))
            while (event := await mine.get()) is not None:
                await self._write(response, event)
        finally:
            self.readers.remove(mine)
        return response

    async def _write(self, response: web.StreamResponse, event: Event) -> None:
        self._id += 1
        kind, data = event
        text = f"event: {kind}\ndata: {json.dumps(data)}\nid: {self._id}\n\n"
        await response.write(text.encode())

    async def user(self, request: web.Request) -> web.Response:
        told = self.users.get(request.match_info["user"])
        if told is None:
            return web.json_response({"status": 404, "detail": "no such user"}, status=404)
        is_balances = request.match_info["what"] == "balances"
        return web.json_response(balances(told) if is_balances else told)

    async def assets(self, _: web.Request) -> web.Response:
        return web.json_response({"assets": ["USDT"]})

    async def asset(self, _: web.Request) -> web.Response:
        held = {"total": "1250.100000000000000001", "available": "1000.1", "held": "250"}
        users = len(self.users)
        return web.json_response({"asset": "USDT", **held, "users": users, "version": 1})

    async def base(self, _: web.Request) -> web.Response:
        amounts = {"current": "12345678901234567890.05", "max": "99999999999999999999.1"}
        rest = {"headroom": "87654321098765432109.05", "utilisation": "0.123456"}
        counts = {"accounts": len(self.users), "version": 1}
        return web.json_response({"base_currency": "EUR", **amounts, **rest, **counts})

    async def feeds(self, _: web.Request) -> web.Response:
        times = {"last_heard": TIME, "last_frame": TIME, "time": TIME, "since": TIME}
        counts = {"frames": 5, "gaps": 1, "reconnects": 2, "accounts_count": 1}
        rest = {"doubt": None, "accounts": None, "silent_seconds": 0.4, "epoch": 1}
        well = {"venue": "hercle", "connection": "1", "state": "connected"}
        ill = {**well, "connection": "2", "state": "refused"}
        doubt = {"cause": "key_refused", "reason": "the venue refuses the key", "since": TIME}
        feeds = [{**times, **counts, **rest, **one} for one in (well, ill)]
        feeds[1]["doubt"] = doubt
        return web.json_response({"feeds": feeds})


def users_in(partition: int, names: Iterable[str]) -> list[str]:
    """Those of some users who lie in a partition."""
    return [name for name in names if partition_of(name.encode(), PARTITIONS) == partition]


@asynccontextmanager
async def serving(fake: Fake) -> AsyncIterator[str]:
    """Its address, while the block runs."""
    async with TestServer(fake.app()) as server:
        yield str(server.make_url("")).rstrip("/")
        fake.cut()
