"""sFOX's protocol as a pure state machine.

Source: https://docs.sfox.com/websocket-api (authentication, subscription, enterprise balances).
"""

import json
import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from producers.outcomes import (
    Count,
    Established,
    Frames,
    InDoubt,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Send,
    excerpt,
)
from producers.reading import Part, is_unambiguous, read, read_account, read_nested
from producers.sequences import SOUND, Counting, Memory, Numbered, Order, judge
from producers.sfox.plain import plain_run
from schemas.secrets import Secret
from schemas.times import venue_time
from schemas.venues import VENUES

_FEED: Final = VENUES["sfox"].feed
_COUNTING: Final = Counting(every=True)
# What the venue may call the end of a session or a subscription: no such message is documented.
_ENDED: Final = re.compile(
    r"expire|ended|closed?\b|unsub|terminat|revoke|log.?out|disconnect", re.IGNORECASE
)


class _Envelope(msgspec.Struct):
    type: Part = UNSET
    recipient: Part = UNSET
    sequence: Part = UNSET
    timestamp: Part = UNSET
    action: Part = UNSET
    payload: Part = UNSET


class _Payload(msgspec.Struct):
    user_id: Part = UNSET
    action: Part = UNSET
    message: Part = UNSET
    error: Part = UNSET


class _State(Enum):
    AUTHENTICATING = auto()
    SUBSCRIBING = auto()
    LIVE = auto()


_AWAITED: Final = {_State.AUTHENTICATING: "authenticate", _State.SUBSCRIBING: "subscribe"}


