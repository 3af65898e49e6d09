"""What a line vouches for, as workers hear of it."""

from typing import Any

import pytest

from producers.condition import Condition
from schemas.feeds import Doubt, FeedStatus
from schemas.times import time_ns_of

NS_PER_S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_000
        self.passed_seconds = 0.0

    def __call__(self) -> int:
        return self.now_ns


def at(number: int) -> str:
    return f"1970-01-01T00:00:00.{number:09}Z"


def condition(*, heard: bool = True, accounts: Any = None) -> tuple[Condition, Clock]:
    clock = Clock()
    made = Condition(
        "sfox",
        "1",
        "here",
        vouches_when_heard=heard,
        accounts=accounts,
        clock_ns=clock,
        monotonic=lambda: clock.passed_seconds,
    )
    return made, clock


def connected(*, heard: bool = True, accounts: Any = None) -> tuple[Condition, Clock]:
    made, clock = condition(heard=heard, accounts=accounts)
    made.begin_epoch(7, "reconnected", "connected anew")
    made.heard()
    made.established()
    return made, clock


def told(made: Condition) -> FeedStatus:
    return made.status(reconnects=0)


def test_before_its_first_connection_a_line_is_down_and_says_why() -> None:
    made, clock = condition()
    clock.now_ns = 2_000
    status = told(made)
    assert (status.state, status.since, status.epoch) == ("disconnected", at(1_000), None)
    assert status.doubt == Doubt("connection_lost", "not connected yet", at(1_000))
    made.lost("HTTP 503")
    assert told(made).doubt == Doubt("connection_lost", "HTTP 503", at(1_000))


def test_a_new_run_vouches_from_its_first_frame_on() -> None:
    made, _ = connected()
    status = told(made)
    assert (status.state, status.doubt, status.epoch) == ("connected", None, 7)
    assert status.confirmed_from is not None
    assert status.confirmed_from.receipt == 1
    assert status.confirmed_from.doubt == Doubt("reconnected", "connected anew", at(1_000))


def test_a_gap_spares_the_frame_that_showed_it_and_is_counted() -> None:
    made, clock = connected()
    for _ in range(5):
        made.received(1_000)
    clock.now_ns = 3_000
    made.in_doubt("gap", "12 where 11 was next", spares_last=True)
    status = told(made)
    assert status.gaps == 1
    assert status.confirmed_from is not None
    assert status.confirmed_from.receipt == 5
    assert status.confirmed_from.doubt == Doubt("gap", "12 where 11 was next", at(3_000))


def test_a_wrong_order_spares_nothing_and_is_no_gap() -> None:
    made, _ = connected()
    made.received(1_000)
    made.in_doubt("wrong_order", "fell", spares_last=False)
    status = told(made)
    assert status.gaps == 0
    assert status.confirmed_from is not None
    assert status.confirmed_from.receipt == 2


def test_a_doubt_that_vouches_for_more_than_the_one_before_changes_nothing() -> None:
    made, _ = connected()
    made.received(1_000)
    made.in_doubt("wrong_order", "fell", spares_last=False)
    made.in_doubt("gap", "a gap", spares_last=True)
    status = told(made)
    assert status.confirmed_from is not None
    assert (status.confirmed_from.receipt, status.confirmed_from.doubt.cause) == (2, "wrong_order")


def test_where_being_heard_vouches_the_last_word_is_the_confirmation_while_it_is_connected() -> (
    None
):
    made, clock = connected()
    clock.now_ns = 2_000
    made.heard()
    assert told(made).last_confirmed == at(2_000)
    made.lost("gone")
    clock.now_ns = 3_000
    made.heard()
    status = told(made)
    assert (status.last_heard, status.last_confirmed) == (at(3_000), at(2_000))
    assert status.accounts is None


def test_elsewhere_an_answer_vouches_for_its_accounts_until_a_doubt() -> None:
    made, clock = connected(heard=False, accounts=())
    assert told(made).accounts == []
    assert told(made).last_confirmed is None
    clock.now_ns = 2_000
    made.confirmed(("u", "v"))
    made.doubted("unanswered", "no answer")
    clock.now_ns = 3_000
    made.heard()
    made.doubted("venue_error", "boom")
    status = told(made)
    assert (status.accounts, status.last_confirmed) == (["u", "v"], at(2_000))
    # Since when it is in doubt, and why at present.
    assert status.doubt == Doubt("venue_error", "boom", at(2_000))
    made.confirmed(("u",))
    status = told(made)
    assert (status.doubt, status.accounts, status.last_confirmed) == (None, ["u"], at(3_000))


def test_a_refusal_is_told_from_a_loss_and_ends_with_the_next_connection() -> None:
    made, clock = connected()
    made.lost("gone")
    clock.now_ns = 2_000
    made.refused("HTTP 401")
    clock.now_ns = 3_000
    made.refused("HTTP 403")
    status = told(made)
    assert (status.state, status.since) == ("refused", at(2_000))
    assert status.doubt == Doubt("key_refused", "HTTP 403", at(2_000))
    made.begin_epoch(8, "reconnected", "connected anew")
    made.established()
    assert (told(made).state, told(made).doubt) == ("connected", None)


def test_what_changes_every_second_is_no_news_and_the_rest_is() -> None:
    made, clock = connected(heard=False, accounts=())
    before = made.vouching
    clock.now_ns = 5_000
    made.heard()
    made.received(5_000)
    assert made.vouching == before
    made.confirmed(("u",))
    assert made.vouching != before


@pytest.mark.parametrize("set_seconds", [-86_400, -600, 0, 3_600])
def test_how_long_ago_something_was_is_told_whatever_the_clock_was_set_to(set_seconds: int) -> None:
    made, clock = condition()
    clock.now_ns = begun_ns = 1_000_000 * NS_PER_S
    made.begin_epoch(7, "reconnected", "connected anew")
    made.heard()
    made.established()
    made.received(clock.now_ns)
    clock.passed_seconds = 5.0
    clock.now_ns = begun_ns + (5 + set_seconds) * NS_PER_S
    status = told(made)
    assert status.last_confirmed is not None
    for time in (status.last_heard, status.last_frame, status.last_confirmed):
        assert time is not None
        assert time_ns_of(status.time) - time_ns_of(time) == 5 * NS_PER_S
