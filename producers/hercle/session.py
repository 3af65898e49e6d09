"""What Hercle says through its SignalR hub, as a pure state machine.

Source: Hercle's Execution Live Server documentation (`GetBalances`, `executionEvents`).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from producers.hercle import signalr
from producers.hercle.signalr import HubMessage, MessageType
from producers.outcomes import (
    Count,
    Established,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Send,
    excerpt,
)
from producers.reading import Part, is_unambiguous, read, read_account, read_nested
from producers.settings import Deadlines
from schemas.secrets import Secret
from schemas.venues import VENUES

PING_SECONDS: Final = 15.0
POLL_SECONDS_MIN: Final = Decimal("0.05")
_FEED: Final = VENUES["hercle"].feed
_EVENTS: Final = "executionevents"
_EXECUTED: Final = "execution.order.executed"
_ASK_PAUSE_SECONDS: Final = float(POLL_SECONDS_MIN)


class _Event(msgspec.Struct, rename="camel"):
    subject: Part = UNSET
    data: Part = UNSET
    status_error: Part = UNSET
    message: Part = UNSET


class _Data(msgspec.Struct, rename="camel"):
    user_id: Part = UNSET
    status_error: Part = UNSET
    message: Part = UNSET


class HercleSession:
    """One connection to the hub: handshake, then balances asked for again and again.

    A pure state machine (see `producers.outcomes.Session`): no socket, no clock. A sequence that
    falls, which asks for a reconnect, will be noticed where a frame is published.
    """

    def __init__(
        self, client_id: str, *, poll_seconds: float, deadlines: Deadlines, api_key: Secret
    ) -> None:
        self._client_id = client_id
        self._poll_seconds = poll_seconds
        self._deadlines = deadlines
        self._api_key = api_key
        self._live = False
        self._questions = 0
        self._asked_at = 0.0
        self._ask_at = self._ping_at = self._silent_at = float("inf")

    @property
    def due(self) -> float:
        """When to ask, to ping or to give up, in monotonic seconds."""
        return min(self._ask_at, self._ping_at, self._silent_at)

    def start(self, now: float) -> Sequence[Outcome]:
        """Shake hands: nothing may be asked before that is answered."""
        self._silent_at = now + self._deadlines.answer_seconds
        return (Send(signalr.handshake_request()),)

    def tick(self, now: float) -> Sequence[Outcome]:
        """Give up on a silent server; else ask and ping when their time has come."""
        if now >= self._silent_at:
            return (self._given_up(),)
        outcomes: list[Outcome] = []
        if now >= self._ping_at:
            self._ping_at = now + PING_SECONDS
            outcomes.append(Send(signalr.ping()))
        if now >= self._ask_at:
            outcomes.append(self._ask(now))
        return outcomes

    def receive(self, message: bytes, now: float) -> Sequence[Outcome]:
        """What the hub messages in one WebSocket message amount to, in their order."""
        outcomes: list[Outcome] = []
        for record in signalr.split(message):
            outcomes += self._record(record, now) if self._live else self._handshake(record, now)
        if self._live:
            self._silent_at = now + self._deadlines.silence_seconds
        return [*outcomes, *self.tick(now)]

    def _given_up(self) -> Reconnect:
        if self._live:
            return Reconnect(ReconnectReason.SILENT, "the hub says nothing, not even a ping")
        return Reconnect(ReconnectReason.ANSWER_TIMEOUT, "no answer to the handshake")

    def _handshake(self, record: bytes, now: float) -> Sequence[Outcome]:
        answer = signalr.read_handshake(record)
        if answer is None:
            detail = "something else came in place of the handshake"
            return (*self._record(record, now), Reconnect(ReconnectReason.PROTOCOL_ERROR, detail))
        if answer.error is not None:
            detail = self._words(answer.error)
            refused = Reconnect(ReconnectReason.HANDSHAKE_REFUSED, detail)
            return (Count(Kind.ERROR, detail), refused)
        self._live = True
        self._ask_at, self._ping_at = now, now + PING_SECONDS
        return (Count(Kind.ANSWER), Established())

    def _ask(self, now: float) -> Send:
        self._questions += 1
        self._asked_at, self._ask_at = now, now + self._poll_seconds
        return Send(signalr.invocation("GetBalances", self._client_id, number=self._questions))

    def _record(self, record: bytes, now: float) -> Sequence[Outcome]:
        """One hub message: kept unless it can be told to be something else than balances."""
        message = read(record, HubMessage)
        kind = None if message is None else signalr.message_type(message)
        if message is None or kind is None:
            return (Publish(record, key=None),)
        if kind is MessageType.invocation:
            return self._invocation(record, message, now)
        if not is_unambiguous(record):
            return (Publish(record, key=None),)
        match kind:
            case MessageType.ping:
                return (Count(Kind.KEEPALIVE),)
            case MessageType.completion:
                return (self._completion(message),)
            case MessageType.close:
                return self._close(message)
        return (Count(Kind.OTHER),)

    def _completion(self, message: HubMessage) -> Count:
        error = read(message.error, str)
        return Count(Kind.ANSWER) if error is None else Count(Kind.ERROR, self._words(error))

    def _close(self, message: HubMessage) -> Sequence[Outcome]:
        """The hub takes its leave; where it does not want us back at once, we wait the longest."""
        detail = self._words(read(message.error, str) or "the hub closes the connection")
        patient = message.allow_reconnect is UNSET or bytes(message.allow_reconnect) != b"true"
        closed = Reconnect(ReconnectReason.CLOSED_BY_VENUE, detail, patient=patient)
        return (Count(Kind.OTHER), closed)

    def _invocation(self, record: bytes, message: HubMessage, now: float) -> Sequence[Outcome]:
        events = _events(message)
        subjects = [read(event.subject, str) for event in events]
        target = read(message.target, str)
        is_other_target = target is not None and target.lower() != _EVENTS
        # None among the subjects: an event that cannot be told to be something else.
        is_other_subject = bool(subjects) and None not in subjects and _FEED not in subjects
        can_be_told = is_other_target or (target is not None and is_other_subject)
        if not can_be_told or not is_unambiguous(record):
            return (Publish(record, _account(events)),)
        if is_other_target:
            return (Count(Kind.OTHER),)
        if _EXECUTED in subjects:
            self._ask_at = min(self._ask_at, max(now, self._asked_at + _ASK_PAUSE_SECONDS))
        return [self._told(event) for event in events[:1]]

    def _told(self, event: _Event) -> Count:
        """Another subject; where it is an error, with the hub's own words."""
        subject = read(event.subject, str) or ""
        data = read_nested(event.data, _Data) or _Data()
        parts = (event.status_error, event.message, data.status_error, data.message)
        words = [text for part in parts if (text := read(part, str))]
        has_status = read(event.status_error, str) or read(data.status_error, str)
        if has_status or subject.lower().endswith("error"):
            return Count(Kind.ERROR, self._words(": ".join([subject, *words])))
        return Count(Kind.OTHER)

    def _words(self, text: str) -> str:
        return excerpt(self._api_key.redact(text))


def _events(message: HubMessage) -> list[_Event]:
    """The envelopes in an invocation's arguments; one that is no object has nothing to tell."""
    return [read(part, _Event) or _Event() for part in read(message.arguments, list[Raw]) or []]


def _account(events: list[_Event]) -> bytes | None:
    for event in events:
        data = read_nested(event.data, _Data)
        if data is not None and (account := read_account(data.user_id)) is not None:
            return account
    return None
