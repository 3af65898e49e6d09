"""What is to be seen at one moment: values, from wherever they come."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from processors.freshness import State
from schemas.documents import Limit
from schemas.feeds import FeedStatus
from schemas.times import time_ns_of

LIMITS_SHOWN: Final = 8
DOUBTS_SHOWN: Final = 8
_NS_PER_S: Final = 1_000_000_000


class Venue(msgspec.Struct, frozen=True):
    """A venue's connections together; `heard_seconds` is since anything came over any of them.

    `accounts` counts those of all users by how fresh they are, as far as that is known.
    """

    name: str
    connected: int
    connections: int
    heard_seconds: float | None
    frames: int
    reconnects: int
    refused: int = 0
    accounts: Mapping[State, int] = {}


class HeardStatus(FeedStatus, frozen=True):
    """A connection as a worker tells it, and how long ago it heard of it; null: not yet."""

    silent_seconds: float | None = None


class NotLive(msgspec.Struct, frozen=True):
    """An account that is not live, whose it is, and why."""

    user: str
    venue: str
    account: str
    state: State
    reason: str | None


class Used(msgspec.Struct, frozen=True):
    """How much of a limit is used, and whose it is; amounts are the venue's own digits."""

    user: str
    venue: str
    asset: str | None
    current: str | None
    max: str | None
    base_currency: str | None
    utilisation: Decimal


class Scene(msgspec.Struct, frozen=True):
    """The figures of one moment; None is what nobody could tell.

    `normalised`, `dead_letters` and `lag` are one worker's, counted since it started; `users`,
    `limits` and `doubts` (some accounts that are not live) are of all workers. `frames` and `raw`
    are what the simulated venues sent and what lies in the raw topics: only a demo knows them.
    """

    elapsed_seconds: float
    url: str
    places: Mapping[str, str] = {}
    frames: int | None = None
    raw: int | None = None
    normalised: int | None = None
    normalised_per_second: float | None = None
    dead_letters: int | None = None
    lag: int | None = None
    users: int | None = None
    limits: list[Used] = []
    venues: list[Venue] = []
    doubts: list[NotLive] = []
    problem: str | None = None


def with_pace(scene: Scene, last: Scene | None) -> Scene:
    """The scene with how fast it goes, from the one before; not where a worker was started anew."""
    if last is None or last.normalised is None or scene.normalised is None or scene.problem:
        return scene
    seconds = scene.elapsed_seconds - last.elapsed_seconds
    count = scene.normalised - last.normalised
    if seconds <= 0 or count < 0:
        return scene
    return msgspec.structs.replace(scene, normalised_per_second=count / seconds)


def venues_of(statuses: Iterable[HeardStatus], *, now_ns: int) -> list[Venue]:
    """The venues of all connections, by name.

    `now_ns` is compared with a producer's clock only where the worker has not heard of it yet.
    """
    by_name: dict[str, list[HeardStatus]] = {}
    for status in statuses:
        by_name.setdefault(status.venue, []).append(status)
    return [_venue(name, found, now_ns) for name, found in sorted(by_name.items())]


def _venue(name: str, statuses: list[HeardStatus], now_ns: int) -> Venue:
    heard = [found for each in statuses if (found := _heard_seconds(each, now_ns)) is not None]
    return Venue(
        name=name,
        connected=sum(each.state == "connected" for each in statuses),
        connections=len(statuses),
        heard_seconds=min(heard, default=None),
        frames=sum(each.frames for each in statuses),
        reconnects=sum(each.reconnects for each in statuses),
        refused=sum(each.state == "refused" for each in statuses),
    )


def _heard_seconds(status: HeardStatus, now_ns: int) -> float | None:
    if status.last_heard is None:
        return None
    heard_ns = time_ns_of(status.last_heard)
    if status.silent_seconds is None:
        return max(0.0, (now_ns - heard_ns) / _NS_PER_S)
    return status.silent_seconds + max(0, time_ns_of(status.time) - heard_ns) / _NS_PER_S


def with_accounts(venues: Iterable[Venue], document: Mapping[str, Any]) -> list[Venue]:
    """The venues with how fresh the accounts there are, from an overview."""
    # A worker of an earlier version does not count them.
    counts = msgspec.convert(document.get("accounts", {}), dict[str, dict[State, int]])
    return [msgspec.structs.replace(venue, accounts=counts.get(venue.name, {})) for venue in venues]


def doubts_of(document: Mapping[str, Any]) -> list[NotLive]:
    """Accounts that are not live, from an overview, the worst first."""
    return msgspec.convert(document.get("unconfirmed", []), list[NotLive])


def used_of(document: Mapping[str, Any]) -> list[Used]:
    """The limits of an overview, those of which the use is known."""
    found = []
    for each in document["limits"]:
        limit = msgspec.convert(each, Limit)
        if limit.utilisation is not None:
            found.append(
                Used(
                    user=each["user"],
                    venue=limit.venue,
                    asset=limit.asset,
                    current=limit.current,
                    max=limit.max,
                    base_currency=limit.base_currency,
                    utilisation=Decimal(limit.utilisation),
                )
            )
    return found
