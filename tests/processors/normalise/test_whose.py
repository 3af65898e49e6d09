"""Of a frame that cannot be read it is told whose it is, as far as that can be read."""

import json
from typing import Any

import pytest

from schemas.rejections import Rejected
from tests.processors.normalise.frames import (
    ACCOUNT,
    AMOUNTS,
    ASSETS,
    VENUES,
    Fields,
    assets,
    body,
    embed,
    normalise,
    sequence_holder,
    sound,
    text_of,
)

each_venue = pytest.mark.parametrize("venue", VENUES)
NAMES = {"sfox": "test3", "hercle": "user-123"}


def whose(venue: str, frame: Fields | str | bytes) -> tuple[str, str | None]:
    outcome = normalise(venue, frame)
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason.value, outcome.account


def broken(venue: str) -> dict[str, Fields]:
    """A frame for each reason that leaves the account to be read."""
    amount = AMOUNTS[venue][0]
    changes: dict[str, Any] = {
        "missing_field": lambda frame: assets(venue, frame)[1].pop(amount),
        "wrong_type": lambda frame: assets(venue, frame)[1].update({amount: True}),
        "amount": lambda frame: assets(venue, frame)[1].update(
            {amount: "1e5" if venue == "sfox" else 10**40}
        ),
        "duplicate_asset": lambda frame: assets(venue, frame).append(assets(venue, frame)[0]),
    }
    return {reason: sound(venue, change) for reason, change in changes.items()}


@each_venue
@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_a_fault_beside_the_account_leaves_it_known(venue: str, *, as_text: bool) -> None:
    for reason, frame in broken(venue).items():
        shown = embed(venue, frame) if as_text else frame
        assert whose(venue, shown) == (reason, NAMES[venue])
    frame = sound(venue)
    del sequence_holder(venue, frame)["sequence"]
    assert whose(venue, frame) == ("missing_field", NAMES[venue])


@each_venue
def test_a_key_that_stands_twice_elsewhere_leaves_it_known(venue: str) -> None:
    text = text_of(sound(venue))
    for key in ("sequence", ASSETS[venue], AMOUNTS[venue][0]):
        bad = text.replace(f'"{key}": ', f'"{key}": 1, "{key}": ', 1)
        assert whose(venue, bad) == ("duplicate_key", NAMES[venue])
    inner = text_of(body(venue, sound(venue)))[:-1] + ', "x": 1, "x": 1}'
    assert whose(venue, embed(venue, sound(venue), inner)) == ("duplicate_key", NAMES[venue])


@each_venue
def test_an_account_that_stands_twice_is_not_known(venue: str) -> None:
    text, key = text_of(sound(venue)), ACCOUNT[venue]
    for other in (NAMES[venue], "another"):
        bad = text.replace(f'"{key}": ', f'"{key}": {json.dumps(other)}, "{key}": ', 1)
        assert whose(venue, bad) == ("duplicate_key", None)


@each_venue
def test_what_is_no_account_names_nobody(venue: str) -> None:
    for odd, reason in (("", "wrong_type"), ("x" * 1_025, "wrong_type"), (7, "wrong_type")):
        frame = sound(venue)
        body(venue, frame)[ACCOUNT[venue]] = odd
        assert whose(venue, frame) == (reason, None)
    frame = sound(venue)
    del body(venue, frame)[ACCOUNT[venue]]
    assert whose(venue, frame) == ("missing_field", None)


@each_venue
def test_a_frame_that_is_no_balances_or_no_json_names_nobody(venue: str) -> None:
    text = text_of(sound(venue))
    other = '"type": 2' if venue == "hercle" else '"recipient": "ticker"'
    for bad, reason in (
        (text[:-1], "not_json"),
        (text.encode() + b"\xff", "not_utf8"),
        (text[:-1] + f", {other}}}", "duplicate_key"),
        (text[:-1] + ', "x": ' + "[" * 70 + "]" * 70 + "}", "too_deep"),
    ):
        assert whose(venue, bad)[0] == reason
    assert whose(venue, text[:-1]) == ("not_json", None)
    assert whose(venue, "{}") == ("unknown_message", None)


def test_names_that_every_limit_would_repeat_are_somebodys() -> None:
    frame = sound("hercle")
    data = body("hercle", frame)
    data["baseCurrency"] = "E" * 500_000
    data["assets"] = [{**data["assets"][0], "name": str(number)} for number in range(9)]
    assert whose("hercle", frame) == ("too_large", "user-123")
