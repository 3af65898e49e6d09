"""What is compiled, each with the Python that says the same: both ways through the same bytes.

A way is given bytes and tells what both said, or None where what is compiled said nothing, which is
always right. An input of several parts is one text, with `CUT` between them.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from processors import compiled
from processors.ledger.contributions import encode as encode_share
from processors.ledger.contributions import key_of, row_key, unbundle
from processors.ledger.user_ledger import UserLedger
from processors.ledger.users import UserState
from processors.ledger.views import user_balances, user_exposure
from processors.normalise import RawFrame
from producers import chunks
from producers import compiled as compiled_producers
from producers.sfox import plain as plain_producers
from schemas.codec import NotADocument, Told, decode, decode_snapshot, encode
from schemas.documents import BalanceSnapshot
from schemas.headers import cloud_event, read_receipt
from tests.processors.compiled.test_shares import Way as Sums
from tests.processors.normalise.frames import RECEIPT, SOURCES
from tests.processors.normalise.test_plain import HEADERS, ROOMS, Record

CUT = b"\x1e"
PARTS_MAX = 12
FIRST_NUMBER = 7
_MARK = re.compile(rb"(0|[1-9][0-9]{0,60})(\.[0-9]{1,60})?")

Said = tuple[Any, Any] | None
Fence = Callable[[bytes], bytes]
"""Makes a copy of its own of bytes, behind which nobody may look."""


def copied(data: bytes) -> bytes:
    """The plainest fence: whatever lies behind, it is not what lay behind the bytes before."""
    return bytes(bytearray(data))


def parts_of(data: bytes) -> list[bytes]:
    return data.split(CUT)[:PARTS_MAX]


def of_frame(venue: str) -> Callable[[bytes, Fence], Said]:
    """A venue's frame, and the document that tells of it."""
    room, source = ROOMS[venue], SOURCES[venue]

    def both(data: bytes, fence: Fence) -> Said:
        record = Record(fence(data), HEADERS, source.offset, 0)
        told = room.shortcut(source.topic, source.partition, record)
        if told is None:
            return None
        meant = room._any(RawFrame(data, RECEIPT, source))
        if isinstance(meant, BalanceSnapshot):
            meant = Told(meant.user, encode(meant), meant.received_time)
        return told, meant

    return both


def _told_of(snapshot: BalanceSnapshot) -> tuple[Any, ...]:
    place = snapshot.venue, snapshot.account, snapshot.epoch, snapshot.receipt
    source = snapshot.source.topic, snapshot.source.partition, snapshot.source.offset
    order = snapshot.epoch, snapshot.sequence, snapshot.receipt
    names = list(snapshot.assets)
    return encode(snapshot), snapshot.user, snapshot.received_time, place, source, order, names


def _read_of(one: compiled.Account) -> tuple[Any, ...]:
    return one.document, one.user, one.received_time, one.place, one.source, one.order, one.names


def account(data: bytes, fence: Fence) -> Said:
    """A snapshot's document."""
    read = compiled.read(fence(data))
    if read is None:
        return None
    try:
        return _read_of(read), _told_of(decode_snapshot(data))
    except NotADocument as error:
        return _read_of(read), error


def row(data: bytes, fence: Fence) -> Said:
    """A user's row, and the public documents that follow from it."""
    read = compiled.read_row(fence(data))
    if read is None:
        return None
    said = read.version, read.assets, _read_of(read.newest), compiled.documents(read)
    try:
        state = decode(data, UserState)
    except NotADocument as error:
        return said, error
    balances, exposure = user_balances(state), user_exposure(state)
    assert balances is not None
    assert exposure is not None
    documents = encode(balances), encode(exposure)
    (newest,) = state.accounts.values()
    return said, (state.version, state.assets, _told_of(newest), documents)


class _Unsaid(Exception):
    pass


class _Short(UserLedger):
    def _fold_compiled(self, *given: Any) -> Any:
        folded = super()._fold_compiled(*given)
        if folded is None:
            raise _Unsaid
        return folded


class _Long(UserLedger):
    def _fold_compiled(self, *_: Any) -> None:
        return None


def fold(data: bytes, fence: Fence) -> Said:
    """A user's row, or nothing, and the snapshots that come after it."""
    before, *rest = parts_of(data)
    told = [found for one in rest if (found := compiled.read(fence(one))) is not None]
    if not told or len(told) < len(rest):
        return None
    known = compiled.read_row(before)
    if known is not None and known.newest.user != told[0].user:
        return None  # no table has another user's row there: see `check_row`
    if known is not None and not set(known.newest.names) <= set(known.assets):
        return None  # nobody of us writes that: what is held was contributed to
    read = {told[0].user.encode(): before} if before else {}
    try:
        said = _Short().fold(told, lambda key: read.get(key) and fence(read[key]))
    except _Unsaid:
        return None
    return said, _Long().fold([decode_snapshot(one) for one in rest], read.get)


