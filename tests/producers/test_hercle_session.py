"""Hercle's hub, message by message, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.outcomes import (
    Confirmed,
    Count,
    Established,
    Kind,
    Publish,
    Reconnect,
    ReconnectReason,
    Send,
)
from tests.producers import frames
from tests.producers.hub import (
    CONFIRMED,
    RS,
    answer,
    asked,
    frame,
    live,
    new,
    said,
)


def test_it_shakes_hands_and_asks_for_balances_at_once() -> None:
    session = new()
    assert not session.tick(0.1)
    counted, established, question = session.receive(b"{}" + RS, 0.2)
    assert (counted, established) == (Count(Kind.ANSWER), Established())
    assert isinstance(question, Send)
    message = json.loads(question.text[:-1])
    assert (message["target"], message["arguments"]) == ("GetBalances", ["my-client"])


def test_hub_messages_may_come_with_the_handshake() -> None:
    outcomes = new().receive(b"{}" + RS + frames.HERCLE + RS + b'{"type":6}' + RS, 0.2)
    assert outcomes[:5] == [
        Count(Kind.ANSWER),
        Established(),
        Publish(frames.HERCLE, b"user-123"),
        CONFIRMED,
        Count(Kind.KEEPALIVE),
    ]


def test_a_refused_handshake_leads_to_a_reconnect_without_the_key_in_the_reason() -> None:
    outcomes = new().receive(b'{"error": "no canary-key"}' + RS, 0.2)
    assert outcomes == [
        Count(Kind.ERROR, "no Secret(hidden)"),
        Reconnect(ReconnectReason.HANDSHAKE_REFUSED, "no Secret(hidden)"),
    ]


def test_something_else_than_a_handshake_is_kept_and_leads_to_a_reconnect() -> None:
    published, reconnect = new().receive(b"<html>" + RS, 0.2)
    assert published == Publish(b"<html>", None)
    assert isinstance(reconnect, Reconnect)
    assert reconnect.reason is ReconnectReason.PROTOCOL_ERROR


def test_no_handshake_within_its_deadline_leads_to_a_reconnect() -> None:
    session = new()
    assert session.due == 10.0
    (outcome,) = session.tick(10.0)
    assert isinstance(outcome, Reconnect)
    assert outcome.reason is ReconnectReason.ANSWER_TIMEOUT


def test_a_hub_that_says_nothing_for_thirty_seconds_is_given_up() -> None:
    session = live(poll_seconds=100.0)
    answer(session, frame(1), 7.0)
    session.tick(15.0)
    session.tick(30.0)
    assert session.due == 37.0
    (outcome,) = session.tick(37.0)
    assert isinstance(outcome, Reconnect)
    assert outcome.reason is ReconnectReason.SILENT


def test_an_executed_order_is_a_reason_to_ask_at_once() -> None:
    session = live()
    answer(session, frame(1), 0.5)
    outcomes = said(session, frames.event("execution.order.executed", {}), 1.0)
    assert outcomes[0] == Count(Kind.OTHER)
    assert asked(outcomes) == ["GetBalances"]
    answer(session, frame(1), 1.0)
    assert session.due == 6.0


def test_an_executed_order_while_a_question_is_open_is_asked_about_after_it() -> None:
    session = live()
    assert not asked(said(session, frames.event("execution.order.executed", {}), 1.0))
    assert asked(answer(session, frame(1), 2.0)) == ["GetBalances"]


def test_a_burst_of_executed_orders_is_no_burst_of_questions() -> None:
    session, questions = live(), 0
    answer(session, frame(1), 0.5)
    for millisecond in range(1000, 1100):
        outcomes = said(session, frames.event("execution.order.executed"), millisecond / 1000)
        questions += len(asked(outcomes))
        questions += len(asked(answer(session, frame(1), millisecond / 1000)))
    assert questions == 2
    assert session.due < 1.2


def test_the_documented_event_is_published_as_it_is_under_its_user() -> None:
    assert said(live(), frames.HERCLE) == [Publish(frames.HERCLE, b"user-123"), CONFIRMED]


def test_data_may_be_a_text_that_holds_json() -> None:
    text = json.dumps({"userId": "user-123", "sequence": 1})
    message = frames.event("account.balances.snapshot", text)
    assert said(live(), message) == [Publish(message, b"user-123"), CONFIRMED]


def test_several_messages_in_one_keep_their_own_texts_and_their_order() -> None:
    other = frames.HERCLE.replace(b"user-123", b"user-4").replace(b"0.5", b"1.50e3")
    outcomes = live().receive(frames.HERCLE + RS + other + RS, 1.0)
    assert outcomes == [
        Publish(frames.HERCLE, b"user-123"),
        CONFIRMED,
        Publish(other, b"user-4"),
        Confirmed(("user-123", "user-4")),
    ]


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (b"", None),
        (b"\xff", None),
        (b"{", None),
        (b"[]", None),
        (b"{}", None),
        (b'{"type": "1"}', None),
        (b'{"type": null}', None),
        (b'{"type": 1}', None),
        (b'{"type": 1, "target": 5}', None),
        (b'{"type": 1, "target": "executionEvents"}', None),
        (b'{"type": 1, "target": "executionEvents", "arguments": []}', None),
        (b'{"type": 1, "target": "executionEvents", "arguments": [5]}', None),
        (b'{"type": 1, "target": "executionEvents", "arguments": {}}', None),
        (b'{"type": 6, "type": 1}', None),
        (b'{"type": 1, "type": 6}', None),
        (frames.event(None), None),
        (frames.event(7, {"userId": "u"}), b"u"),
        (frames.event("account.balances.snapshot"), None),
        (frames.event("account.balances.snapshot", {"userId": 5}), None),
        (frames.event("account.balances.snapshot", {"userId": ""}), None),
        (frames.event("account.balances.snapshot", "{"), None),
        (frames.event("account.balances.snapshot", {"userId": "é😀 /\n"}), "é😀 /\n".encode()),
        (frames.HERCLE.replace(b"executionEvents", b"EXECUTIONEVENTS"), b"user-123"),
        (frames.HERCLE.replace(b"0.5", b"1" * 5000), b"user-123"),
        (frames.HERCLE.replace(b"0.5", b"[" * 100_000), None),
        (frames.event("x").replace(b'"data"', b'"subject": "y", "data"'), None),
    ],
    ids=range(26),
)
def test_what_cannot_be_told_to_be_something_else_is_published(
    record: bytes, key: bytes | None
) -> None:
    assert said(live(), record)[0] == Publish(record, key)


@pytest.mark.parametrize(
    ("record", "counted"),
    [
        (b'{"type": 6}', Count(Kind.KEEPALIVE)),
        (b'{"type": 3, "invocationId": "1"}', Count(Kind.ANSWER)),
        (b'{"type": 3, "invocationId": "1", "result": null}', Count(Kind.ANSWER)),
        (b'{"type": 3, "error": "boom canary-key"}', Count(Kind.ERROR, "boom Secret(hidden)")),
        (b'{"type": 2, "item": 1}', Count(Kind.OTHER)),
        (b'{"type": 8, "sequenceId": 1}', Count(Kind.OTHER)),
        (b'{"type": 42}', Count(Kind.OTHER)),
        (b'{"type": 1, "target": "news", "arguments": []}', Count(Kind.OTHER)),
        (frames.event("account.orders.snapshot", {}), Count(Kind.OTHER)),
        (
            frames.event("account.balances.error", {"statusError": "E1", "message": "x\ny"}),
            Count(Kind.ERROR, "account.balances.error: E1: x y"),
        ),
        (
            frames.event("preChecksError", json.dumps({"message": "low"})),
            Count(Kind.ERROR, "preChecksError: low"),
        ),
        (
            frames.event("anything", None, statusError="E2"),
            Count(Kind.ERROR, "anything: E2"),
        ),
    ],
    ids=range(12),
)
def test_what_is_something_else_is_counted_only(record: bytes, counted: Count) -> None:
    session = live()
    answer(session, frame(1), 0.5)
    assert said(session, record) == [counted]


def test_the_words_of_an_error_are_bounded() -> None:
    outcome, *_ = said(live(), frames.event("a.error", {"message": "x" * 10_000}))
    assert isinstance(outcome, Count)
    assert len(outcome.detail or "") == 200


@pytest.mark.parametrize(
    ("record", "patient"),
    [
        (b'{"type": 7, "allowReconnect": true}', False),
        (b'{"type": 7, "allowReconnect": false, "error": "bye"}', True),
        (b'{"type": 7}', True),
    ],
)
def test_a_close_message_leads_to_a_reconnect_and_what_follows_it_is_kept(
    record: bytes,
    patient: bool,  # noqa: FBT001 - expected, not an option
) -> None:
    outcomes = live().receive(record + RS + frames.HERCLE + RS, 1.0)
    counted, reconnect, published, _ = outcomes
    assert counted == Count(Kind.OTHER)
    assert isinstance(reconnect, Reconnect)
    assert (reconnect.reason, reconnect.patient) == (ReconnectReason.CLOSED_BY_VENUE, patient)
    assert published == Publish(frames.HERCLE, b"user-123")


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_break_it_and_every_record_has_one_outcome(message: bytes) -> None:
    records = [record for record in message.split(RS) if record]
    outcomes = live().receive(b"".join(record + RS for record in records), 1.0)
    assert len(outcomes) == len(records)
    for record, outcome in zip(records, outcomes, strict=True):
        assert isinstance(outcome, Publish | Count)
        if isinstance(outcome, Publish):
            assert outcome.frame == record
