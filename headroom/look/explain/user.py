"""A user's number of an asset, explained: the row, and for each account the way to its frame."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from headroom.base.clients import Clients
from headroom.base.errors import OperatorError
from headroom.base.partitioner import partition_of
from headroom.base.reading import foreign
from headroom.look.explain.hops import Hop, Raw, Told, find_raw, find_told, last_of
from headroom.look.explain.marks import Mark, agree, marks
from headroom.operate.generations import Book
from headroom.operate.generations.kind import changelog
from processors.freshness import Connections, Now, user_freshness
from processors.freshness import Told as ToldStatus
from processors.http.explained import ExplainedNow, ExplainedPart, explained
from processors.ledger.users import UserState
from processors.names import USERS_TABLE
from schemas.codec import NotADocument, decode
from schemas.documents import BalanceSnapshot
from schemas.feeds import FeedStatus, status_of
from schemas.secrets import redacted_frame
from schemas.times import time_ns_of
from schemas.topics import FEEDS

_NS_PER_S: Final = 1_000_000_000


class NotKnown(OperatorError):
    """A user or an asset of which nothing is known."""


class Frame(msgspec.Struct, frozen=True):
    """A frame's text without secrets of ours, and where in it the amounts are; None: nobody knows.

    `marks` are places in the frame's own bytes, `shown` those in `text`. `agrees`: what was read
    at these places is what the snapshot tells.
    """

    size_bytes: int
    text: str
    marks: list[Mark] | None
    shown: list[Mark] | None
    agrees: bool


class Part(msgspec.Struct, frozen=True):
    """One account's way back.

    `told` is what `balances.v1` has of the frame, corrections behind it, or `told_gone` why it has
    nothing. `is_same`: the record that lies at the place has the order of the one that was read.
    """

    now: ExplainedPart
    told: list[Told]
    told_gone: str | None
    raw: Raw
    is_same: bool
    frame: Frame | None
    connection: FeedStatus | None
    connection_hop: Hop | None


class Explanation(msgspec.Struct, frozen=True):
    """All of it; `row` is where the table's changelog has the row, and since when."""

    now: ExplainedNow
    row: Hop
    parts: list[Part]


def look(
    clients: Clients,
    book: Book,
    user: str,
    asset: str,
    *,
    partitions: int,
    stale_after_seconds: float,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Explanation:
    """Go the whole way, for each account of the user; raises `NotKnown`, `Stalled`."""
    key, topic = user.encode(), changelog(book.live.name, USERS_TABLE)
    number = partition_of(key, partitions)
    rows = last_of(clients, topic, number, partitions, lambda one: one == key)
    if key not in rows:
        raise NotKnown(f"no such user: {user[:100]!r}")
    row, value = rows[key]
    state = decode(value, UserState)
    if not state.live:
        raise NotKnown(f"no such user: {user[:100]!r} (every account is deleted or has moved)")
    statuses = _statuses(clients, partitions)
    freshness = user_freshness(state, _connections(statuses, stale_after_seconds, clock_ns()))
    now = explained(state, asset, freshness)
    if now is None:
        raise NotKnown(f"{user[:100]!r} never held {asset[:100]!r}")
    parts = [
        _part(clients, book, part, snapshot, asset, statuses, partitions)
        for part, snapshot in zip(now.parts, state.live, strict=True)
    ]
    return Explanation(now, row, parts)


def _part(
    clients: Clients,
    book: Book,
    now: ExplainedPart,
    snapshot: BalanceSnapshot,
    asset: str,
    statuses: list[tuple[Hop, FeedStatus]],
    partitions: int,
) -> Part:
    told = find_told(clients, snapshot, snapshot.user, partitions)
    raw = find_raw(clients, snapshot.source, partitions, book.incarnations)
    is_same = raw.receipt is not None and (raw.receipt.epoch, raw.receipt.receipt) == (
        snapshot.epoch,
        snapshot.receipt,
    )
    of_epoch = [(hop, one) for hop, one in statuses if _speaks(one, snapshot)]
    hop, status = max(of_epoch, key=lambda one: one[1].time, default=(None, None))
    return Part(
        now=now,
        told=[] if isinstance(told, str) else told,
        told_gone=told if isinstance(told, str) else None,
        raw=raw,
        is_same=is_same,
        frame=frame_of(raw.frame, snapshot, asset) if is_same else None,
        connection=status,
        connection_hop=hop,
    )


def frame_of(frame: bytes, snapshot: BalanceSnapshot, asset: str) -> Frame:
    """A frame as it may be shown, with the amounts of a snapshot's asset marked."""
    hidden = redacted_frame(frame)
    shown = frame if hidden is None else hidden.text
    found = marks(snapshot.venue, frame, snapshot.account, asset)
    balance = snapshot.assets.get(asset)
    return Frame(
        size_bytes=len(frame),
        text=shown.decode("utf-8", "replace"),
        marks=found,
        shown=found if hidden is None else marks(snapshot.venue, shown, snapshot.account, asset),
        agrees=found is not None and balance is not None and agree(found, balance),
    )


def _speaks(status: FeedStatus, snapshot: BalanceSnapshot) -> bool:
    return (status.venue, status.epoch) == (snapshot.venue, snapshot.epoch)


def _statuses(clients: Clients, partitions: int) -> list[tuple[Hop, FeedStatus]]:
    """How the connections are, by the last word on each."""
    found = []
    for number in range(partitions):
        for key, (hop, value) in last_of(clients, FEEDS, number, partitions, _any).items():
            try:
                found.append((hop, status_of(key, value)))
            except NotADocument as error:
                foreign(FEEDS, hop.partition, hop.offset, str(error))
    return found


def _any(_: bytes) -> bool:
    return True


def _connections(
    statuses: list[tuple[Hop, FeedStatus]], stale_after_seconds: float, now_ns: int
) -> Connections:
    """The connections as a worker would judge them that had heard each record as it was written.

    How long ago that was is told by this machine's clock and the producers'.
    """
    told = [
        ToldStatus(status, min(0.0, (time_ns_of(hop.time) - now_ns) / _NS_PER_S))
        for hop, status in statuses
    ]
    now = Now(at=0.0, time_ns=now_ns, listened_seconds=0.0, stale_after_seconds=stale_after_seconds)
    return Connections(told, now)


def exported(found: Explanation) -> dict[str, Any]:
    """The same as JSON, without what no text can hold."""
    told: dict[str, Any] = msgspec.to_builtins(found)
    for part in told["parts"]:
        del part["raw"]["frame"]
        if part["frame"] is not None:
            del part["frame"]["shown"]
    return told
