"""The questions about users by name: balances, exposure, what they are made of, many at once.

Who holds a user's row answers, whichever worker is asked. Where that one does not answer, and a
copy would do (`allow_stale`), the best copy does (`copies`).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from aiohttp import web

from processors.agents import Agents
from processors.compiled import Account, Row, documents, read_row
from processors.freshness import Freshness
from processors.http.access import grant_of, passed_on, wants_copy
from processors.http.asked import note_asked
from processors.http.copies import Copies, View
from processors.http.explained import explained
from processors.http.feeds import Feeds
from processors.http.ownership import (
    ANSWERED_BY,
    COPY_SECONDS,
    OWNER,
    NoAnswer,
    Ownership,
    answered,
    is_of_owner,
)
from processors.http.problems import Problem, bad_request, not_found, not_yet
from processors.http.rows import beside, state_of
from processors.http.terms import Terms, allows_stale, is_known, tag_of, terms_of
from processors.ledger.users import UserState
from processors.ledger.views import user_balances, user_exposure

BATCH_MAX: Final = 500
BATCH_PATH: Final = "/v1/users/balances:batch"


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose balances are asked for."""

    users: Annotated[list[str], msgspec.Meta(max_length=BATCH_MAX)]


class _Beside:
    """A view of a row with its freshness beside its fields.

    `view` is for any row; `plain` says the same of one that is not decoded, as bytes.
    """

    def __init__(self, view: Callable[[UserState], Any], plain: Callable[[Row], bytes]) -> None:
        self._view = view
        self._plain = plain

    def __call__(self, state: UserState, freshness: Freshness) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(self._view(state))
        return {**fields, "freshness": msgspec.to_builtins(freshness)}

    def told(self, row: Row, freshness: Freshness) -> bytes:
        """What is answered of a plain row."""
        return beside(self._plain(row), freshness)


_BALANCES: Final = _Beside(user_balances, lambda row: documents(row)[0])


class _Found(NamedTuple):
    """What a row says: its version, whose freshness counts (`of`), and how both are told."""

    version: int
    of: UserState | Account
    told: Callable[[Freshness], bytes]


def _found(row: bytes, view: View) -> _Found | None:
    """What a row says; None where no account is left. A plain one is not decoded for it."""
    if isinstance(view, _Beside) and (plain := read_row(row)) is not None:
        return _Found(plain.version, plain.newest, partial(view.told, plain))
    state = state_of(row)
    if not state.live:
        return None
    return _Found(state.version, state, lambda fresh: msgspec.json.encode(view(state, fresh)))


