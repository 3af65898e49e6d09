"""Whose balances a hub message tells, and how they stand to those before. Pure.

Read is just enough to tell that: what the amounts say is the workers' business.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from producers.hercle.signalr import HubMessage
from producers.reading import (
    Part,
    is_nested_deeper,
    is_unambiguous,
    read,
    read_account,
    read_nested,
)
from producers.sequences import Counting, Memory, Numbered, Order, judge
from schemas.rejections import NORMALISED_BYTES_MAX, NORMALISED_DEPTH_MAX
from schemas.venues import VENUES

FEED: Final = VENUES["hercle"].feed
ACCOUNTS_MAX: Final = 10_000
"""Accounts of one connection that are remembered; nobody has as many."""
_COUNTING: Final = Counting(every=False)


class Event(msgspec.Struct, rename="camel"):
    """The envelope of an execution event."""

    subject: Part = UNSET
    data: Part = UNSET
    status_error: Part = UNSET
    message: Part = UNSET


class _Asset(msgspec.Struct):
    name: Part = UNSET
    available: Part = UNSET
    allocated: Part = UNSET


class _Data(msgspec.Struct, rename="camel"):
    user_id: Part = UNSET
    sequence: Part = UNSET
    assets: Part = UNSET
    deleted: Part = UNSET


class Told(msgspec.Struct, frozen=True):
    """One account of a message: its id, and its number (None where it has none)."""

    account: bytes
    sequence: int | None
    content: int

    @property
    def name(self) -> str:
        """The id as a text."""
        return self.account.decode()


def events_of(message: HubMessage) -> list[Event]:
    """The envelopes in an invocation's arguments; one that is no object has nothing to tell."""
    return [read(part, Event) or Event() for part in read(message.arguments, list[Raw]) or []]


def told_of(events: list[Event]) -> list[Told]:
    """The accounts that the balances among these events tell of, as far as they can be read.

    The data of an event may be one account or a list of them, as an object or as a JSON text.
    """
    return [
        told
        for event in events
        if read(event.subject, str) in {FEED, None}
        for data in _accounts_in(event.data)
        if (told := _told(data)) is not None
    ]


def can_be_taken(record: bytes, events: list[Event]) -> bool:
    """Whether a message confirms what it tells: not where tables refuse it, or readers disagree.

    One with a member given twice may be of another account than the one read here.
    """
    if len(record) > NORMALISED_BYTES_MAX:
        return False
    texts = [text.encode() for event in events if (text := read(event.data, str)) is not None]
    return all(
        is_unambiguous(text) and not is_nested_deeper(text, NORMALISED_DEPTH_MAX)
        for text in (record, *texts)
    )


def _accounts_in(data: Part) -> Iterator[_Data]:
    several = read_nested(data, list[Raw])
    if several is not None:
        yield from (found for part in several if (found := read(part, _Data)) is not None)
        return
    one = read_nested(data, _Data)
    if one is not None:
        yield one


def _told(data: _Data) -> Told | None:
    account = read_account(data.user_id)
    if account is None:
        return None
    return Told(account, read(data.sequence, int), _content(data))


def _content(data: _Data) -> int:
    """A hash of what is held; exposures move with the prices, so they tell no old copy."""
    assets = read(data.assets, list[_Asset]) or []
    held = [(_text(one.name), _text(one.available), _text(one.allocated)) for one in assets]
    return hash((_text(data.deleted), *held))


def _text(part: Part) -> bytes:
    return b"" if part is UNSET else bytes(part)


class Standing:
    """How the accounts of one connection stand to what was told of them before on it."""

    def __init__(self) -> None:
        self._memories: dict[bytes, Memory] = {}
        self._fallen_in: dict[bytes, int] = {}

    def take(self, told: list[Told], question: int) -> tuple[Order, str]:
        """The worst order of a message's accounts, and in which words; `question` is the open one.

        ANEW where an account is counted anew and none is unclear.
        """
        worst, words = Order.NEXT, ""
        for one in told:
            order, greatest = self._judge(one, question)
            if order in {Order.UNCLEAR, Order.LATE} or (order is Order.ANEW and worst in _SOUND):
                worst = order
                words = f"the account's sequence fell from {greatest} to {one.sequence}"
        return worst, words

    def _judge(self, told: Told, question: int) -> tuple[Order, int]:
        memory = self._memories.setdefault(told.account, Memory())
        if len(self._memories) > ACCOUNTS_MAX:
            self._memories.pop(next(iter(self._memories)))
        greatest = memory.greatest
        if told.sequence is None:
            return Order.NEXT, greatest
        numbered = Numbered(told.sequence, None, told.content)
        order = judge(_COUNTING, memory, numbered)
        # Only the answer to another question can bear out what the one before it said.
        if order is Order.ANEW and self._fallen_in.get(told.account) == question:
            order = Order.UNCLEAR
        if order is Order.UNCLEAR:
            self._fallen_in[told.account] = question
        memory.take(numbered, order)
        return order, greatest


_SOUND: Final = frozenset({Order.NEXT, Order.ANEW})
