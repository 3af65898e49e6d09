"""sFOX's protocol as a pure state machine.

Source: https://docs.sfox.com/websocket-api (authentication, subscription, enterprise balances).
"""

import json
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import UNSET

from producers.outcomes import (
    Count,
    Established,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Refused,
    Send,
    excerpt,
)
from producers.reading import Part, is_unambiguous, read, read_account, read_nested
from schemas.secrets import Secret
from schemas.times import venue_time
from schemas.venues import VENUES

_FEED: Final = VENUES["sfox"].feed


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

    A pure state machine (see `producers.outcomes.Session`): no socket, no clock.
    """

    def __init__(self, api_key: Secret, *, answer_seconds: float) -> None:
        self._api_key = api_key
        self._answer_seconds = answer_seconds
        self._state = _State.AUTHENTICATING
        self._deadline = float("inf")
        self._newest: tuple[int, str] | None = None

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

    def receive(self, message: bytes, now: float) -> Sequence[Outcome]:
        """A balance frame, an answer, another feed's message, or what cannot be told."""
        envelope = read(message, _Envelope)
        if envelope is None:
            return (Publish(message, key=None),)
        recipient = read(envelope.recipient, str)
        if recipient == _FEED:
            return (self._frame(message, envelope),)
        is_answer = envelope.type is not UNSET
        if not (is_answer or recipient is not None) or not is_unambiguous(message):
            return (Publish(message, _account(envelope)),)
        return self._answer(envelope, now) if is_answer else (Count(Kind.OTHER),)

    def _frame(self, message: bytes, envelope: _Envelope) -> Publish:
        return Publish(message, _account(envelope), begins_epoch=self._begins_again(envelope))

    def _begins_again(self, envelope: _Envelope) -> bool:
        """Whether the venue counts anew: the sequence falls although time does not.

        This is also where a gap or a wrong order will be noticed, which ask for a reconnect.
        """
        sequence, timestamp = read(envelope.sequence, int), read(envelope.timestamp, int)
        time = None if timestamp is None else venue_time(timestamp)
        if sequence is None or time is None:
            return False
        if self._newest is None or sequence >= self._newest[0]:
            self._newest = (sequence, time)
            return False
        if time < self._newest[1]:
            return False
        self._newest = (sequence, time)
        return True

    def _answer(self, envelope: _Envelope, now: float) -> Sequence[Outcome]:
        """What an answer changes; one that is not waited for is only counted."""
        payload = read_nested(envelope.payload, _Payload) or _Payload()
        verdict = read(envelope.type, str)
        action = read(envelope.action, str) or read(payload.action, str)
        if verdict == "error":
            return self._error(action, payload)
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

    def _error(self, action: str | None, payload: _Payload) -> Sequence[Outcome]:
        words = read(payload.message, str) or read(payload.error, str) or "no reason given"
        detail = excerpt(self._api_key.redact(words))
        counted = Count(Kind.ERROR, detail)
        if self._state is _State.LIVE:
            return (counted,)
        if self._state is _State.AUTHENTICATING and action == "authenticate":
            return (counted, Refused(detail))
        return (counted, Reconnect(ReconnectReason.REQUEST_REFUSED, detail))


def _account(envelope: _Envelope) -> bytes | None:
    payload = read_nested(envelope.payload, _Payload)
    return None if payload is None else read_account(payload.user_id)
