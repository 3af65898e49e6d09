"""What a venue's own words say of coming back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.manners import (
    RETRY_AFTER_SECONDS_MAX,
    asks_for_patience,
    retry_after_seconds,
    seconds_after,
)

DATE = "Sun, 29 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("wish", "date", "seconds"),
    [
        (None, DATE, 0),
        ("0", None, 0),
        ("7", None, 7),
        (" 120 ", None, 120),
        ("86400", None, RETRY_AFTER_SECONDS_MAX),
        ("9" * 5_000, None, RETRY_AFTER_SECONDS_MAX),
        ("Sun, 29 Nov 2026 10:01:30 GMT", DATE, 90),
        ("Sun, 29 Nov 2026 09:00:00 GMT", DATE, 0),
        ("Sun, 29 Nov 2099 10:00:00 GMT", DATE, RETRY_AFTER_SECONDS_MAX),
        # Without the venue's own time nobody knows how long that is; nor for what is no time.
        ("Sun, 29 Nov 2026 10:01:30 GMT", None, 30),
        ("Sun, 29 Nov 2026 10:01:30", DATE, 30),
        ("soon", DATE, 30),
        ("-5", DATE, 30),
        ("1.5", DATE, 30),
        ("٣", DATE, 30),
        ("", DATE, 30),
    ],
)
def test_retry_after(wish: str | None, date: str | None, seconds: float) -> None:
    assert retry_after_seconds(wish, date) == seconds


@given(st.none() | st.text(), st.none() | st.text() | st.just(DATE))
def test_no_words_break_it_and_none_blind_us_for_long(wish: str | None, date: str | None) -> None:
    assert 0.0 <= retry_after_seconds(wish, date) <= RETRY_AFTER_SECONDS_MAX


def test_close_codes() -> None:
    patient = {code for code in range(1_000, 5_000) if asks_for_patience(code)}
    assert patient == {1008, 1012, 1013, *range(3_000, 5_000)}
    assert {code: seconds_after(code) for code in (1001, 1006, 1012, 1013, 4000)} == {
        1001: 0.0,
        1006: 0.0,
        1012: 5.0,
        1013: 30.0,
        4000: 0.0,
    }
