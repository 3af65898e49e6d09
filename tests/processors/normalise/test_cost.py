"""Sizes are bounded, and so must be time: no frame costs more than its length."""

import tracemalloc

import pytest

from tests.processors.normalise.frames import (
    VENUES,
    assets,
    literal,
    reason,
    sound,
    text_of,
)

each_venue = pytest.mark.parametrize("venue", VENUES)


@each_venue
def test_a_string_that_is_never_closed_costs_no_more_than_its_length(venue: str) -> None:
    """Looked at again from every quote, a frame of this size would take most of an hour."""
    assert reason(venue, "[[]" + ",[]" * 65 + ',"' + '\\"' * 500_000) == "not_json"


def test_a_zero_with_a_great_exponent_is_not_written_out() -> None:
    """65,000 of them fit into a frame; a million digits for each would take a minute."""
    frame = sound("hercle")
    assets("hercle", frame)[0]["available"] = literal("0e-999999")
    data = text_of(frame).encode()
    tracemalloc.start()
    try:
        assert reason("hercle", data) == "amount"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 100_000
