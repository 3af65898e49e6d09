"""Questions to Hercle's hub: when they are asked, and what counts as an answer."""

import json

import pytest

from producers.outcomes import (
    Confirmed,
    Count,
    Doubted,
    Kind,
    Publish,
    ReconnectReason,
)
from tests.producers import frames
from tests.producers.hub import (
    CONFIRMED,
    RS,
    answer,
    asked,
    causes,
    completion,
    data,
    ended,
    frame,
    live,
    said,
)


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
def test_a_list_speaks_for_all_its_accounts_and_has_the_first_ones_key(as_text: bool) -> None:  # noqa: FBT001
    both = [data(1, "1", "u"), data(7, "2", "v")]
    message = frames.event("account.balances.snapshot", json.dumps(both) if as_text else both)
    assert said(live(), message) == [Publish(message, b"u", several=True), Confirmed(("u", "v"))]


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
        f"[{json.dumps(data(1))}, {'[' * 64 + ']' * 64}]",
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
    assert said(live(), message) == [Publish(message, b"u", several=True), Confirmed(("u", "v"))]


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
