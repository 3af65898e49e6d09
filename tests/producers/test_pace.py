"""How often a venue is tried: never above its limits, whatever chance says."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from producers.pace import (
    ATTEMPTS_PER_MINUTE,
    REQUESTS_PER_MINUTE,
    Backoff,
    DoubtPace,
    Patience,
    RateBound,
)


def test_ceilings_double_up_to_a_bound() -> None:
    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff = Backoff(Highest(), first_seconds=1.0, longest_seconds=10.0)
    assert [backoff.pause_seconds() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.held(1.0)
    assert backoff.pause_seconds() == 10.0
    backoff.held(60.0)
    assert backoff.pause_seconds() == 1.0
    assert backoff.pause_seconds(patient=True) == 10.0


@given(st.integers(), st.integers(1, 50))
def test_a_pause_is_anything_below_its_ceiling(seed: int, attempts: int) -> None:
    backoff = Backoff(Random(seed), first_seconds=0.5, longest_seconds=30.0)
    ceiling = 0.5
    for _ in range(attempts):
        assert 0 <= backoff.pause_seconds() <= ceiling
        ceiling = min(ceiling * 2, 30.0)


@given(st.integers(), st.lists(st.floats(0, 20), min_size=40, max_size=120))
def test_no_minute_sees_more_attempts_or_requests_than_the_venue_allows(
    seed: int, lasted_seconds: list[float]
) -> None:
    backoff, attempts = Backoff(Random(seed)), RateBound(ATTEMPTS_PER_MINUTE)
    now, tries = 0.0, []
    for seconds in lasted_seconds:
        now += attempts.wait_seconds(now)
        attempts.note(now)
        tries.append(now)
        now += seconds
        backoff.held(seconds)
        now += backoff.pause_seconds()
    for first in range(len(tries) - ATTEMPTS_PER_MINUTE):
        assert tries[first + ATTEMPTS_PER_MINUTE] - tries[first] >= 60.0 - 1e-9
    # Each attempt that succeeds costs two requests.
    assert 2 * ATTEMPTS_PER_MINUTE <= REQUESTS_PER_MINUTE


def test_who_is_asked_to_stay_away_does_and_comes_back_at_some_time_after_that() -> None:
    backoff = Backoff(Random(1))
    pauses = [backoff.pause_seconds(at_least_seconds=100.0) for _ in range(50)]
    assert all(100 < pause <= 110 for pause in pauses)
    assert len(set(pauses)) == 50
    pauses = [
        Backoff(Random(n)).pause_seconds(patient=True, at_least_seconds=5.0) for n in range(200)
    ]
    assert 5 <= min(pauses) < 6
    assert 29 < max(pauses) <= 30


def test_below_the_limit_nobody_waits() -> None:
    bound = RateBound(2, window_seconds=60.0)
    bound.note(0.0)
    assert bound.wait_seconds(0.0) == 0.0
    bound.note(10.0)
    assert bound.wait_seconds(20.0) == 40.0
    assert bound.wait_seconds(60.0) == 0.0


def test_a_key_that_was_never_accepted_is_tried_as_often_as_is_said_and_then_given_up() -> None:
    patience = Patience(Random(1), (5.0, 30.0, 130.0))
    pauses = [patience.pause_seconds() for _ in range(5)]
    assert pauses[3:] == [None, None]
    for pause, seconds in zip(pauses[:3], (5.0, 30.0, 130.0), strict=True):
        assert pause is not None
        assert seconds <= pause <= 1.1 * seconds


def test_a_key_that_was_accepted_once_is_tried_without_end_at_most_every_five_minutes() -> None:
    patience = Patience(Random(1), (5.0, 30.0, 130.0))
    patience.pause_seconds()
    patience.accepted()
    pauses = [patience.pause_seconds() or 0.0 for _ in range(50)]
    assert pauses[0] < 10
    assert all(270 < pause <= 300 for pause in pauses[3:])


def test_a_doubt_leads_to_a_reconnect_at_once_and_never_twice_within_ten_seconds() -> None:
    pace, now, left = DoubtPace(), 1_000.0, []
    for _ in range(7):
        now = pace.due(now)
        pace.note(now)
        left.append(now)
    gaps = [later - earlier for earlier, later in pairwise(left)]
    assert left[0] == 1_000.0
    assert gaps == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0]
    # After a good while without a doubt the next one is answered at once, and then in ten seconds.
    now += 1_000.0
    assert pace.due(now) == now
    pace.note(now)
    assert pace.due(now) == now + 10.0
