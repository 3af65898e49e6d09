"""Whether a venue's numbers say that something was missed, came late, or is counted anew. Pure.

Each message that carries a number is judged against those before it on the same connection. What
cannot be told apart is `UNCLEAR`: whoever asked then knows nothing of the accounts, and asks again.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

REMEMBERED_MAX: Final = 1_024
"""Numbers whose contents are remembered, to know a repetition by them."""
SKIPPED_MAX: Final = 64
"""Runs of numbers that were passed over and may still come."""


class Order(StrEnum):
    """How a message stands to those before it."""

    FIRST = "first"
    NEXT = "next"
    REPEATED = "repeated"
    REVISED = "revised"
    """The newest number once more, with other contents: what came last counts."""
    GAP = "gap"
    LATE = "late"
    ANEW = "anew"
    UNCLEAR = "unclear"


SOUND: Final = frozenset({Order.FIRST, Order.NEXT, Order.REPEATED, Order.REVISED, Order.ANEW})
"""What leaves nothing open; after `GAP` that message is sound, those before it may be outdated."""


class Numbered(msgspec.Struct, frozen=True):
    """A message's number, the venue's own time of it (comparable; None: not told), its contents.

    `content` is anything that is equal for equal contents, such as a hash; not the time.
    """

    sequence: int
    time: str | None
    content: Hashable


class Counting(msgspec.Struct, frozen=True):
    """How a venue counts.

    `every`: each message of the connection takes the next number, so one that is passed over is a
    message that was missed, and no number is used twice. Otherwise the number is that of an
    account's newest change, told whenever it is asked for: it may jump and stand still. There the
    caller asks one question at a time, so that a later message answers a later question, and an
    old copy is told from a new count by its contents.
    """

    every: bool


class Memory:
    """What one connection (or one account on it) has been told so far; bounded.

    `greatest` is the newest number, `started_behind` one that cannot be a message's any more: the
    venue's own answers took it before the first.
    """

    def __init__(self) -> None:
        self.started_behind: int | None = None
        self.first: int | None = None
        self.greatest = 0
        self.newest_time: str | None = None
        self.fallen: int | None = None
        self._contents: OrderedDict[int, Hashable] = OrderedDict()
        self._skipped: list[tuple[int, int]] = []
        self._forgot_skipped = False

    def content_of(self, sequence: int) -> Hashable | None:
        """The contents that came under a number; None where they are not known (any more)."""
        return self._contents.get(sequence)

    def was_skipped(self, sequence: int) -> bool | None:
        """Whether a number was passed over; None where that is not known any more."""
        if any(low <= sequence <= high for low, high in self._skipped):
            return True
        return None if self._forgot_skipped else False

    @property
    def following(self) -> int | None:
        """The number that would be the next; None before the first."""
        return None if self.first is None else self.greatest + 1

    def follow(self, time: str | None, contents: Sequence[Hashable]) -> None:
        """Take messages with the next numbers: what `take` does with each of them and `NEXT`.

        `time` is the newest of their times, None where none of them is told.
        """
        first = self.greatest + 1
        self.greatest += len(contents)
        self.fallen = None
        self.newest_time = time if self.newest_time is None else self._later(time)
        self._contents.update(zip(range(first, self.greatest + 1), contents, strict=True))
        for _ in range(len(self._contents) - REMEMBERED_MAX):
            self._contents.popitem(last=False)

    def take(self, told: Numbered, order: Order) -> None:
        """Remember a message that was judged."""
        if order is Order.ANEW:
            self._forget()
        if self.first is None:
            self.first = self.greatest = told.sequence
        elif order is Order.UNCLEAR:
            self.fallen = told.sequence
            return
        elif order in {Order.NEXT, Order.GAP}:
            self._pass_over(self.greatest + 1, told.sequence - 1)
            self.greatest = told.sequence
        elif order is Order.LATE:
            self._came(told.sequence)
        if told.sequence == self.greatest:
            self.fallen = None
            self.newest_time = told.time if self.newest_time is None else self._later(told.time)
        self._contents[told.sequence] = told.content
        self._contents.move_to_end(told.sequence)
        if len(self._contents) > REMEMBERED_MAX:
            self._contents.popitem(last=False)

    def _forget(self) -> None:
        self.started_behind = self.first = self.newest_time = self.fallen = None
        self._contents.clear()
        self._skipped.clear()
        self._forgot_skipped = False

    def _later(self, time: str | None) -> str | None:
        return self.newest_time if time is None else max(time, self.newest_time or time)

    def _pass_over(self, low: int, high: int) -> None:
        if low > high:
            return
        self._skipped.append((low, high))
        if len(self._skipped) > SKIPPED_MAX:
            del self._skipped[0]
            self._forgot_skipped = True

    def _came(self, sequence: int) -> None:
        left: list[tuple[int, int]] = []
        for low, high in self._skipped:
            if low <= sequence <= high:
                parts = ((low, sequence - 1), (sequence + 1, high))
                left += [part for part in parts if part[0] <= part[1]]
            else:
                left.append((low, high))
        self._skipped = left


def judge(counting: Counting, memory: Memory, told: Numbered) -> Order:
    """How a message stands to those before it; nothing is remembered by asking.

    `n` is its number, `greatest` the greatest before it. The first line that applies counts:

    | number | what else is known | every message counts | the newest change is told |
    |---|---|---|---|
    | no message before it | | FIRST | FIRST |
    | n = greatest + 1 | | NEXT | NEXT |
    | n > greatest + 1 | | GAP | NEXT |
    | came before | the same contents, n = greatest | REPEATED | REPEATED |
    | came before | the same contents, n < greatest | REPEATED | LATE: an old copy |
    | n = greatest | other contents | REVISED | REVISED |
    | was passed over | | LATE, whatever its time | |
    | behind our own requests' answers | no time, or not an older one | ANEW | |
    | used twice | no time, or not an older one | ANEW | |
    | came before, contents forgotten | a newer time | ANEW | |
    | n < greatest | another answer had fallen to n or below | | ANEW |
    | n < greatest | anything else | UNCLEAR | UNCLEAR |

    A number that was passed over belongs to a message that is late, even where its time claims to
    be the newest: a clock alone decides nothing. One that was used cannot come again with other
    contents unless the venue counts anew. Where nothing proves either, it stays unclear.
    """
    if memory.first is None:
        return Order.FIRST
    if told.sequence > memory.greatest:
        follows = told.sequence == memory.greatest + 1 or not counting.every
        return Order.NEXT if follows else Order.GAP
    before = memory.content_of(told.sequence)
    if before is not None and before == told.content:
        is_old_copy = told.sequence < memory.greatest and not counting.every
        return Order.LATE if is_old_copy else Order.REPEATED
    if told.sequence == memory.greatest:
        return Order.REVISED
    if counting.every:
        return _fallen_where_all_count(memory, told, is_used=before is not None)
    again = memory.fallen is not None and told.sequence >= memory.fallen
    return Order.ANEW if again else Order.UNCLEAR


def _fallen_where_all_count(memory: Memory, told: Numbered, *, is_used: bool) -> Order:
    skipped = memory.was_skipped(told.sequence)
    if skipped:
        return Order.LATE
    newest, time = memory.newest_time, told.time
    is_older = newest is not None and time is not None and time < newest
    behind = memory.started_behind is not None and told.sequence <= memory.started_behind
    if (behind or is_used) and not is_older:
        return Order.ANEW
    is_newer = newest is not None and time is not None and time > newest
    was_there = memory.first is not None and told.sequence >= memory.first and skipped is False
    return Order.ANEW if was_there and is_newer else Order.UNCLEAR
