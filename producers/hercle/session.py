"""What Hercle says through its SignalR hub, as a pure state machine.

Source: Hercle's Execution Live Server documentation (`GetBalances`, `executionEvents`).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET

from producers.hercle import signalr
from producers.hercle.balances import FEED, Event, Standing, can_be_taken, events_of, told_of
from producers.hercle.question import Failed, Questions
from producers.hercle.records import Records
from producers.hercle.signalr import HubMessage, MessageType
from producers.outcomes import (
    Confirmed,
    Count,
    Doubted,
    Established,
    Kind,
    Outcome,
    Publish,
    Reconnect,
    ReconnectReason,
    Send,
    excerpt,
)
from producers.reading import Part, is_unambiguous, read, read_nested
from producers.sequences import Order
from producers.settings import Deadlines
from schemas.secrets import Secret
from schemas.topics import FRAME_BYTES_MAX

PING_SECONDS: Final = 15.0
POLL_SECONDS_MIN: Final = Decimal("0.05")
_EVENTS: Final = "executionevents"
_EXECUTED: Final = "execution.order.executed"
_ASK_PAUSE_SECONDS: Final = float(POLL_SECONDS_MIN)
_NUMBER_DIGITS_MAX: Final = 18


class _Said(msgspec.Struct, rename="camel"):
    status_error: Part = UNSET
    message: Part = UNSET


class HercleSession:
    """One connection to the hub: handshake, then balances asked for again and again.

    A pure state machine (see `producers.outcomes.Session`): no socket, no clock. One question is
    open at a time; the hub's being alive says nothing of balances, only an answered question does.
    """

    def __init__(
        self, client_id: str, *, poll_seconds: float, deadlines: Deadlines, api_key: Secret
    ) -> None:
        self._client_id = client_id
        self._deadlines = deadlines
        self._api_key = api_key
        self._records = Records(FRAME_BYTES_MAX)
        self._questions = Questions(
            poll_seconds=poll_seconds,
            answer_seconds=deadlines.answer_seconds,
            pause_seconds=_ASK_PAUSE_SECONDS,
        )
        self._standing = Standing()
        # The accounts of the last question that is over, and of the one asked since.
        self._told_before: set[str] = set()
        self._told_of: set[str] = set()
        self._live = False
        self._ping_at = self._silent_at = float("inf")

    @property
    def due(self) -> float:
        """When to ask, to ping or to give up, in monotonic seconds."""
        return min(self._questions.due, self._ping_at, self._silent_at)

    @property
    def asked(self) -> int:
        """How many questions were asked: the last one's number."""
        return self._questions.number

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
        if self._questions.is_open and now >= self._questions.due:
            outcomes += self._failed(self._questions.late(now)) or self._settled()
        if not self._questions.is_open and now >= self._questions.due:
            number = self._questions.ask(now)
            self._told_before, self._told_of = self._told_of or self._told_before, set()
            outcomes.append(Send(signalr.invocation("GetBalances", self._client_id, number=number)))
        return outcomes

    def receive(self, message: bytes, now: float) -> Sequence[Outcome]:
        """What the hub messages that end in one WebSocket message amount to, in their order."""
        outcomes: list[Outcome] = []
        for record in self._records.take(message):
            outcomes += self._record(record, now) if self._live else self._handshake(record, now)
        if self._records.too_large:
            detail = "a hub message is larger than 16 MiB"
            return [*outcomes, Reconnect(ReconnectReason.OVERSIZE, detail)]
        if self._live:
            self._silent_at = now + self._deadlines.silence_seconds
        return [*outcomes, *self.tick(now)]

    def _given_up(self) -> Reconnect:
        if self._live:
            return Reconnect(ReconnectReason.SILENT, "the hub says nothing, not even a ping")
        return Reconnect(ReconnectReason.ANSWER_TIMEOUT, "no answer to the handshake")

    def _failed(self, failed: Failed | None) -> Sequence[Outcome]:
        """What follows from a question that is over."""
        if failed is None:
            return ()
        doubted = Doubted(failed.cause, failed.detail)
        if not failed.is_last:
            return (doubted,)
        return (doubted, Reconnect(ReconnectReason.UNANSWERED, failed.detail))

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
        self._ping_at = now + PING_SECONDS
        self._questions.begin(now)
        return (Count(Kind.ANSWER), Established())

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
                return self._completion(message, now)
            case MessageType.close:
                return self._close(message)
        return (Count(Kind.OTHER),)

    def _completion(self, message: HubMessage, now: float) -> Sequence[Outcome]:
        error = read(message.error, str)
        words = None if error is None else self._words(error) or "no reason given"
        counted = Count(Kind.ANSWER) if words is None else Count(Kind.ERROR, words)
        number = read(message.invocation_id, str) or ""
        if not (number.isascii() and number.isdigit()):
            return (counted,)
        failed = self._questions.completed(int(number[:_NUMBER_DIGITS_MAX]), now, words)
        return (counted, *(self._failed(failed) or self._settled()))

    def _close(self, message: HubMessage) -> Sequence[Outcome]:
        """The hub takes its leave; where it does not want us back at once, we wait the longest."""
        detail = self._words(read(message.error, str) or "the hub closes the connection")
        patient = message.allow_reconnect is UNSET or bytes(message.allow_reconnect) != b"true"
        closed = Reconnect(ReconnectReason.CLOSED_BY_VENUE, detail, patient=patient)
        return (Count(Kind.OTHER), closed)

    def _invocation(self, record: bytes, message: HubMessage, now: float) -> Sequence[Outcome]:
        events = events_of(message)
        subjects = [read(event.subject, str) for event in events]
        target = read(message.target, str)
        is_other_target = target is not None and target.lower() != _EVENTS
        # None among the subjects: an event that cannot be told to be something else.
        is_other_subject = bool(subjects) and None not in subjects and FEED not in subjects
        can_be_told = is_other_target or (target is not None and is_other_subject)
        if not can_be_told or not is_unambiguous(record):
            return self._balances(record, events, now)
        if is_other_target:
            return (Count(Kind.OTHER),)
        if _EXECUTED in subjects:
            self._questions.soon(now)
        return [outcome for event in events[:1] for outcome in self._told(event)]

    def _balances(self, record: bytes, events: list[Event], now: float) -> Sequence[Outcome]:
        """A frame; where it tells the newest of somebody's balances, it answers the question."""
        told = told_of(events)
        # Of several the first: a hub that always tells of the same ones keeps its order in Kafka.
        key = told[0].account if told else None
        order, words = self._standing.take(told, self._questions.number)
        several = len(told) > 1 or len(events) > 1
        published = Publish(record, key, begins_epoch=order is Order.ANEW, several=several)
        if order in {Order.UNCLEAR, Order.LATE}:
            self._questions.unclear(words)
            self._told_of.clear()
            return (published, Doubted("wrong_order", words))
        is_answer = any(read(event.subject, str) == FEED for event in events)
        if not told or not is_answer or not can_be_taken(record, events):
            return (published,)
        self._questions.answered(now)
        self._told_of.update(one.name for one in told)
        # A hub may answer with an event for each account: the others' may still come.
        return (published, Confirmed(tuple(sorted(self._told_of | self._told_before))))

    def _settled(self) -> Sequence[Outcome]:
        """Whom the connection does not speak for any more, once a question is over."""
        gone = self._told_before - self._told_of
        if self._questions.is_open or not self._told_of or not gone:
            return ()
        self._told_before = set()
        return (Confirmed(tuple(sorted(self._told_of))),)

    def _told(self, event: Event) -> Sequence[Outcome]:
        """Another subject; where it is an error, with the hub's own words."""
        subject = read(event.subject, str) or ""
        data = read_nested(event.data, _Said) or _Said()
        parts = (event.status_error, event.message, data.status_error, data.message)
        words = [text for part in parts if (text := read(part, str))]
        has_status = read(event.status_error, str) or read(data.status_error, str)
        if not has_status and not subject.lower().endswith("error"):
            return (Count(Kind.OTHER),)
        detail = self._words(": ".join([subject, *words]))
        counted = Count(Kind.ERROR, detail)
        if not self._questions.waits:
            return (counted,)
        self._questions.said(detail)
        return (counted, Doubted("venue_error", detail))

    def _words(self, text: str) -> str:
        return excerpt(self._api_key.redact(text))