class UserQuestions:
    """Handlers over one worker's rows of users."""

    def __init__(self, agents: Agents, ownership: Ownership, feeds: Feeds) -> None:
        self._agents = agents
        self._ownership = ownership
        self._feeds = feeds
        self._exposure = _Beside(
            lambda state: user_exposure(state, agents.in_assets), lambda row: documents(row)[1]
        )
        self._copies = Copies(
            lambda user: ownership.copy_of(agents.users, user.encode()), ownership, feeds
        )

    def routes(self) -> list[web.RouteDef]:
        """The paths of the contract that are about users by name."""
        return [
            web.get("/v1/users/{user:[^/]+}/balances", self.balances),
            web.get("/v1/users/{user:[^/]+}/exposure", self.exposure),
            web.post(BATCH_PATH, self.batch),
            web.get("/v1/users/{user:[^/]+}/explain", self.explain),
        ]

    async def balances(self, request: web.Request) -> web.Response:
        """UserBalances, and how fresh they are."""
        return await self._user(request, _BALANCES)

    async def exposure(self, request: web.Request) -> web.Response:
        """UserExposure, and how fresh it is."""
        return await self._user(request, self._exposure)

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

    async def _user(self, request: web.Request, view: View) -> web.Response:
        """An answer about one user, on its terms, from who holds the row, or has a copy of it."""
        user = request.match_info["user"]
        note_asked(request, [user])
        if not grant_of(request).covers(user):
            raise _no_such_user(user)
        terms = terms_of(request)
        if wants_copy(request):
            return await self._or_copy(request, user, terms, view)
        if not terms.may_be_copy or passed_on(request):
            return await self._held(request, user, terms, view)
        silent = frozenset[str]()
        try:
            answer = await self._held(request, user, terms, view, seconds=COPY_SECONDS)
            if is_of_owner(answer):
                return answer
            why = not_yet("the worker that holds this key is not ready")
        except NoAnswer as problem:
            silent, why = frozenset({problem.url}), problem
        except Problem as problem:
            if is_of_owner(problem):
                raise
            why = problem
        try:
            here = await self._copies.here(user, terms, view)
        except Problem:
            here = None
        found = await self._copies.best(request.rel_url.raw_path_qs, here, silent)
        if found is None:
            raise why
        return found

    async def _held(
        self,
        request: web.Request,
        user: str,
        terms: Terms,
        view: View,
        *,
        seconds: float | None = None,
    ) -> web.Response:
        """An answer about a user from who holds the row; raises what that one says."""
        table, key = self._agents.users, user.encode()
        partition = self._ownership.partition_here(table, key)
        if partition is None:
            return await self._ownership.pass_on(request, table, key, seconds=seconds)
        try:
            return self._here(request, user, table.committed(partition, key), terms, view)
        except Problem as problem:
            problem.headers[ANSWERED_BY] = OWNER
            raise

    def _here(
        self, request: web.Request, user: str, row: bytes | None, terms: Terms, view: View
    ) -> web.Response:
        found = None if row is None else _found(row, view)
        if found is None:
            raise _no_such_user(user)
        freshness = self._feeds.freshness(found.of)
        terms.require(freshness)
        tag = tag_of(found.version, freshness)
        if is_known(request, tag):
            return answered(
                None, status=web.HTTPNotModified.status_code, tag=tag, answered_by=OWNER
            )
        return answered(found.told(freshness), tag=tag, answered_by=OWNER)

    async def _or_copy(
        self, request: web.Request, user: str, terms: Terms, view: View
    ) -> web.Response:
        """For another worker, which will not hear from who holds the row: what there is here."""
        table, key = self._agents.users, user.encode()
        if self._ownership.holds(table, key):
            return await self._held(request, user, terms, view)
        return await self._copies.here(user, terms, view)

    async def batch(self, request: web.Request) -> web.Response:
        """Balances of many users at once; null for who is not there."""
        may_be_copy = allows_stale(request)
        try:
            asked = msgspec.json.decode(await request.read(), type=Batch)
        except msgspec.DecodeError:
            message = f'the body is {{"users": [NAME, …]}}, with {BATCH_MAX} names at most'
            raise bad_request(message) from None
        note_asked(request, asked.users)
        table, grant = self._agents.users, grant_of(request)
        covered = [user for user in dict.fromkeys(asked.users) if grant.covers(user)]
        found: dict[str, Any] = dict.fromkeys(asked.users)
        if wants_copy(request):
            here = [user for user in covered if self._ownership.holds(table, user.encode())]
            found = {user: self._balances_here(user) for user in here}
            rest = [user for user in covered if user not in found]
            return _json({"users": found | await self._copies.many_here(rest, _BALANCES)})
        away: dict[str, list[str]] = {}
        unheld: list[str] = []
        for user in covered:
            try:
                owner = self._ownership.owner_of(table, user.encode())
            except Problem:
                if not may_be_copy:
                    raise
                unheld.append(user)
                continue
            if owner is None:
                found[user] = self._balances_here(user)
            else:
                away.setdefault(owner, []).append(user)
        if away and passed_on(request):
            raise not_yet("some keys are being moved between workers")
        silent = await self._ask_owners(away, found, unheld if may_be_copy else None)
        if unheld:
            found |= await self._copies.many(unheld, BATCH_PATH, _BALANCES, silent)
        return _json({"users": found})

    async def _ask_owners(
        self, away: dict[str, list[str]], found: dict[str, Any], unheld: list[str] | None
    ) -> frozenset[str]:
        """Ask the owners of users; those of whom one does not answer are added to `unheld`.

        Returns who did not; without `unheld` raises 503 instead.
        """
        seconds = None if unheld is None else COPY_SECONDS
        asked = (
            self._ownership.ask(
                owner, BATCH_PATH, msgspec.json.encode(Batch(users)), seconds=seconds
            )
            for owner, users in away.items()
        )
        answers = await asyncio.gather(*asked, return_exceptions=unheld is not None)
        silent = set()
        for (owner, users), answer in zip(away.items(), answers, strict=True):
            if isinstance(answer, Problem) and unheld is not None:
                unheld += users
                silent |= {owner} if isinstance(answer, NoAnswer) else set()
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found.update(msgspec.json.decode(answer)["users"])
        return frozenset(silent)

    def _balances_here(self, user: str) -> Any:  # noqa: ANN401 - any JSON
        table, key = self._agents.users, user.encode()
        partition = self._ownership.partition_here(table, key)
        row = None if partition is None else table.committed(partition, key)
        state = None if row is None else state_of(row)
        if state is None or not state.live:
            return None
        return _BALANCES(state, self._feeds.freshness(state))


def _no_such_user(user: str) -> Problem:
    return not_found(f"no such user: {user[:100]!r}")


def _json(document: Any, tag: str | None = None) -> web.Response:  # noqa: ANN401 - any JSON
    return answered(msgspec.json.encode(document), tag=tag)
