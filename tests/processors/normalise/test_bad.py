"""Bytes and messages that are no balances get the contract's reason, and never an exception."""

import pytest

from tests.processors.normalise.frames import (
    ACCOUNT,
    AMOUNTS,
    ASSET,
    ASSETS,
    VENUES,
    assets,
    body,
    embed,
    literal,
    normalise,
    reason,
    sound,
    text_of,
)

each_venue = pytest.mark.parametrize("venue", VENUES)

# -- the bytes


@each_venue
@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"], ids=bytes.hex)
def test_what_is_not_utf8_is_not_utf8(venue: str, data: bytes) -> None:
    frame = sound(venue)
    body(venue, frame)[ACCOUNT[venue]] = "HERE"
    assert reason(venue, text_of(frame).encode().replace(b"HERE", data)) == "not_utf8"
    assert reason(venue, data) == "not_utf8"


@each_venue
@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\udc22\\ud83d", "\\uD83D x"])
def test_a_lone_surrogate_is_not_json(venue: str, escape: str) -> None:
    frame = sound(venue)
    body(venue, frame)[ACCOUNT[venue]] = "HERE"
    assert reason(venue, text_of(frame).replace("HERE", escape)) == "not_json"
    frame = sound(venue)
    frame["HERE"] = 1
    assert reason(venue, text_of(frame).replace("HERE", escape)) == "not_json"


@each_venue
def test_cut_json_is_not_json_wherever_it_is_cut(venue: str) -> None:
    text = text_of(sound(venue)).encode()
    assert {reason(venue, text[:end]) for end in range(len(text))} == {"not_json"}


@each_venue
@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_not_json(venue: str, name: str) -> None:
    for change in (
        lambda frame: frame.update(x=literal(name)),
        lambda frame: assets(venue, frame)[1].update({AMOUNTS[venue][0]: literal(name)}),
    ):
        assert reason(venue, sound(venue, change)) == "not_json"


@each_venue
@pytest.mark.parametrize(
    "number", ["1_000", "+1", "1.", ".5", "01", "0x10", "1e", "--1", "١٢", "", "- 1"]
)
def test_a_number_that_is_not_json_is_not_json(venue: str, number: str) -> None:
    frame = sound(venue)
    assets(venue, frame)[1][AMOUNTS[venue][0]] = literal(number)
    assert reason(venue, frame) == "not_json"


@each_venue
@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "{", "{}{}", "[1,]", "{'a': 1}", '{"a": "\n"}', "\ufeff{}", "nul", '"\\x"'],
    ids=ascii,
)
def test_what_is_not_json_is_not_json(venue: str, text: str) -> None:
    assert reason(venue, text) == "not_json"


@each_venue
def test_3000_levels_are_too_deep(venue: str) -> None:
    for opening, closing in (("[", "]"), ('{"x":', "}")):
        deep = opening * 3_000 + "1" + closing * 3_000
        assert (
            reason(venue, sound(venue, lambda frame, deep=deep: frame.update(x=literal(deep))))
            == "too_deep"
        )
        assert reason(venue, opening * 3_000) == "too_deep"


@each_venue
def test_2_mib_are_too_large(venue: str) -> None:
    frame = sound(venue)
    frame["x"] = "x" * (2 * 1024 * 1024)
    assert reason(venue, frame) == "too_large"
    assert reason(venue, b"\xff" * (2 * 1024 * 1024)) == "too_large"


@each_venue
def test_a_key_that_stands_twice_is_a_duplicate_key_at_any_depth(venue: str) -> None:
    text = text_of(sound(venue))
    for key in ("sequence", ACCOUNT[venue], ASSETS[venue], ASSET[venue], AMOUNTS[venue][0]):
        assert text.count(f'"{key}": ') >= 1
        assert reason(venue, text.replace(f'"{key}": ', f'"{key}": 1, "{key}": ', 1)) == (
            "duplicate_key"
        )
    assert reason(venue, text[:-1] + ', "x": {"y": [{"z": 1, "z": 1}]}}') == "duplicate_key"
    assert reason(venue, text[:-1] + ', "x": 1, "\\u0078": 1}') == "duplicate_key"


# -- other messages

OTHER_MESSAGES = {
    "sfox": {
        "a number": "1",
        "a text": '"balances"',
        "null": "null",
        "a list": "[]",
        "an empty object": "{}",
        "an answer": '{"type": "success", "sequence": 2, "timestamp": 1, '
        '"payload": {"action": "authenticate"}, "action": "authenticate"}',
        "an error": '{"type": "error", "sequence": 2, "payload": {"action": "authenticate"}}',
        "another feed": text_of({**sound("sfox"), "recipient": "ticker.sfox.btcusd"}),
        "a null recipient": text_of({**sound("sfox"), "recipient": None}),
    },
    "hercle": {
        "a number": "1",
        "a text": '"balances"',
        "null": "null",
        "a list": "[]",
        "an empty object": "{}",
        "a ping": '{"type": 6}',
        "a completion": '{"type": 3, "invocationId": "1", "error": "x"}',
        "a close": '{"type": 7, "error": "x"}',
        "another type": text_of({**sound("hercle"), "type": 2}),
        "another target": text_of({**sound("hercle"), "target": "priceEvents"}),
        "another subject": text_of(
            sound("hercle", lambda f: f["arguments"][0].update(subject="account.orders.snapshot"))
        ),
        "no arguments": text_of({**sound("hercle"), "arguments": []}),
        "arguments of another kind": text_of({**sound("hercle"), "arguments": ["x"]}),
    },
}


@pytest.mark.parametrize(
    ("venue", "text"),
    [
        pytest.param(venue, text, id=f"{venue}-{name}")
        for venue, messages in OTHER_MESSAGES.items()
        for name, text in messages.items()
    ],
)
def test_json_that_is_no_balances_is_an_unknown_message(venue: str, text: str) -> None:
    assert reason(venue, text) == "unknown_message"


# -- the body as a text

BAD_BODIES = {
    "empty": ("", "not_json"),
    "cut": ('{"user_id": "a"', "not_json"),
    "NaN": ('{"x": NaN}', "not_json"),
    "a lone surrogate": ('{"user_id": "\\ud800"}', "not_json"),
    "a duplicate key": ('{"x": {"y": 1, "y": 1}}', "duplicate_key"),
    "3,000 levels": ('{"x": ' + "[" * 3_000 + "]" * 3_000 + "}", "too_deep"),
    "an empty object": ("{}", "missing_field"),
    "null": ("null", "wrong_type"),
    "a number": ("1", "wrong_type"),
    "a list": ("[]", "wrong_type"),
    "a text in a text": ('"{}"', "wrong_type"),
}


@each_venue
@pytest.mark.parametrize(("text", "why"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_as_text_is_held_to_the_same_rules(venue: str, text: str, why: str) -> None:
    assert reason(venue, embed(venue, sound(venue), text)) == why


@each_venue
def test_a_fault_inside_a_body_as_text_is_found(venue: str) -> None:
    frame = sound(venue)
    del assets(venue, frame)[1]["available"]
    assert reason(venue, embed(venue, frame)) == "missing_field"


# -- what is said of it


@each_venue
def test_the_detail_names_the_place_and_not_what_stood_there(venue: str) -> None:
    """It is logged and published, and the place tells which of many assets it was."""
    frame = sound(venue)
    assets(venue, frame)[1]["available"] = "SECRET" if venue == "sfox" else literal("1e77")
    detail = normalise(venue, frame).detail
    assert ASSETS[venue] in detail
    assert "[1].available" in detail
    assert "SECRET" not in detail
    assert "1e77" not in detail
