"""The answers of a worker, as structs: what `/openapi.json` says of them is made from these.

Where an answer is a public topic's document with something beside it, it has that one's fields.
"""

from typing import Annotated, Literal

import msgspec

from processors.freshness import Freshness, State
from processors.http.copies import CopyNow
from processors.http.overview import NotLive
from schemas.documents import Limit, Time, UserBalances, UserExposure
from schemas.feeds import FeedStatus


class UserBalancesNow(UserBalances, frozen=True, kw_only=True):
    """All that a user holds, account by account, and how fresh that is.

    `copy` is there where it is not the word of who holds the user's row.
    """

    freshness: Freshness
    copy: CopyNow | msgspec.UnsetType = msgspec.UNSET


class UserExposureNow(UserExposure, frozen=True, kw_only=True):
    """A user's exposure by asset and against every limit, and how fresh that is.

    `copy` is there where it is not the word of who holds the user's row.
    """

    freshness: Freshness
    copy: CopyNow | msgspec.UnsetType = msgspec.UNSET


class UserFreshnessNow(msgspec.Struct, frozen=True):
    """How fresh a user's number of this version is."""

    user: str
    version: int
    freshness: Freshness


class UserDeleted(msgspec.Struct, frozen=True):
    """In an event: all accounts of a user are deleted, and a question about it is 404."""

    user: str
    version: int
    deleted: Literal[True]


class BatchNow(msgspec.Struct, frozen=True):
    """The balances of those who were asked for; null for who is not there."""

    users: dict[str, UserBalancesNow | None]


class Users(msgspec.Struct, frozen=True):
    """A page of users' names, in order; `next` is the next page's `after`, null at the end."""

    users: list[str]
    next: str | None


class Assets(msgspec.Struct, frozen=True):
    """The names of all assets that were ever held, in order."""

    assets: list[str]


class FeedNow(FeedStatus, frozen=True, kw_only=True):
    """One connection to a venue, with 20 of its `accounts` at most, and how many there are.

    `silent_seconds` is how long ago its producer told of it; null: before this worker listened.
    """

    accounts_count: int | None
    silent_seconds: Annotated[float, msgspec.Meta(ge=0)] | None


class FeedsNow(msgspec.Struct, frozen=True):
    """Every connection, by venue and name."""

    feeds: list[FeedNow]


class LimitOf(Limit, frozen=True, kw_only=True):
    """A limit, and whose it is."""

    user: str


class OverviewNow(msgspec.Struct, frozen=True):
    """How many users there are, how fresh their accounts are, and the limits that are used most.

    `accounts` counts by venue and state. `unconfirmed` are some accounts that are not live, the
    worst first. `as_of` is when the oldest of it was read.
    """

    users: int
    accounts: dict[str, dict[State, int]]
    unconfirmed: list[NotLive]
    limits: list[LimitOf]
    as_of: Time


class ProblemDocument(msgspec.Struct, frozen=True):
    """What is wrong, for a person (`detail`), as RFC 9457 has it."""

    type: str
    title: str
    status: Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
    detail: str