class SfoxSession:
    """One connection to sFOX: authenticate, wait, subscribe, wait, then frames.

    A pure state machine (see `producers.outcomes.Session`): no socket, no clock. Every message
    takes a number of the connection's; what is missed before the first frame puts nothing in doubt,
    since no account is vouched for before its first frame.
    """

    def __init__(self, api_key: Secret, *, answer_seconds: float) -> None:
        self._api_key = api_key
        self._answer_seconds = answer_seconds
        self._state = _State.AUTHENTICATING
        self._deadline = float("inf")
        self._memory = Memory()
        self._expected = 0
        self._has_told = False

    @property
    def due(self) -> float:
        """When the answer that is waited for is late, in monotonic seconds."""
        return self._deadline

    def start(self, now: float) -> Sequence[Outcome]:
        """Authenticate; nothing may be asked before that is answered."""
        self._deadline = now + self._answer_seconds
        request = {"type": "authenticate", "apiKey": self._api_key.reveal(), "enterprise": "true"}
        return (Send(json.dumps(request)),)

    def tick(self, now: float) -> Sequence[Outcome]:
        """An answer that is late ends the connection."""
        if now < self._deadline:
            return ()
        detail = f"no answer to {_AWAITED[self._state]} within {self._answer_seconds:g} s"
        return (Reconnect(ReconnectReason.ANSWER_TIMEOUT, detail),)

    def run(self, messages: list[bytes], first: int) -> Frames | None:
        """Plain frames with the next numbers, the short way; `receive` takes all others."""
        number = self._memory.following
        found = None if number is None else plain_run(messages, first, number)
        if found is None:
            return None
        keys, contents, time = found
        self._memory.follow(time, contents)
        self._has_told = True
        return Frames(messages[first : first + len(keys)], keys)

    def receive(self, message: bytes, now: float) -> Sequence[Outcome]:
        """A balance frame, an answer, another feed's message, or what cannot be told."""
        envelope = read(message, _Envelope)
        if envelope is None:
            return (Publish(message, key=None), *self._whose())
        recipient = read(envelope.recipient, str)
        if recipient == _FEED:
            return self._frame(message, envelope)
        is_answer = envelope.type is not UNSET
        if not (is_answer or recipient is not None) or not is_unambiguous(message):
            return self._frame(message, envelope)
        doubts = self._note_number_beside(envelope, is_answer=is_answer)
        said = self._answer(envelope, now) if is_answer else self._said_elsewhere(envelope)
        return (*said, *doubts)

    def _frame(self, message: bytes, envelope: _Envelope) -> Sequence[Outcome]:
        order = self._number(envelope)
        account = _account(envelope)
        published = Publish(message, account, begins_epoch=order is Order.ANEW)
        whose = self._whose() if account is None else ()
        self._has_told = self._has_told or account is not None
        return (published, *self._doubts(order, envelope), *whose)

    def _whose(self) -> Sequence[Outcome]:
        """What follows from a message that may be anybody's newest balances."""
        if not self._has_told:
            return ()
        detail = "a message came of which nobody can tell whose balances it has"
        return (InDoubt("unreadable", detail, ReconnectReason.PROTOCOL_ERROR),)

    def _number(self, envelope: _Envelope) -> Order | None:
        """How a message stands to those before it; None where it has no number."""
        sequence, timestamp = read(envelope.sequence, int), read(envelope.timestamp, int)
        if sequence is None:
            return None
        time = None if timestamp is None else venue_time(timestamp)
        content = None if envelope.payload is UNSET else hash(bytes(envelope.payload))
        told = Numbered(sequence, time, content)
        self._expected = self._memory.greatest + 1
        order = judge(_COUNTING, self._memory, told)
        self._memory.take(told, order)
        return order

    def _doubts(self, order: Order | None, envelope: _Envelope) -> Sequence[InDoubt]:
        """What a message's number puts in doubt: what the venue advises then is to reconnect."""
        if order is None or order in SOUND:
            return ()
        number = read(envelope.sequence, int)
        if order is Order.GAP:
            detail = f"the venue's sequence has a gap: {number} where {self._expected} was next"
            return (InDoubt("gap", detail, ReconnectReason.GAP, spares_last=True),)
        detail = f"the venue's sequence fell to {number} where {self._expected} was next"
        return (InDoubt("wrong_order", detail, ReconnectReason.OUT_OF_ORDER),)

    def _note_number_beside(self, envelope: _Envelope, *, is_answer: bool) -> Sequence[Outcome]:
        """A message that is no balances takes a number, too: frames skip it, and it may skip some.

        The answers' numbers, and only theirs, no frame can have: what else came before the first
        frame may have been told out of its turn.
        """
        number, memory = read(envelope.sequence, int), self._memory
        if number is None:
            return ()
        if memory.first is None:
            if is_answer:
                memory.started_behind = max(number, memory.started_behind or number)
            return ()
        self._expected = memory.greatest + 1
        if number < self._expected:
            return ()
        order = Order.NEXT if number == self._expected else Order.GAP
        memory.take(Numbered(number, None, None), order)
        # What it passed over is missing to all accounts: this message is nobody's balances.
        doubts = self._doubts(order, envelope)
        return [replace(doubt, spares_last=False) for doubt in doubts]

    def _answer(self, envelope: _Envelope, now: float) -> Sequence[Outcome]:
        """What an answer changes; one that is not waited for is only counted."""
        payload = read_nested(envelope.payload, _Payload) or _Payload()
        verdict = read(envelope.type, str)
        action = read(envelope.action, str) or read(payload.action, str)
        if verdict == "error":
            return self._error(action, payload)
        if self._state is _State.LIVE:
            return self._said_while_live(verdict, action, payload)
        if verdict != "success" or action is None or action != _AWAITED.get(self._state):
            return (Count(Kind.ANSWER),)
        if self._state is _State.AUTHENTICATING:
            self._state = _State.SUBSCRIBING
            self._deadline = now + self._answer_seconds
            request = {"type": "subscribe", "feeds": [_FEED]}
            return (Count(Kind.ANSWER), Send(json.dumps(request)))
        self._state = _State.LIVE
        self._deadline = float("inf")
        return (Count(Kind.ANSWER), Established())

    def _said_while_live(
        self, verdict: str | None, action: str | None, payload: _Payload
    ) -> Sequence[Outcome]:
        """Nothing was asked: it may be that the session or the subscription has ended."""
        said = [verdict, action, read(payload.message, str)]
        words = ": ".join(word for word in said if word)
        if _ENDED.search(words) is None:
            return (Count(Kind.ANSWER),)
        return (Count(Kind.ERROR, self._words(words)), self._ended(words))

    def _said_elsewhere(self, envelope: _Envelope) -> Sequence[Outcome]:
        """A message for another feed, of which we have none: the venue may speak of ours."""
        payload = read_nested(envelope.payload, _Payload) or _Payload()
        words = read(payload.message, str) or read(payload.error, str) or ""
        if self._state is not _State.LIVE or _ENDED.search(words) is None:
            return (Count(Kind.OTHER),)
        return (Count(Kind.ERROR, self._words(words)), self._ended(words))

    def _error(self, action: str | None, payload: _Payload) -> Sequence[Outcome]:
        words = read(payload.message, str) or read(payload.error, str) or "no reason given"
        detail = self._words(words)
        counted = Count(Kind.ERROR, detail)
        if self._state is _State.LIVE:
            return (counted, self._ended(": ".join(filter(None, (action, words)))))
        if self._state is _State.AUTHENTICATING and action == "authenticate":
            return (counted, Reconnect(ReconnectReason.KEY_REFUSED, detail))
        return (counted, Reconnect(ReconnectReason.REQUEST_REFUSED, detail))

    def _ended(self, words: str) -> InDoubt:
        detail = f"the venue says while live: {self._words(words)}"
        return InDoubt("venue_error", detail, ReconnectReason.SESSION_ENDED)

    def _words(self, text: str) -> str:
        return excerpt(self._api_key.redact(text))


def _account(envelope: _Envelope) -> bytes | None:
    payload = read_nested(envelope.payload, _Payload)
    return None if payload is None else read_account(payload.user_id)
