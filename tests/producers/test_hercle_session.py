"""Hercle's hub, message by message, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.hercle import HercleSession
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
)
from producers.settings import Deadlines
from schemas.secrets import Secret
from tests.producers import frames

KEY = "canary-key"
RS = b"\x1e"


def new(poll_seconds: float = 5.0) -> HercleSession:
    session = HercleSession(
        "my-client",
        poll_seconds=poll_seconds,
        deadlines=Deadlines(answer_seconds=10, silence_seconds=30),
        api_key=Secret(KEY),
    )
    session.start(0.0)
    return session


def live(poll_seconds: float = 5.0) -> HercleSession:
    session = new(poll_seconds)
    session.receive(b"{}" + RS, 0.0)
    return session


def said(session: HercleSession, record: bytes, now: float = 1.0) -> list[Outcome]:
    return list(session.receive(record + RS, now))


def asked(outcomes: list[Outcome]) -> list[str]:
    texts = [outcome.text[:-1] for outcome in outcomes if isinstance(outcome, Send)]
    return [json.loads(text).get("target", "ping") for text in texts]


def frame(sequence: int, held: str = "1", user: str = "u", *, deleted: bool = False) -> bytes:
    """A frame of one account; `held` is what it holds of one asset."""
    return frames.event("account.balances.snapshot", data(sequence, held, user, deleted=deleted))


def data(sequence: int, held: str = "1", user: str = "u", *, deleted: bool = False) -> object:
    asset = {"name": "BTC", "available": int(held), "allocated": 0, "currentExposure": sequence}
    return {"userId": user, "sequence": sequence, "assets": [asset], "deleted": deleted}


def completion(number: int, error: str | None = None) -> bytes:
    message = {"type": 3, "invocationId": str(number)} | ({} if error is None else {"error": error})
    return json.dumps(message).encode()


def answer(session: HercleSession, record: bytes, now: float) -> list[Outcome]:
    """The open question is answered by a frame and its completion."""
    return said(session, record, now) + said(session, completion(session.asked), now)


def causes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.cause for outcome in outcomes if isinstance(outcome, Doubted)]


def ended(outcomes: list[Outcome]) -> list[ReconnectReason]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Reconnect)]


CONFIRMED = Confirmed(("user-123",))


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


def test_it_asks_every_poll_seconds_and_pings_every_fifteen() -> None:
    session, now, log = live(poll_seconds=4.0), 0.0, []
    answer(session, frame(1), 0.0)
    while now < 29.0:
        now = session.due
        log.append((now, *asked(list(session.tick(now)))))
        answer(session, frame(1), now)
    expected = {4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0}
    assert {now for now, *what in log if "GetBalances" in what} == expected
    assert [now for now, *what in log if "ping" in what] == [15.0, 30.0]


def test_one_question_is_open_at_a_time_however_slow_the_hub_is() -> None:
    session, now = live(poll_seconds=0.05), 0.0
    for questions in range(1, 7):
        # Five seconds to each answer, and pings meanwhile.
        for second in range(1, 6):
            assert "GetBalances" not in asked(said(session, b'{"type": 6}', now + second))
        now += 5
        assert session.asked == questions
        outcomes = answer(session, frame(1), now)
        assert not ended(outcomes)
        assert not causes(outcomes)
        assert "GetBalances" in asked(outcomes)


def test_a_hub_that_only_pings_is_in_doubt_and_then_given_up() -> None:
    session, now = live(poll_seconds=1.0), 0.0
    found: list[tuple[float, str]] = []
    left: list[ReconnectReason] = []
    while not left:
        now += 1.0
        outcomes = said(session, b'{"type": 6}', now)
        found += [(now, cause) for cause in causes(outcomes)]
        left = ended(outcomes)
    assert found == [(10.0, "unanswered"), (20.0, "unanswered"), (30.0, "unanswered")]
    assert left == [ReconnectReason.UNANSWERED]


def test_a_completion_with_an_error_puts_the_balances_in_doubt_and_a_third_ends_it() -> None:
    session, outcomes = live(poll_seconds=0.05), []
    for now in (0.0, 1.0, 2.0):
        session.tick(now)
        outcomes = said(session, completion(session.asked, "boom canary-key"), now)
        assert causes(outcomes) == ["venue_error"]
        assert outcomes[0] == Count(Kind.ERROR, "boom Secret(hidden)")
        assert not asked(outcomes)
    assert ended(outcomes) == [ReconnectReason.UNANSWERED]


def test_an_error_without_words_is_an_error_all_the_same() -> None:
    outcomes = said(live(), completion(1, ""), 0.5)
    assert outcomes[:2] == [
        Count(Kind.ERROR, "no reason given"),
        Doubted("venue_error", "no reason given"),
    ]


def test_an_event_of_an_error_in_place_of_balances_puts_them_in_doubt() -> None:
    session = live(poll_seconds=1.0)
    outcomes = said(session, frames.event("preChecksError", {"message": "low"}), 0.1)
    assert causes(outcomes) == ["venue_error"]
    outcomes = said(session, completion(1), 0.2)
    assert causes(outcomes) == ["venue_error"]
    assert asked(list(session.tick(session.due))) == ["GetBalances"]
    assert Confirmed(("u",)) in answer(session, frame(1), 1.5)


def test_a_completed_question_without_balances_is_unanswered_after_a_second() -> None:
    session = live(poll_seconds=1.0)
    assert not causes(said(session, completion(1), 0.2))
    assert causes(list(session.tick(1.2))) == ["unanswered"]


def test_balances_may_come_a_moment_behind_their_completion() -> None:
    session = live(poll_seconds=4.0)
    said(session, completion(1), 0.2)
    assert Confirmed(("u",)) in said(session, frame(1), 0.3)
    outcomes = list(session.tick(1.2))
    assert not causes(outcomes)
    assert session.due == 4.0


def test_balances_without_a_completion_are_an_answer_all_the_same() -> None:
    session = live(poll_seconds=0.05)
    said(session, frame(1), 0.2)
    assert asked(list(session.tick(1.1))) == []
    outcomes = list(session.tick(1.2))
    assert not causes(outcomes)
    assert asked(outcomes) == ["GetBalances"]


def test_the_completion_of_another_question_changes_nothing() -> None:
    session = live()
    for strange in (completion(7), completion(0), b'{"type": 3, "invocationId": "x"}'):
        assert said(session, strange, 0.5) == [Count(Kind.ANSWER)]
    said(session, frame(1), 0.6)
    assert said(session, completion(1), 0.7) == [Count(Kind.ANSWER)]


def test_a_sequence_that_falls_is_asked_about_at_once_and_then_counts_anew() -> None:
    session = live()
    assert Confirmed(("u",)) in answer(session, frame(5000), 0.0)
    session.tick(5.0)
    outcomes = answer(session, frame(1, "2"), 5.0)
    assert outcomes[0] == Publish(frame(1, "2"), b"u")
    assert "wrong_order" in causes(outcomes)
    assert asked(list(session.tick(5.05))) == ["GetBalances"]
    outcomes = answer(session, frame(2, "3"), 5.1)
    assert outcomes[0] == Publish(frame(2, "3"), b"u", begins_epoch=True)
    assert Confirmed(("u",)) in outcomes


def test_two_events_in_one_answer_do_not_bear_each_other_out() -> None:
    session = live()
    answer(session, frame(5000), 0.0)
    session.tick(5.0)
    for number in (1, 2):
        (published, *doubts) = said(session, frame(number, "2"), 5.0)
        assert published == Publish(frame(number, "2"), b"u")
        assert causes(doubts) == ["wrong_order"]


def test_an_old_copy_is_never_the_newest_however_often_it_comes() -> None:
    session = live(poll_seconds=1.0)
    left: list[ReconnectReason] = []
    answer(session, frame(5, "1"), 0.0)
    session.tick(1.0)
    answer(session, frame(6, "2"), 1.0)
    for now in (2.0, 2.05, 2.10):
        session.tick(now)
        outcomes = answer(session, frame(5, "1"), now)
        assert outcomes[0] == Publish(frame(5, "1"), b"u")
        assert "wrong_order" in causes(outcomes)
        left += ended(outcomes)
    assert left == [ReconnectReason.UNANSWERED]


def test_a_deleted_account_that_is_back_and_counts_from_one_is_taken() -> None:
    session = live()
    answer(session, frame(50, "0", deleted=True), 0.0)
    session.tick(5.0)
    answer(session, frame(1), 5.0)
    session.tick(5.05)
    assert answer(session, frame(1), 5.05)[0] == Publish(frame(1), b"u", begins_epoch=True)


def test_exposures_that_move_are_news_under_the_same_sequence() -> None:
    session = live()
    answer(session, frame(5), 0.0)
    other = frame(5).replace(b'"currentExposure": 5', b'"currentExposure": 6')
    session.tick(5.0)
    assert answer(session, other, 5.0)[:2] == [Publish(other, b"u"), Confirmed(("u",))]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_list_speaks_for_all_its_accounts_and_has_no_key(as_text: bool) -> None:  # noqa: FBT001
    both = [data(1, "1", "u"), data(7, "2", "v")]
    message = frames.event("account.balances.snapshot", json.dumps(both) if as_text else both)
    assert said(live(), message) == [Publish(message, None), Confirmed(("u", "v"))]


def test_an_answer_may_have_an_event_for_each_account_and_the_next_forgets_them() -> None:
    session = live(poll_seconds=1)
    assert said(session, frame(1, "1", "u"))[-1] == Confirmed(("u",))
    assert said(session, frame(1, "1", "v"))[-1] == Confirmed(("u", "v"))
    assert Confirmed not in map(type, said(session, completion(session.asked), 2.0))
    # The other's event may still come; with the completion it cannot any more.
    assert said(session, frame(2, "1", "v"), 2.0)[1] == Confirmed(("u", "v"))
    assert said(session, completion(session.asked), 2.0)[1] == Confirmed(("v",))


def test_an_answer_that_cannot_be_the_newest_is_confirmed_by_no_completion() -> None:
    session = live(poll_seconds=1)
    said(session, frame(5, "1", "u"))
    said(session, completion(session.asked), 2.0)
    said(session, frame(6, "1", "v"), 2.0)
    assert causes(said(session, frame(4, "1", "u"), 2.0)) == ["wrong_order"]
    assert Confirmed not in map(type, said(session, completion(session.asked), 2.0))


def test_what_the_tables_refuse_or_readers_read_apart_confirms_nobody() -> None:
    twice = '{"userId": "v", "userId": "u", "sequence": 1, "assets": [], "deleted": false}'
    for told in (
        json.loads(frame(1))["arguments"][0]["data"] | {"pad": "x" * 2**20},
        [json.loads(twice), {"pad": "x" * 2**20}],
        twice,
        f"[{twice}]",
        f'[{json.dumps(data(1))}, {"[" * 64 + "]" * 64}]',
        [data(1), json.loads("[" * 61 + "]" * 61)],
    ):
        message = frames.event("account.balances.snapshot", told)
        outcomes = said(live(), message)
        assert [type(one) for one in outcomes] == [Publish]
    message = frames.event("account.balances.snapshot", 0).replace(b"0", twice.encode())
    assert [type(one) for one in said(live(), message)] == [Publish]
    # As deep as it may be, with brackets in a text that do not count.
    deep = [data(1, user="[{" * 40), json.loads("[" * 60 + "]" * 60)]
    message = frames.event("account.balances.snapshot", deep)
    assert said(live(), message)[1] == Confirmed(("[{" * 40,))


def test_every_argument_of_a_message_counts() -> None:
    whole = json.loads(frame(1, "1", "u"))
    whole["arguments"] += json.loads(frame(2, "2", "v"))["arguments"]
    message = json.dumps(whole).encode()
    assert said(live(), message) == [Publish(message, None), Confirmed(("u", "v"))]


def test_a_message_in_pieces_is_one_record() -> None:
    session = live()
    assert list(session.receive(frames.HERCLE[:40], 1.0)) == []
    assert session.receive(frames.HERCLE[40:] + RS + b'{"type"', 1.1) == [
        Publish(frames.HERCLE, b"user-123"),
        CONFIRMED,
    ]
    assert session.receive(b": 6}" + RS, 1.2) == [Count(Kind.KEEPALIVE)]


def test_a_message_without_end_is_given_up() -> None:
    session, outcomes = live(), []
    for _ in range(17):
        outcomes = list(session.receive(b"x" * 1024 * 1024, 1.0))
    assert ended(outcomes) == [ReconnectReason.OVERSIZE]


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
