"""Where a group stood that Kafka has forgotten: what its topics and tables tell of it.

With transactions a record has its outcomes or rows exactly if the group stood behind it. Without
them, what was in flight at the end may have some of them: so much is read again.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from headroom.base.clients import Clients, Place
from headroom.operate.deadletters.letter import NoPlace, place_of, read_origin
from headroom.operate.deadletters.letter import Place as RawPlace
from headroom.operate.replay.told import Rows
from headroom.operate.resume.picture import Kind, Picture
from processors.engine.headers import headers_of
from processors.ledger.moves import passed_on
from processors.ledger.users import UserState, fold
from schemas.codec import NotADocument, decode, decode_snapshot
from schemas.documents import BalanceSnapshot
from schemas.headers import read_receipt
from schemas.identity import user_for
from schemas.incarnations import number_at
from schemas.topics import BALANCES, DEAD_LETTERS

COMPARED_AT_ONCE: Final = 100_000
IN_FLIGHT_MAX: Final = 4_000
"""How many records of one partition a worker has in hand at most where nothing is a transaction."""


def raw_places(
    clients: Clients, picture: Picture, wanted: Collection[Place], *, exact: bool
) -> dict[Place, int]:
    """Behind the last raw record of each place that has an outcome; where it begins if none has."""
    found: dict[Place, int] = {}
    recent: dict[Place, set[int]] = {place: set() for place in wanted}
    for origin, _ in outcomes(clients, picture):
        place, offset = (origin.topic, origin.partition), origin.offset
        if place not in recent:
            continue
        found[place] = max(found.get(place, 0), offset + 1)
        if not exact:
            recent[place].add(offset)
            if len(recent[place]) > 2 * IN_FLIGHT_MAX:
                newest = found[place] - IN_FLIGHT_MAX
                recent[place] = {one for one in recent[place] if one >= newest}
    stands = {}
    for place in wanted:
        end, begin = picture.spans[place].end, picture.spans[place].begin
        last = found.get(place, begin)
        if not exact:
            window = range(max(begin, last - IN_FLIGHT_MAX), last)
            last = next((offset for offset in window if offset not in recent[place]), last)
        stands[place] = min(last, end)
    return stands


def first_new(
    clients: Clients, picture: Picture, place: Place, *, window: int = COMPARED_AT_ONCE
) -> int:
    """Where frames begin that came once a raw partition had lost its end; its end if none did.

    All that lay before the commit has an outcome: what has none, or that of another frame, is new.
    """
    span = picture.spans[place]
    start = max(span.begin, span.end - window)
    orders: dict[int, tuple[int, int]] = {}
    for found, message in outcomes(clients, picture):
        if (found.topic, found.partition) == place and start <= found.offset < span.end:
            orders[found.offset] = _order_of(message, found.offset)
    new = span.end
    for message in clients.read({place: (start, span.end)}):
        offset = message.offset()
        if orders.get(offset) != _order_in(headers_of(message), offset):
            new = offset
            break
    if new == start > span.begin:
        return first_new(clients, picture, place, window=2 * window)
    return new


def _order_of(letter_or_event: Any, offset: int) -> tuple[int, int]:  # noqa: ANN401 - as above
    """The epoch and receipt of an outcome's frame."""
    if letter_or_event.topic() == DEAD_LETTERS:
        return _order_in(headers_of(letter_or_event), offset)
    try:
        snapshot = decode_snapshot(letter_or_event.value() or b"")
    except NotADocument:
        return -1, -1
    return snapshot.epoch, snapshot.receipt


def _order_in(headers: Iterable[tuple[str, bytes]], offset: int) -> tuple[int, int]:
    found = read_receipt(headers, offset=offset, appended_ns=0)
    return found.epoch, found.receipt


def outcomes(
    clients: Clients, picture: Picture, *, since_ms: int | None = None
) -> Iterator[tuple[RawPlace, Any]]:
    """The raw records that have an outcome, of the topics as they are now, and the outcomes.

    With `since_ms` only those outcomes that were written then or later; open transactions of
    workers that run meanwhile are waited for.
    """
    raw = {topic for topic, kind in picture.kinds.items() if kind is Kind.RAW}
    for message in _all(clients, (BALANCES, DEAD_LETTERS), picture.partitions, since_ms):
        origin = _origin(message)
        if origin is None or origin.topic not in raw:
            continue
        known = picture.known.get(origin.topic)
        history = () if known is None else known.history
        if origin.incarnation == number_at(history, origin.partition, origin.offset):
            yield origin, message


def all_origins(clients: Clients, partitions: int) -> Iterator[RawPlace]:
    """The places in raw, of whichever incarnation, that have an outcome."""
    for message in _all(clients, (BALANCES, DEAD_LETTERS), partitions, None):
        origin = _origin(message)
        if origin is not None:
            yield origin


def _origin(message: Any) -> RawPlace | None:  # noqa: ANN401 - librdkafka has no types
    is_letter = message.topic() == DEAD_LETTERS
    return read_origin(headers_of(message)) if is_letter else _event_origin(message)


def _event_origin(message: Any) -> RawPlace | None:  # noqa: ANN401 - librdkafka has no types
    ids = [value for name, value in headers_of(message) if name == "ce_id"]
    try:
        return place_of(ids[0].decode()) if ids else None
    except (NoPlace, UnicodeDecodeError):
        return None


def _all(
    clients: Clients, topics: Collection[str], partitions: int, since_ms: int | None
) -> Iterable[Any]:
    """All that is committed in some topics, from a time on."""
    begins = clients.begins(topics, partitions)
    ends = clients.ends(topics, partitions)
    if since_ms is not None:
        ends = clients.ends(topics, partitions, committed=False)
        at = clients.at(topics, partitions, since_ms)
        begins = {place: ends[place] if first is None else first for place, first in at.items()}
    return clients.read({place: (begin, ends[place]) for place, begin in begins.items()})


def first_unknown(
    clients: Clients, picture: Picture, place: Place, rows: Rows, *, exact: bool
) -> int:
    """The first record of balances that would change a row; the end where there is none."""
    span, partition = picture.spans[place], place[1]
    found = span.end
    for message in clients.read({place: (span.begin, span.end)}):
        try:
            snapshot = decode_snapshot(message.value() or b"")
        except NotADocument:
            continue
        row = rows.get((partition, message.key() or b""))
        if _is_new(None if row is None else decode(row, UserState), snapshot):
            found = message.offset()
            break
    return found if exact else max(span.begin, found - IN_FLIGHT_MAX)


def _is_new(state: UserState | None, snapshot: BalanceSnapshot) -> bool:
    """Whether a snapshot would change its user's row, or has not been passed on to the next one."""
    onward = passed_on(state, snapshot)
    if state is None or onward is None:
        return fold(state, snapshot).state is not state
    # What it was given away with came of all that was folded until then.
    given = state.moved[user_for(snapshot.venue, snapshot.account)].snapshot
    return given is None or (snapshot.epoch, snapshot.receipt) > (given.epoch, given.receipt)
