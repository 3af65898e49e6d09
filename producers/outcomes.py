"""What a venue's session makes of a message: values, which the feed then carries out."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from schemas.feeds import Cause
from schemas.secrets import redacted

DETAIL_LETTERS_MAX = 200


class Kind(StrEnum):
    """Messages that do not go to raw and are counted."""

    ANSWER = "answer"
    KEEPALIVE = "keepalive"
    ERROR = "error"
    OTHER = "other"


class ReconnectReason(StrEnum):
    """Why a connection ended, or did not come about."""

    KEY_REFUSED = "key_refused"
    SESSION_ENDED = "session_ended"
    GAP = "gap"
    OUT_OF_ORDER = "out_of_order"
    UNANSWERED = "unanswered"
    SUPERSEDED = "superseded"
    UNREACHABLE = "unreachable"
    CERTIFICATE_REFUSED = "certificate_refused"
    KEY_CHANGED = "key_changed"
    HANDSHAKE_REFUSED = "handshake_refused"
    ANSWER_TIMEOUT = "answer_timeout"
    REQUEST_REFUSED = "request_refused"
    PROTOCOL_ERROR = "protocol_error"
    SILENT = "silent"
    OVERSIZE = "oversize"
    CLOSED_BY_VENUE = "closed_by_venue"
    CONNECTION_LOST = "connection_lost"


class Publish(msgspec.Struct, frozen=True):
    """A frame for the raw topic; `begins_epoch` where the venue has begun to count again.

    `several`: it tells of several accounts, of which `key` is the first.
    """

    frame: bytes
    key: bytes | None
    begins_epoch: bool = False
    several: bool = False


class Frames(msgspec.Struct, frozen=True):
    """As many `Publish` as there are frames, in their order; `keys` are their accounts."""

    frames: Sequence[bytes]
    keys: Sequence[bytes]


class Send(msgspec.Struct, frozen=True):
    """A text for the venue; it may hold a secret and is never logged."""

    text: str

    def __repr__(self) -> str:
        return "Send(hidden)"


class Count(msgspec.Struct, frozen=True):
    """A message that is no balances; `detail` is the venue's own words where it is an error."""

    kind: Kind
    detail: str | None = None


class Established(msgspec.Struct, frozen=True):
    """The venue has accepted us: from here on balances come."""


class InDoubt(msgspec.Struct, frozen=True):
    """What came over this connection may be outdated, and no question of ours can mend that.

    It concerns all that was published up to here but, with `spares_last`, the last frame. Whoever
    carries it out connects again, as soon as the venue's limits allow it.
    """

    cause: Cause
    detail: str
    reason: ReconnectReason
    spares_last: bool = False


class Doubted(msgspec.Struct, frozen=True):
    """The venue vouches for nothing at present: an answer is missing, or cannot be the newest."""

    cause: Cause
    detail: str


class Confirmed(msgspec.Struct, frozen=True):
    """The venue has answered with the present balances of these accounts, and of no others."""

    accounts: tuple[str, ...]


class Reconnect(msgspec.Struct, frozen=True):
    """The connection is of no more use; `patient` where the venue asked not to hurry back.

    `wait_seconds` is how long it asked us to stay away: no attempt is made before.
    Where the reason is that the key was refused, it is tried again with a patience of its own
    (`producers.pace.Patience`).
    """

    reason: ReconnectReason
    detail: str
    patient: bool = False
    wait_seconds: float = 0.0


Outcome = Publish | Send | Count | Established | InDoubt | Doubted | Confirmed | Reconnect


Run = Callable[[list[bytes], int], Frames | None]
"""A session's `run`: frames that begin `messages[first:]`, where `receive` says no more of each.

None where the first message is for `receive`; behind the last one it has to be asked again.
"""


class Session(Protocol):
    """A venue's protocol over one connection, as a pure state machine.

    It has no socket and no clock: `now` is monotonic time in seconds, passed in. `due` is when
    `tick` has to be called unless something is received before. One that has many frames may have a
    short way for them beside this: see `Run`.
    """

    @property
    def due(self) -> float:
        """The monotonic time, in seconds, of the next thing to do unasked."""

    def start(self, now: float) -> Sequence[Outcome]:
        """The connection is open: what is to be said first."""

    def receive(self, message: bytes, now: float) -> Sequence[Outcome]:
        """What one WebSocket message, text or binary, amounts to."""

    def tick(self, now: float) -> Sequence[Outcome]:
        """What is due at `now`: own pings, questions, and patience that has run out."""


def excerpt(text: str) -> str:
    """A venue's own words on one line, bounded, without any secret of ours: fit for a log.

    All words of others pass here before anybody sees them.
    """
    # Before it is cut: half a key would not be found any more.
    line = " ".join(redacted(text).split())
    printable = "".join(letter if letter.isprintable() else "?" for letter in line)
    return printable[:DETAIL_LETTERS_MAX]
