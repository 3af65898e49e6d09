"""Sizes are bounded, and so must be time: no frame costs more than its length."""

import time

import pytest

from tests.processors.normalise.frames import (
    AMOUNTS,
    VENUES,
    assets,
    body,
    literal,
    reason,
    sound,
    text_of,
)

each_venue = pytest.mark.parametrize("venue", VENUES)


SLOW_ZERO = pytest.mark.xfail(
    strict=True, reason="a zero with a great negative exponent is written out before it is refused"
)


@each_venue
def test_a_string_that_is_never_closed_costs_no_more_than_its_length(venue: str) -> None:
    started = time.process_time()
    assert reason(venue, "[[]" + ",[]" * 65 + ',"' + '\\"' * 12_000) == "not_json"
    assert time.process_time() - started < 0.1


@SLOW_ZERO
def test_a_zero_with_a_great_exponent_costs_no_more_than_one_with_a_small_exponent() -> None:
    def cost_seconds(number: str) -> float:
        frame = sound("hercle")
        item = {**assets("hercle", frame)[0], **dict.fromkeys(AMOUNTS["hercle"], literal(number))}
        body("hercle", frame)["assets"] = [item] * 1_000
        data = text_of(frame).encode()
        started = time.process_time()
        assert reason("hercle", data) == "amount"
        return time.process_time() - started

    assert cost_seconds("0e-999999") < 5 * cost_seconds("0e-000099")
