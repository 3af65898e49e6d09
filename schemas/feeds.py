"""How a venue's connections are, and which accounts are in doubt: what freshness is made of.

The link between a connection and its accounts is the epoch: a run of a connection has one, and so
has every snapshot that came over it. A connection vouches for the accounts whose newest snapshot is
of its epoch and lies at or behind `confirmed_from.receipt`.
"""

from typing import Final, Literal

import msgspec

from schemas.codec import NotADocument, decode
from schemas.documents import Source, Time
from schemas.times import time_ns_of

Cause = Literal[
    "reconnected",
    "gap",
    "wrong_order",
    "counts_anew",
    "unanswered",
    "venue_error",
    "unreadable",
    "untold",
    "superseded",
    "spooled",
    "not_heard",
    "key_refused",
    "connection_lost",
    "no_connection",
    "unknown",
]
"""Why a number is not known to be today's, for machines; a `reason` beside it is for people."""


class Doubt(msgspec.Struct, frozen=True):
    """Why something is in doubt, and since when; `reason` is a sentence for a person.

    `cause` is one of a few words (`Cause`); there may be others later.
    """

    cause: str
    reason: str
    since: Time


class ConfirmedFrom(msgspec.Struct, frozen=True):
    """From which receipt of its epoch a connection vouches for what it told; before it: `doubt`."""

    receipt: int
    doubt: Doubt


class FeedStatus(msgspec.Struct, frozen=True):
    """One connection to a venue: the value of `feeds.v1`.

    `connection` tells the connections of one producer apart (Hercle: one for each key, numbered),
    `instance` the producers. `state` is since `since`. `doubt` is why it is not connected, or why
    it vouches for no account although it is. `epoch` is that of its present run or, while it is
    down, of its last one. `accounts` are those it speaks for, as far as it knows; null: all of the
    venue. `last_heard` is when anything came from the venue: a frame, a keep-alive, an answer;
    `last_confirmed` when the venue last vouched for balances: heard on a feed that tells changes,
    an answered question elsewhere. Null before the first. The counts are since the producer began.
    `lease` is 0 or, where of several producers one works, a number that is greater with each that
    begins to: what an earlier one still tells counts for nothing.
    """

    venue: str
    connection: str
    state: Literal["connected", "disconnected", "refused"]
    epoch: int | None
    last_heard: Time | None
    last_frame: Time | None
    frames: int
    gaps: int
    reconnects: int
    time: Time
    since: Time | None = None
    doubt: Doubt | None = None
    confirmed_from: ConfirmedFrom | None = None
    accounts: list[str] | None = None
    last_confirmed: Time | None = None
    instance: str = ""
    lease: int = 0


EPOCH_MAX: Final = 2**62
"""Epochs come from clocks: none is greater than this before the year 2116."""


def status_of(key: bytes, value: bytes) -> FeedStatus:
    """The status of a record of `headroom-feeds.v1`; raises `NotADocument` where it is none."""
    status = decode(value, FeedStatus)
    if not key.startswith(f"{status.venue}/".encode()):
        raise NotADocument("it is another venue's")
    if not (0 <= (status.epoch or 0) <= EPOCH_MAX and 0 <= status.lease <= EPOCH_MAX):
        raise NotADocument("its epoch is of no clock")
    times = (status.time, status.since, status.last_heard, status.last_frame, status.last_confirmed)
    try:
        for time in times:
            if time is not None:
                time_ns_of(time)
    except ValueError as error:
        raise NotADocument("a time is none") from error
    return status


class UnconfirmedAccount(msgspec.Struct, frozen=True):
    """An account that is in doubt although its connection is not: the value of `unconfirmed.v1`.

    `epoch` and `receipt` are those of the frame that put it in doubt, `source` its raw record; a
    snapshot behind them takes the doubt away, and the record gets a tombstone.
    """

    user: str
    venue: str
    account: str
    doubt: Doubt
    epoch: int
    receipt: int
    source: Source
