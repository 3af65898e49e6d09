"""Frames at each station, counted: at the venue, at the producer's socket, in raw.

A frame was **sent** when the venue's journal has it. It was **received** when its last byte was
acknowledged by the kernel of the producer's machine (`relay`), whatever the producer did then;
where nobody can look into the bytes (TLS), whatever was sent counts as received. It is **lost**
when it was received and is not in raw. What a venue sent and no socket got is the difference
between the first two: a case of `line_faults` says where there may be any.
"""

import contextlib
import itertools
import re
import sqlite3
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from producers.spool.records import decode
from schemas.headers import read_receipt
from schemas.topics import FRAME_BYTES_MAX
from tests.producers_chaos.relay import messages

Receipt = tuple[int, int]
_SEPARATOR = b"\x1e"


class Draw(msgspec.Struct, frozen=True):
    """A seed, and where it leaves its logs; `scale` below 1 is the short form.

    `brokers` are there already, for several faults, one after the other; None: of its own.
    """

    folder: Path
    seed: int
    scale: float = 1.0
    brokers: Any = None

    @property
    def is_short(self) -> bool:
        return self.scale < 1


class Row(msgspec.Struct, frozen=True):
    """What came of one fault; seconds are None where nothing was to be noticed.

    `refused`: received frames that are larger than 16 MiB, and those behind one on its connection.
    `forgotten`: frames that Kafka had acknowledged, and that it lost itself.
    `behind`: frames that lie behind newer ones of their account, which is wrong unless Kafka forgot
    some: the new leader has forgotten the producer, too, and takes what comes next; what nobody
    had acknowledged then comes again, in its order and under its receipts.
    """

    fault: str
    seed: int
    sent: int
    received: int
    raw: int
    lost: int
    dropped: int
    repeated: int
    noticed_seconds: float | None
    recovered_seconds: float | None
    wrong: list[str] = []
    refused: int = 0
    forgotten: int = 0
    behind: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was lost but what was counted as dropped, and nothing else is wrong."""
        return not self.wrong and self.lost == self.dropped and self.recovered_seconds is not None

    def __str__(self) -> str:
        def told(seconds: float | None) -> str:
            return "-" if seconds is None else f"{seconds:.1f}"

        some = {
            "refused": self.refused,
            "forgotten by Kafka": self.forgotten,
            "behind": self.behind,
        }
        more = "".join(f"  {name} {count}" for name, count in some.items() if count)
        line = (
            f"{self.fault:<26} seed {self.seed:>4}  sent {self.sent:>6}  received "
            f"{self.received:>6}  in raw {self.raw:>6}  lost {self.lost:>5}  dropped "
            f"{self.dropped:>5}  repeated {self.repeated:>5}  "
            f"noticed {told(self.noticed_seconds)} s  recovered {told(self.recovered_seconds)} s"
            f"{more}"
        )
        return "\n".join([line, *(f"    {one}" for one in self.wrong)])


class Raw:
    """What lies in a raw topic: each receipt's frame once, and how many came again.

    `behind` has what is not in order: an account's frames of one epoch where there are `several`
    producers, whose frames may come late, under the epoch under which they came; else of all.
    """

    def __init__(self, records: Iterable[Any], wrong: list[str], *, several: bool = False) -> None:
        self.found: dict[Receipt, bytes] = {}
        self.behind: list[str] = []
        count = 0
        newest: dict[object, Receipt] = {}
        for record in records:
            count += 1
            receipt = read_receipt(record.headers, offset=record.offset, appended_ns=0)
            at = receipt.epoch, receipt.receipt
            is_first = at not in self.found
            if self.found.setdefault(at, record.value) != record.value:
                wrong.append(f"two frames under {at}")
            of = record.key, receipt.epoch if several else None
            if is_first and newest.get(of, (0, 0)) > at:
                self.behind.append(f"{at} of {record.key} lies behind {newest[of]}")
            newest[of] = max(newest.get(of, (0, 0)), at)
        self.repeated = count - len(self.found)

    @property
    def in_order(self) -> list[bytes]:
        """The frames by their receipts."""
        return [frame for _, frame in sorted(self.found.items())]


def spooled(path: Path) -> dict[Receipt, bytes]:
    """What lies in the spool of a producer that does not run."""
    if not path.exists():
        return {}
    found: dict[Receipt, bytes] = {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        for body, checksum in db.execute("SELECT body, checksum FROM groups ORDER BY number"):
            records = decode(body, checksum)
            found.update({(one.epoch, one.receipt): one.frame for one in records})
    return found


def reports(output: str, wrong: list[str]) -> list[dict[str, int]]:
    """The numbers of a producer's report; each has to add up."""
    found = []
    for report in re.findall(r"ProducerReport\((.*)", output):
        told = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", report)}
        found.append(told)
        taken = told["published"] + told["dropped"] + told["spooled"]
        if told["frames"] + told["found"] != taken:
            wrong.append(f"the report does not add up: {told}")
    return found


class Counts(msgspec.Struct):
    """The stations of the frames of one window."""

    sent: int = 0
    received: int = 0
    raw: int = 0
    refused: int = 0

    @property
    def lost(self) -> int:
        return self.received - self.refused - self.raw


def tally(
    sent: Sequence[tuple[int, bytes]],
    arrived: Sequence[bytes] | None,
    raw: Sequence[bytes],
    wrong: list[str],
    *,
    killed: Sequence[bytes] = (),
    kept: Collection[bytes] = (),
) -> Mapping[int, Counts]:
    """Count by window; `sent` are pairs of a window and a frame.

    `arrived` is what came on each connection, None where everything that was sent did. A frame may
    have the text of another one (a venue that is asked again answers the same): so many are wanted.
    Of what arrived at a producer that was killed then, what it had written down (`kept`), or sent,
    was received: of the rest nobody knows but the venue.
    """
    windows = {window: Counts() for window, _ in sent}
    places: dict[bytes, deque[int]] = {}
    for window, frame in sent:
        windows[window].sent += 1
        places.setdefault(frame, deque()).append(window)
    received = places
    if arrived is not None:
        known = {*kept, *raw} if killed else set()
        some = (found for found in _frames(killed) if found[0] in known)
        frames = itertools.chain(_frames(arrived), some)
        received = _received(frames, places, windows, wrong)
    for places_left in received.values():
        for window in places_left:
            windows[window].received += 1
    twice = 0
    for frame in raw:
        if received.get(frame):
            windows[received[frame].popleft()].raw += 1
        else:
            twice += 1
    if twice:
        wrong.append(f"{twice} frames lie in raw more often than they arrived")
    return windows


def _received(
    frames: Iterable[tuple[bytes, bool]],
    places: dict[bytes, deque[int]],
    windows: Mapping[int, Counts],
    wrong: list[str],
) -> dict[bytes, deque[int]]:
    """The windows of the frames that arrived."""
    received: dict[bytes, deque[int]] = {}
    for frame, is_refused in frames:
        if frame not in places:
            continue  # an answer, a ping
        if not places[frame]:
            wrong.append("a frame arrived more often than it was sent")
            continue
        window = places[frame].popleft()
        received.setdefault(frame, deque()).append(window)
        windows[window].refused += is_refused
    return received


def _frames(arrived: Iterable[bytes]) -> Iterable[tuple[bytes, bool]]:
    """Each message that arrived, and whether it is too large or behind such a one."""
    for connection in arrived:
        is_refused = False
        for message in messages(connection):
            is_refused = is_refused or len(message) > FRAME_BYTES_MAX
            for frame in message.split(_SEPARATOR):
                yield frame, is_refused
