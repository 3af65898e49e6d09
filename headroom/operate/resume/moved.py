"""Whether commits that bear no mark of ours are where the group stood: what its topics tell.

Kafka's own tools set offsets and say nothing beside them; so did versions before marks were. So the
mark alone says nothing wrong, and what was told and folded decides: a commit that is right is
believed, whoever made it.

raw            the last record before it has an outcome, the first one behind it has none
orders         all before it were followed, none behind it was
the rest       rows were left (so said earlier versions, too), or nothing was read
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from faust.types import TP

from headroom.base.clients import Clients, Place
from headroom.base.settings import Settings
from headroom.operate.accounts.bindings import Binding, read_bindings
from headroom.operate.generations import read_book
from headroom.operate.generations.kind import changelog
from headroom.operate.resume.orders import first_unfollowed
from headroom.operate.resume.picture import Kind, Picture, look
from headroom.operate.resume.rows import UserRows
from headroom.operate.resume.told import IN_FLIGHT_MAX, outcomes
from processors.engine.errors import PositionsMoved
from processors.engine.marks import Commit, Vouch
from processors.ledger.moves import Observed, read_order
from processors.names import ASSETS_TABLE, USERS_TABLE
from schemas.codec import NotADocument

_LOOK_BACK: Final = 1_000
"""Control markers and what was aborted lie between the records: so far one is looked for."""
_LOOK_AHEAD: Final = 100
# Clocks of producers and workers differ: outcomes are looked for from so long before the record on.
_SLACK_MS: Final = 10 * 60 * 1000
_OVER: Final = "what lies before it was not read"
_AGAIN: Final = "what lies behind it was read"
_TABLE: Final = {Kind.BALANCES: USERS_TABLE, Kind.CONTRIBUTIONS: ASSETS_TABLE}


def judged(
    clients: Clients, picture: Picture, bindings: Mapping[str, Binding], *, exact: bool
) -> Picture:
    """The same picture, with those commits that are wrong, and why.

    Without transactions (`exact`) what was in flight at the end may be done and come again.
    """
    strange = {
        place: commit.offset
        for place, commit in picture.strange.items()
        if not commit.left_rows
        and picture.spans[place].begin <= commit.offset <= picture.spans[place].end
        and picture.spans[place].begin < picture.spans[place].end
    }
    of_raw = {place: at for place, at in strange.items() if picture.kinds[place[0]] is Kind.RAW}
    found = _raw(clients, picture, of_raw, exact=exact)
    rows = UserRows(clients, picture)
    for place, at in strange.items():
        kind = picture.kinds[place[0]]
        why = None
        if kind is Kind.ORDERS:
            why = _orders(clients, picture, place, at, rows, bindings, exact=exact)
        elif kind in _TABLE:
            why = _folded(picture, place, at, _TABLE[kind])
        if why is not None:
            found[place] = why
    return msgspec.structs.replace(picture, moved=found)


def _folded(picture: Picture, place: Place, at: int, table: str) -> str | None:
    if picture.end_of(changelog(picture.live, table), place[1]) > 0:
        return "its table has rows, and a commit of ours says so"
    return None if at == picture.spans[place].begin else _OVER


def _orders(
    clients: Clients,
    picture: Picture,
    place: Place,
    at: int,
    rows: UserRows,
    bindings: Mapping[str, Binding],
    *,
    exact: bool,
) -> str | None:
    first = first_unfollowed(clients, picture, place, rows.of_user, bindings, exact=True)
    if at > first:
        return _OVER
    if exact and any(_is_order(message.value()) for message in clients.read({place: (at, first)})):
        return _AGAIN
    return None


def _is_order(value: bytes | None) -> bool:
    try:
        # What workers observed may be read as often as one likes.
        return not isinstance(read_order(value or b""), Observed)
    except NotADocument:
        return False


def _raw(
    clients: Clients, picture: Picture, commits: Mapping[Place, int], *, exact: bool
) -> dict[Place, str]:
    if not commits:
        return {}
    spans = picture.spans
    before, behind = dict[Place, int](), dict[Place, int]()
    times: list[int] = []
    back = {p: (max(spans[p].begin, at - _LOOK_BACK), at) for p, at in commits.items()}
    for message in clients.read(back):
        before[message.topic(), message.partition()] = message.offset()
        times.append(message.timestamp()[1])
    ahead = {p: at + (0 if exact else IN_FLIGHT_MAX) for p, at in commits.items()}
    for message in clients.read({p: (at, _ahead(at, spans[p].end)) for p, at in ahead.items()}):
        behind.setdefault((message.topic(), message.partition()), message.offset())
        times.append(message.timestamp()[1])
    wanted = {(*p, at) for one in (before, behind) for p, at in one.items()}
    told = _told(clients, picture, wanted, times)
    found = {p: _OVER for p, at in before.items() if (*p, at) not in told}
    return found | {p: _AGAIN for p, at in behind.items() if (*p, at) in told}


def _ahead(start: int, end: int) -> int:
    return min(end, start + _LOOK_AHEAD)


def _told(
    clients: Clients,
    picture: Picture,
    wanted: Collection[tuple[str, int, int]],
    times_ms: Collection[int],
) -> set[tuple[str, int, int]]:
    """Those raw records that have an outcome; they were written at these times."""
    told: set[tuple[str, int, int]] = set()
    if not wanted:
        return told
    first = min(times_ms)
    # Times that cannot be right say nothing.
    sane = first > 0 and max(times_ms) <= time.time_ns() // 1_000_000
    for origin, _ in outcomes(clients, picture, since_ms=max(0, first - _SLACK_MS) if sane else 0):
        place = (origin.topic, origin.partition, origin.offset)
        if place in wanted:
            told.add(place)
            if len(told) == len(wanted):
                break
    return told


async def check_raw(settings: Settings) -> None:
    """That the live group's raw offsets are none that somebody set; raises `PositionsMoved`."""
    clients, partitions = Clients(settings.kafka), settings.partitions
    try:
        book = await read_book(settings.kafka.arguments(), partitions=partitions)
        picture = await asyncio.to_thread(look, clients, book, partitions=partitions, stable=False)
        raw = {p: one for p, one in picture.strange.items() if picture.kinds[p[0]] is Kind.RAW}
        picture = msgspec.structs.replace(picture, strange=raw)
        exact = settings.guarantee != "at_least_once"
        _refuse(await asyncio.to_thread(lambda: judged(clients, picture, {}, exact=exact)))
    finally:
        clients.close()


def _refuse(picture: Picture) -> None:
    for place, why in sorted(picture.moved.items()):
        at = picture.strange[place].offset
        raise PositionsMoved(topic=place[0], partition=place[1], found=at, why=why)


def vouching(settings: Settings) -> Vouch:
    """What the workers of the live generation ask about commits without a mark of ours."""

    async def vouch(strange: Mapping[TP, Commit]) -> None:
        clients, partitions = Clients(settings.kafka), settings.partitions
        kafka = settings.kafka.arguments()
        try:
            book = await read_book(kafka, partitions=partitions)
            bindings = await read_bindings(kafka, partitions=partitions)
            picture = await asyncio.to_thread(
                look, clients, book, partitions=partitions, stable=False
            )
            asked = {(tp.topic, tp.partition): commit for tp, commit in strange.items()}
            picture = msgspec.structs.replace(picture, strange=asked)
            exact = settings.guarantee != "at_least_once"
            _refuse(
                await asyncio.to_thread(lambda: judged(clients, picture, bindings.all, exact=exact))
            )
        finally:
            clients.close()

    return vouch
