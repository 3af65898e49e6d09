"""The paths under `/v1`: users, balances, exposures, feeds."""

import asyncio
import heapq
import itertools
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from processors.agents import Agents
from processors.http.access import grant_of, passed_on, require_all
from processors.http.feeds import Feeds
from processors.http.grants import Grant
from processors.http.of_users import UserQuestions
from processors.http.overview import LIMITS_MAX, Overview, merged
from processors.http.ownership import Ownership, answered
from processors.http.problems import bad_request, not_found, not_yet
from processors.http.rows import readable, state_of
from processors.ledger.assets import published
from processors.ledger.contributions import sum_key
from schemas.codec import NotADocument

USERS_PER_PAGE: Final = 100
USERS_PER_PAGE_MAX: Final = 1_000
LIMITS_DEFAULT: Final = 10
_ASKED_AT_ONCE: Final = 50


class Questions:
    """Handlers over one worker's tables."""

    def __init__(
        self, agents: Agents, ownership: Ownership, feeds: Feeds, overview: Overview
    ) -> None:
        self._agents = agents
        self._ownership = ownership
        self._feeds = feeds
        self._overview = overview
        self._of_users = UserQuestions(agents, ownership, feeds)

    def routes(self) -> list[web.RouteDef]:
        """The paths of the contract."""
        return [
            # What is asked most comes first: routes are looked through in their order.
            *self._of_users.routes(),
            web.get("/v1/users", self.users),
            web.get("/v1/assets", self.assets),
            web.get("/v1/assets/{asset:[^/]*}/exposure", self.asset),
            web.get("/v1/bases/{base_currency:[^/]*}/exposure", self.base),
            web.get("/v1/feeds", self.feeds),
            web.get("/v1/overview", self.overview),
        ]

    async def asset(self, request: web.Request) -> web.Response:
        """AssetExposure."""
        return await self._sum(request, "asset", request.match_info["asset"].upper())

    async def base(self, request: web.Request) -> web.Response:
        """BaseExposure."""
        return await self._sum(request, "base", request.match_info["base_currency"].upper())

    async def feeds(self, request: web.Request) -> web.Response:
        """Each venue's connections: some are a user's own."""
        require_all(request)
        return _json({"feeds": self._feeds.all()})

    async def overview(self, request: web.Request) -> web.Response:
        """How many users there are, and the limits that are used most."""
        require_all(request)
        limit = _limit(request, LIMITS_DEFAULT, LIMITS_MAX)
        self._ownership.require_serving()
        found = await self._overview.here()
        if not passed_on(request):
            path = f"/v1/overview?limit={limit}"
            found = merged(found, await self._ownership.gather(path))
        return _json(found.document(limit))

    async def users(self, request: web.Request) -> web.Response:
        """One page of all users in order of their names; `next` is the `after` of the next page."""
        after, limit = (
            request.query.get("after", ""),
            _limit(request, USERS_PER_PAGE, USERS_PER_PAGE_MAX),
        )
        grant = grant_of(request)
        if grant.users is not None:
            page = await self._users_of_grant(grant, after, limit)
        else:
            pages = [self._users_here(after, limit)]
            if not passed_on(request):
                path = f"/v1/users?limit={limit}&after={quote(after, safe='')}"
                pages += [answer["users"] for answer in await self._ownership.gather(path)]
            page = list(itertools.islice(heapq.merge(*pages), limit))
        return _json({"users": page, "next": page[-1] if len(page) == limit else None})

    async def assets(self, request: web.Request) -> web.Response:
        """The names of all assets that were ever held."""
        require_all(request)
        self._ownership.require_serving()
        table = self._agents.assets
        found = {
            name
            for partition in table.open_partitions
            for name in self._agents.sums.assets(partition)
        }
        if not passed_on(request):
            for answer in await self._ownership.gather("/v1/assets"):
                found.update(answer["assets"])
        return _json({"assets": sorted(found)})

    async def _sum(self, request: web.Request, kind: str, name: str) -> web.Response:
        require_all(request)
        table, key = self._agents.assets, sum_key(kind, name)
        partition = self._ownership.partition_here(table, key)
        if partition is None:
            return await self._ownership.pass_on(request, table, key)
        head = table.committed(partition, key)
        if head is None:
            raise not_found(f"nobody ever held this {kind}: {name[:100]!r}")
        try:
            document = published(head)
        except NotADocument:
            raise not_yet("this row of the table is none of ours: see the log") from None
        return answered(document)

    async def _users_of_grant(self, grant: Grant, after: str, limit: int) -> list[str]:
        """Of a grant's users those that there are: few, so that each can be asked for."""
        names = sorted(user for user in grant.users or () if user > after)
        found: list[str] = []
        for first in range(0, len(names), _ASKED_AT_ONCE):
            some = names[first : first + _ASKED_AT_ONCE]
            there = await asyncio.gather(*map(self._exists, some))
            found += itertools.compress(some, there)
            if len(found) >= limit:
                break
        return found[:limit]

    async def _exists(self, user: str) -> bool:
        table, key = self._agents.users, user.encode()
        partition = self._ownership.partition_here(table, key)
        if partition is not None:
            row = table.committed(partition, key)
            return row is not None and bool(state_of(row).live)
        path = f"/v1/users/{quote(user, safe='')}/balances"
        status = (await self._ownership.ask_owner(table, key, path)).status
        if status not in (web.HTTPOk.status_code, web.HTTPNotFound.status_code):
            raise not_yet("another worker is not ready")
        return status == web.HTTPOk.status_code

    def _users_here(self, after: str, limit: int) -> list[str]:
        self._ownership.require_serving()
        table = self._agents.users
        pages = [
            self._users_of(table.committed_items(partition, start=after.encode()), after)
            for partition in table.open_partitions
        ]
        return list(itertools.islice(heapq.merge(*pages), limit))

    @staticmethod
    def _users_of(rows: Any, after: str) -> Any:  # noqa: ANN401 - an iterator of names
        for state in readable(rows):
            if state.user > after and state.live:
                yield state.user


def _limit(request: web.Request, default: int, maximum: int) -> int:
    text = request.query.get("limit", str(default))
    # Digits are counted before they are read: a number of any length may stand in a URL.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum))):
        text = "0"
    if not 1 <= int(text) <= maximum:
        raise bad_request(f"limit is a whole number from 1 to {maximum}")
    return int(text)


def _json(document: Any) -> web.Response:  # noqa: ANN401 - any JSON
    return answered(msgspec.json.encode(document))
