"""Answers about users from copies of their rows, while nobody who holds them answers.

Only for who says `allow_stale`, and always marked: by `copy` in the answer, by a header, and by a
freshness that is never live. That there is no such user a copy does not say: it may only not have
heard of it. Of several copies the one that is least behind is told.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web

from processors.engine.copies import Copy
from processors.freshness import Freshness, of_copy
from processors.http.feeds import Feeds
from processors.http.ownership import ANSWERED_BY, LAG, Answer, Ownership, answered
from processors.http.problems import Problem, not_yet
from processors.http.rows import state_of
from processors.http.terms import Terms
from processors.ledger.users import UserState
from schemas.documents import Time
from schemas.times import rfc3339

Copied = Callable[[str], Awaitable[Copy | None]]
"""A user's row as it lies here; None where it does not."""
View = Callable[[UserState, Freshness], Any]
_NS_PER_MS: Final = 1_000_000
# Behind all whose lag is known.
_UNKNOWN_LAG: Final = 2**63


class CopyNow(msgspec.Struct, frozen=True):
    """Of what copy an answer is: a standby's, or one that is being restored or moved.

    `lag_records` is how many records of the table's changelog the copy lacks at most, counted by
    offsets when the question came; null: Kafka did not say. `applied_time` is when, by the worker's
    clock, it last took one.
    """

    of: Literal["standby", "restoring"]
    lag_records: Annotated[int, msgspec.Meta(ge=0)] | None
    applied_time: Time | None


class Copies:
    """The copies of users' rows, here and at other workers."""

    def __init__(self, copied: Copied, ownership: Ownership, feeds: Feeds) -> None:
        self._copied = copied
        self._ownership = ownership
        self._feeds = feeds

    async def here(self, user: str, terms: Terms, view: View) -> web.Response:
        """What a copy here says of a user; raises 503 without one that meets the terms."""
        found = await self._found(user)
        if found is None:
            raise not_yet("no copy of this user's row is here")
        state, copy = found
        freshness = self._feeds.freshness(state, of_copy(copy.lag_records))
        terms.require(freshness)
        try:
            document = _marked(view(state, freshness), copy)
        except Problem:
            raise not_yet("a copy of this user's row does not know of that") from None
        lag = "" if copy.lag_records is None else str(copy.lag_records)
        response = answered(msgspec.json.encode(document))
        # It is nobody's newest answer: it has no ETag, and none is compared.
        response.headers.update({ANSWERED_BY: copy.of, LAG: lag, "Cache-Control": "no-store"})
        return response

    async def best(
        self, path: str, here: web.Response | None, silent: frozenset[str]
    ) -> web.Response | None:
        """The best of an answer of here and those of all others but `silent`; None: there is none.

        Who holds the row by its own account is believed.
        """
        if here is not None and here.headers[LAG] == "0":
            return here
        best = None
        for one in await self._ownership.ask_copies(path, but=silent):
            if best is None or _lag_of(one) < _lag_of(best):
                best = one
        if best is None or (here is not None and _lag(here.headers[LAG]) <= _lag_of(best)):
            return here
        return best.response()

    async def many_here(self, users: Iterable[str], view: View) -> dict[str, Any]:
        """What copies here say of users; whom they do not know is left out."""
        said = {}
        for user in users:
            found = await self._found(user)
            if found is not None:
                state, copy = found
                freshness = self._feeds.freshness(state, of_copy(copy.lag_records))
                said[user] = _marked(view(state, freshness), copy)
        return said

    async def many(
        self, users: Sequence[str], path: str, view: View, silent: frozenset[str]
    ) -> dict[str, Any]:
        """What the best copies anywhere say of users; raises 503 where one is known nowhere."""
        best = await self.many_here(users, view)
        behind = [user for user in users if user not in best or _lag_in(best[user]) > 0]
        if behind:
            body = msgspec.json.encode({"users": behind})
            for one in await self._ownership.ask_copies(path, body=body, but=silent):
                for user, document in msgspec.json.decode(one.body)["users"].items():
                    if user not in best or _lag_in(document) < _lag_in(best[user]):
                        best[user] = document
        if missing := len(set(users).difference(best)):
            raise not_yet(f"of {missing} users nobody answers who has their rows or copies of them")
        return best

    async def _found(self, user: str) -> tuple[UserState, CopyNow] | None:
        copy = await self._copied(user)
        state = None if copy is None or copy.row is None else state_of(copy.row)
        if copy is None or state is None or not state.live:
            return None
        applied = None if copy.applied_ms is None else rfc3339(copy.applied_ms * _NS_PER_MS)
        kind: Literal["standby", "restoring"] = "standby" if copy.is_standby else "restoring"
        return state, CopyNow(kind, copy.lag, applied)


def _marked(document: Any, copy: CopyNow) -> dict[str, Any]:  # noqa: ANN401 - a struct, or its fields
    return {**msgspec.to_builtins(document), "copy": msgspec.to_builtins(copy)}


def _lag_of(answer: Answer) -> int:
    return -1 if answer.answered_by == "owner" else _lag(answer.lag or "")


def _lag(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else _UNKNOWN_LAG


def _lag_in(document: Mapping[str, Any] | None) -> int:
    """How far behind a document is: none where it, or that there is none, is the holder's word."""
    if document is None or "copy" not in document:
        return -1
    lag = document["copy"]["lag_records"]
    return _UNKNOWN_LAG if lag is None else int(lag)
