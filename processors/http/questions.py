"""The paths under `/v1`: users, balances, exposures, feeds."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from processors.agents import Agents
from processors.freshness import Freshness
from processors.http.access import Grant, grant_of, passed_on, require_all
from processors.http.asked import note_asked
from processors.http.explained import explained
from processors.http.feeds import Feeds
from processors.http.overview import LIMITS_MAX, Overview, merged
from processors.http.ownership import Ownership, answered
from processors.http.problems import Problem, bad_request, not_found, not_yet
from processors.http.rows import readable, state_of
from processors.http.terms import is_known, tag_of, terms_of
from processors.ledger.assets import published
from processors.ledger.contributions import sum_key
from processors.ledger.users import UserState
from processors.ledger.views import user_balances, user_exposure
from schemas.codec import NotADocument

USERS_PER_PAGE: Final = 100
USERS_PER_PAGE_MAX: Final = 1_000
LIMITS_DEFAULT: Final = 10
_ASKED_AT_ONCE: Final = 50
BATCH_MAX: Final = 500
BATCH_PATH: Final = "/v1/users/balances:batch"


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose balances are asked for."""

    users: Annotated[list[str], msgspec.Meta(max_length=BATCH_MAX)]


class Questions:
    """Handlers over one worker's tables."""

    def __init__(
        self, agents: Agents, ownership: Ownership, feeds: Feeds, overview: Overview
    ) -> None:
        self._agents = agents
        self._ownership = ownership
        self._feeds = feeds
        self._overview = overview

    def routes(self) -> list[web.RouteDef]:
        """The paths of the contract."""
        return [
            web.get("/v1/users", self.users),
            web.post(BATCH_PATH, self.batch),
            web.get("/v1/users/{user:[^/]+}/balances", self.balances),
            web.get("/v1/users/{user:[^/]+}/exposure", self.exposure),
            web.get("/v1/users/{user:[^/]+}/explain", self.explain),
            web.get("/v1/assets", self.assets),
            web.get("/v1/assets/{asset:[^/]*}/exposure", self.asset),
            web.get("/v1/bases/{base_currency:[^/]*}/exposure", self.base),
            web.get("/v1/feeds", self.feeds),
            web.get("/v1/overview", self.overview),
        ]

    async def balances(self, request: web.Request) -> web.Response:
        """UserBalances, and how fresh they are."""
        return await self._user(request, _beside(user_balances))

    async def exposure(self, request: web.Request) -> web.Response:
        """UserExposure, and how fresh it is."""
        view = partial(user_exposure, in_assets=self._agents.in_assets)
        return await self._user(request, _beside(view))

    async def explain(self, request: web.Request) -> web.Response:
        """What a user's number of an asset is made of, back to the raw records."""
        asset = request.query.get("asset", "").upper()
        if not asset:
            raise bad_request("which asset: ?asset=BTC")

        def view(state: UserState, freshness: Freshness) -> msgspec.Struct:
            found = explained(state, asset, freshness)
            if found is None:
                raise not_found(f"{state.user[:100]!r} never held {asset[:100]!r}")
            return found

        return await self._user(request, view)

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

    async def _user(
        self,
        request: web.Request,
        view: Callable[[UserState, Freshness], Any],
    ) -> web.Response:
        """An answer about one user, on its terms, from who holds the row."""
        user = request.match_info["user"]
        note_asked(request, [user])
        if not grant_of(request).covers(user):
            raise _no_such_user(user)
        terms = terms_of(request)
        table, key = self._agents.users, user.encode()
        partition = self._ownership.partition_here(table, key)
        if partition is None:
            return await self._ownership.pass_on(request, table, key)
        row = table.committed(partition, key)
        state = None if row is None else state_of(row)
        balances = None if state is None else user_balances(state)
        if state is None or balances is None:
            raise _no_such_user(user)
        freshness = self._feeds.freshness(state)
        terms.require(freshness)
        tag = tag_of(state.version, freshness)
        if is_known(request, tag):
            return answered(None, status=web.HTTPNotModified.status_code, tag=tag)
        return _json(view(state, freshness), tag)

    async def batch(self, request: web.Request) -> web.Response:
        """Balances of many users at once; null for who is not there."""
        try:
            asked = msgspec.json.decode(await request.read(), type=Batch)
        except msgspec.DecodeError:
            message = f'the body is {{"users": [NAME, …]}}, with {BATCH_MAX} names at most'
            raise bad_request(message) from None
        note_asked(request, asked.users)
        table, grant = self._agents.users, grant_of(request)
        found: dict[str, Any] = dict.fromkeys(asked.users)
        away: dict[str, list[str]] = {}
        for user in found:
            if not grant.covers(user):
                continue
            owner = self._ownership.owner_of(table, user.encode())
            if owner is None:
                found[user] = self._balances_here(user)
            else:
                away.setdefault(owner, []).append(user)
        if away and passed_on(request):
            raise not_yet("some keys are being moved between workers")
        bodies = [msgspec.json.encode(Batch(users)) for users in away.values()]
        urls = [f"{owner}{BATCH_PATH}" for owner in away]
        for answer in await asyncio.gather(*map(self._ownership.ask, urls, bodies)):
            found.update(msgspec.json.decode(answer)["users"])
        return _json({"users": found})

    def _balances_here(self, user: str) -> Any:  # noqa: ANN401 - any JSON
        table, key = self._agents.users, user.encode()
        partition = self._ownership.partition_here(table, key)
        row = None if partition is None else table.committed(partition, key)
        state = None if row is None else state_of(row)
        balances = None if state is None else user_balances(state)
        if state is None or balances is None:
            return None
        return _with_freshness(balances, self._feeds.freshness(state))

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


def _no_such_user(user: str) -> Problem:
    return not_found(f"no such user: {user[:100]!r}")


def _limit(request: web.Request, default: int, maximum: int) -> int:
    text = request.query.get("limit", str(default))
    # Digits are counted before they are read: a number of any length may stand in a URL.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum))):
        text = "0"
    if not 1 <= int(text) <= maximum:
        raise bad_request(f"limit is a whole number from 1 to {maximum}")
    return int(text)


def _beside(view: Callable[[UserState], Any]) -> Callable[[UserState, Freshness], Any]:
    """A view of a row with its freshness beside its fields."""
    return lambda state, freshness: _with_freshness(view(state), freshness)


def _with_freshness(document: msgspec.Struct, freshness: Freshness) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(document)
    return {**fields, "freshness": msgspec.to_builtins(freshness)}


def _json(document: Any, tag: str | None = None) -> web.Response:  # noqa: ANN401 - any JSON
    return answered(msgspec.json.encode(document), tag=tag)
