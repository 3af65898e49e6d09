"""Times: RFC 3339, UTC with a Z, nine decimals; a venue's unit is told by its magnitude."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import rfc3339, time_ns_of, venue_time
from tests.schemas.strategies import FIRST_NS, LAST_NS, MANY

WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z")


@given(st.integers(FIRST_NS, LAST_NS))
@MANY
def test_a_time_comes_back_to_the_nanosecond(time_ns: int) -> None:
    text = rfc3339(time_ns)
    assert WRITTEN.fullmatch(text)
    assert time_ns_of(text) == time_ns


@given(st.integers(FIRST_NS, LAST_NS), st.integers(FIRST_NS, LAST_NS))
@MANY
def test_texts_sort_as_their_times_do(one: int, other: int) -> None:
    assert (one < other) == (rfc3339(one) < rfc3339(other))


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_710_367_225_302_228_171, "2024-03-13T22:00:25.302228171Z"),
        (FIRST_NS, "0001-01-01T00:00:00.000000000Z"),
        (LAST_NS, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_the_years_go_from_1_to_9999(time_ns: int, text: str) -> None:
    assert rfc3339(time_ns) == text


@pytest.mark.parametrize("time_ns", [FIRST_NS - 1, LAST_NS + 1, 10**30, -(10**30)])
def test_a_time_beyond_these_years_is_refused(time_ns: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        rfc3339(time_ns)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-03-13T22:00:25Z",
        "2024-03-13T22:00:25.302Z",
        "2024-03-13 22:00:25.302228171Z",
        "2024-03-13T22:00:25.302228171+00:00",
        "2024-03-13T22:00:25.302228171z",
        "2024-03-13T22:00:25.302228171Z\n",
        "2024-02-30T22:00:25.302228171Z",
        "2024-03-13T24:00:25.302228171Z",
        "2024-03-13T22:00:60.302228171Z",
        "0000-03-13T22:00:25.302228171Z",
        pytest.param("2024-03-13t22:00:25.302228171Z", id="a small t"),
        pytest.param("2024-03-13T22:00:25.+02228171Z", id="a sign in the fraction"),
        pytest.param("2024-03-13T22:00:25.-02228171Z", id="a minus in the fraction"),
        pytest.param("2024-03-13T22:00:25.3_2228171Z", id="an underscore"),
        pytest.param("2024-03-13T22:00:25. 02228171Z", id="a blank in the fraction"),
        pytest.param("٢٠٢٤-03-13T22:00:25.302228171Z", id="Arabic digits"),
    ],
)
def test_a_text_that_we_would_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        time_ns_of(text)


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        pytest.param(
            1_710_367_225_302_228_171, "2024-03-13T22:00:25.302228171Z", id="19 digits: ns"
        ),
        pytest.param(1_710_367_225_302_228, "2024-03-13T22:00:25.302228000Z", id="16 digits: us"),
        pytest.param(1_710_367_225_302, "2024-03-13T22:00:25.302000000Z", id="13 digits: ms"),
        pytest.param(1_710_367_225, "2024-03-13T22:00:25.000000000Z", id="10 digits: s"),
        pytest.param(0, "1970-01-01T00:00:00.000000000Z", id="zero"),
        pytest.param(-1, None, id="negative"),
        pytest.param(10**29, None, id="no time at all"),
    ],
)
def test_the_unit_of_a_venues_time_is_told_by_its_magnitude(
    timestamp: int, text: str | None
) -> None:
    assert venue_time(timestamp) == text