def shares(data: bytes, fence: Fence) -> Said:
    """A bundle of shares, what stands then in the first one's row, and another bundle."""
    bundle, instead, more = [*parts_of(data), b"", b""][:3]
    first = compiled.read_bundle(fence(bundle))
    if first is None:
        return None
    try:
        meant = unbundle(bundle)
    except NotADocument as error:
        return first, error
    said = [(one.key, one.row, one.asset, one.version, one.time, one.data) for one in first]
    keys = [key_of(one) for one in meant]
    told = [
        (key, row_key(key, one.user), one.name, one.version, one.time, encode_share(one))
        for key, one in zip(keys, meant, strict=True)
    ]
    if said != told:
        return said, told
    short, long = Sums(), Sums()
    outcomes = [(short.fold(first), long.fold(meant))]
    second = compiled.read_bundle(fence(more))
    if second is not None and isinstance(outcomes[0][0][0], list):
        if instead:
            # Sums are of what stands in rows: they are worked out anew, as after a restart.
            rows = long.rows | {first[0].row: instead}
            try:
                short, long = Sums(rows), Sums(rows)
            except Exception:  # noqa: BLE001 - it is no row, or cannot be added up: none starts
                return said, told
            short.rows[first[0].row] = fence(instead)
        outcomes.append((short.fold(second), long.fold(unbundle(more))))
    said, told = ([one[way] for one in outcomes] for way in (0, 1))
    if isinstance(outcomes[-1][0][0], list):
        return (said, short.rows, short.sums()), (told, long.rows, long.sums())
    return said, told


def guard(data: bytes, fence: Fence) -> Said:
    """The account that was judged, another one, and marks that its amounts must not cross."""
    made_of, told, marks = [*parts_of(data), b"", b"", b""][:3]
    one, other = compiled.read(fence(made_of)), compiled.read(fence(told))
    if one is None or other is None or not one.names:
        return None
    bounds = [
        (number % len(one.names), number % 2 == 1, number % 3 % 2 * 2 - 1, number % 5 < 2, mark)
        for number, mark in enumerate(marks.split(b" "))
        if _MARK.fullmatch(mark)
    ]
    said = compiled.Guard(one, [(*rest, fence(mark)) for *rest, mark in bounds]).holds(other)
    assets = list(decode_snapshot(told).assets.values())
    same = one.place[:2] == other.place[:2] and one.names == other.names
    return said, same and not any(_crosses(assets, bound) for bound in bounds)


def _crosses(assets: list[Any], bound: tuple[int, bool, int, bool, bytes]) -> bool:
    asset, is_held, side, with_mark, mark = bound
    amount = Decimal(assets[asset].held if is_held else assets[asset].total)
    found = amount.compare(Decimal(mark.decode()))
    return found == side or (found == 0 and with_mark)


def headers(data: bytes, fence: Fence) -> Said:
    """Headers, each `name=value`: read as a receipt, and written as an event's."""
    found = [one.partition(b"=") for one in parts_of(data)]
    texts = [one.decode("utf-8", "replace") for one, _, _ in found]
    event = dict(zip(("subject", "event_id", "time"), [*texts, "", "", ""], strict=False))
    said = [compiled.cloud_event(topic="balances.v1", **event)]
    meant = [cloud_event(topic="balances.v1", **event)]
    pairs = [(text, value) for text, (_, _, value) in zip(texts, found, strict=True)]
    short = compiled.receipt([(name, fence(value)) for name, value in pairs])
    if short is not None:
        said.append(short)
        meant.append(read_receipt(pairs, offset=7, appended_ns=1))
    return said, meant


def messages(data: bytes, fence: Fence) -> Said:
    """A chunk of a WebSocket, cut into messages."""
    ways = []
    for way, chunk in ((compiled_producers, fence(data)), (chunks, data)):
        found: list[bytes] = []
        passed: list[bytes] = []
        ways.append((way.plain_messages(chunk, found, passed.append), found, passed))
    return ways[0], ways[1]


def run(data: bytes, fence: Fence) -> Said:
    """Frames of sFOX that came together."""
    parts = parts_of(data)
    found = compiled_producers.plain_frames([fence(one) for one in parts], 0, FIRST_NUMBER)
    if found is None:
        return None
    return found, plain_producers.plain_frames(parts[: len(found[0])], 0, FIRST_NUMBER)


class Way(NamedTuple):
    """Where its inputs begin, and both ways through them."""

    seeds: list[bytes]
    both: Callable[[bytes, Fence], Said]
