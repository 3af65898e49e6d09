"""Of several reasons the first in the contract's order is given, wherever the faults stand."""

import json
from itertools import combinations

import pytest

from schemas.rejections import Reason
from tests.processors.normalise.frames import (
    ACCOUNT,
    AMOUNTS,
    ASSET,
    ASSETS,
    VENUES,
    Fields,
    assets,
    body,
    embed,
    literal,
    reason,
    sound,
    text_of,
)

ORDER = [
    "too_large",
    "not_utf8",
    "too_deep",
    "not_json",
    "duplicate_key",
    "unknown_message",
    "missing_field",
    "wrong_type",
    "amount",
    "duplicate_asset",
]


def in_fields(venue: str, faults: tuple[str, ...]) -> Fields:
    """A frame whose fields are wrong in these ways, the later reasons standing further in front."""
    frame = sound(venue)
    first, second = assets(venue, frame)
    assets(venue, frame).extend([{**second, ASSET[venue]: "SOL"}, {**second, ASSET[venue]: "XRP"}])
    if "duplicate_asset" in faults:
        assets(venue, frame).insert(1, {**first, ASSET[venue]: "btc"})
    if "amount" in faults:
        first[AMOUNTS[venue][0]] = " 1" if venue == "sfox" else literal("1e400")
    if "wrong_type" in faults:
        second[AMOUNTS[venue][0]] = True
    if "missing_field" in faults:
        del assets(venue, frame)[-1]["available"]
    if "unknown_message" in faults:
        frame["recipient" if venue == "sfox" else "target"] = "another"
    return frame


# What makes a text wrong: put in front of all fields, or behind them.
IN_FRONT = {"duplicate_key": b'"x": {"y": 1, "y": 1}'}
BEHIND = {
    "too_deep": b'"deep": ' + b"[" * 100 + b"]" * 100,
    "not_json": b'"nan": NaN',
    "not_utf8": b'"bytes": "\xff"',
    "too_large": b'"large": "' + b"x" * 2**20 + b'"',
}


def with_faults(venue: str, *faults: str) -> bytes:
    """A frame that is wrong in all of these ways."""
    fields = text_of(in_fields(venue, faults)).encode()[1:-1]
    in_front = [IN_FRONT[fault] for fault in faults if fault in IN_FRONT]
    behind = [BEHIND[fault] for fault in faults if fault in BEHIND]
    return b"{" + b", ".join([*in_front, fields, *behind]) + b"}"


def test_the_reasons_are_the_contracts_in_its_order() -> None:
    assert [reason.value for reason in Reason] == ORDER


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", ORDER)
def test_each_fault_alone_has_its_reason(venue: str, fault: str) -> None:
    assert reason(venue, with_faults(venue, fault)) == fault


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, id=f"{first} before {second}")
        for first, second in combinations(ORDER, 2)
    ],
)
def test_of_two_faults_the_first_in_the_contracts_order_is_given(
    venue: str, first: str, second: str
) -> None:
    assert reason(venue, with_faults(venue, first, second)) == first


@pytest.mark.parametrize("venue", VENUES)
def test_of_all_faults_that_are_left_the_first_is_given(venue: str) -> None:
    for index, first in enumerate(ORDER):
        assert reason(venue, with_faults(venue, *ORDER[index:])) == first


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("tail", ['"z": "\\ud800"}', '"z": tru}', '"z": '], ids=ascii)
def test_a_duplicate_key_does_not_hide_that_it_is_no_json(venue: str, tail: str) -> None:
    text = text_of(sound(venue))
    assert reason(venue, '{"x": {"y": 1, "y": 1},' + text[1:-1] + "," + tail) == "not_json"


@pytest.mark.parametrize("venue", VENUES)
def test_a_field_missing_from_the_last_asset_goes_before_a_wrong_type_in_the_first(
    venue: str,
) -> None:
    frame = sound(venue)
    assets(venue, frame)[0]["available"] = None
    del assets(venue, frame)[-1]["available"]
    assert reason(venue, frame) == "missing_field"


@pytest.mark.parametrize("venue", VENUES)
def test_a_missing_account_goes_before_a_bad_amount(venue: str) -> None:
    frame = sound(venue)
    assets(venue, frame)[0]["available"] = "" if venue == "sfox" else literal("1e99")
    del body(venue, frame)[ACCOUNT[venue]]
    assert reason(venue, frame) == "missing_field"


def test_a_missing_sequence_goes_before_a_wrong_payload_but_not_before_broken_json_in_it() -> None:
    frame = sound("sfox")
    del frame["sequence"]
    frame["payload"] = 1
    assert reason("sfox", frame) == "missing_field"
    assert reason("sfox", embed("sfox", frame, "{")) == "not_json"


@pytest.mark.parametrize("venue", VENUES)
def test_a_list_of_another_type_does_not_hide_a_missing_account(venue: str) -> None:
    frame = sound(venue)
    body(venue, frame)[ASSETS[venue]] = {}
    del body(venue, frame)[ACCOUNT[venue]]
    assert reason(venue, frame) == "missing_field"


@pytest.mark.parametrize("venue", VENUES)
def test_what_lies_below_a_key_that_stands_twice_is_not_judged(venue: str) -> None:
    """Nobody knows which of the two is meant; so a text inside that is no JSON changes nothing."""
    inner = '{"userId": NaN}' if venue == "hercle" else '{"user_id": NaN}'
    told = {
        "sfox": {"recipient": "private.enterprise.users.balances", "payload": inner},
        "hercle": {"type": 1, "target": "executionEvents", "arguments": [{"data": inner}]},
    }[venue]
    told_of = json.dumps(told)
    if venue == "hercle":
        told_of = told_of.replace('"data"', '"subject": "account.balances.snapshot", "data"')
    assert reason(venue, told_of) == "not_json"
    assert reason(venue, told_of[:-1] + ', "x": 1, "x": 1}') == "duplicate_key"
