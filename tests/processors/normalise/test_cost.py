"""Sizes are bounded, and so must be time: no frame costs more than its length."""

import json
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


def test_names_that_every_limit_would_repeat_are_too_large() -> None:
    """A frame of 160 kB would become a document of 100 MB, which no topic takes."""
    frame = sound("hercle")
    data = json.loads(text_of(frame))
    body = data["arguments"][0]["data"]
    body["baseCurrency"] = "E" * 100_000
    body["assets"] = [
        {"name": f"P{number}", "available": 1, "allocated": 0, "maxExposure": 1}
        for number in range(1_000)
    ]
    assert reason("hercle", json.dumps(data)) == "too_large"
    body["baseCurrency"] = "EUR"
    assert reason("hercle", json.dumps(data)) == "accepted"
