"""Odd but sound input goes through, with every digit, name and id as it came."""

import pytest

from schemas.documents import AccountExposure, Exposure
from tests.processors.normalise.frames import (
    ACCOUNT,
    AMOUNTS,
    ASSET,
    JSON_MIB,
    VENUES,
    accepted,
    assets,
    body,
    embed,
    literal,
    reason,
    sequence_holder,
    sound,
    text_of,
)

AMOUNTS_AS_THEY_COME = {
    "negative": "-3.5",
    "minus zero": "-0",
    "minus zero with places": "-0.00",
    "trailing zeros": "1.10",
    "more digits than a double": "0.1234567890123456789012345678901234567",
    "38 digits before and after the point": "9" * 38 + "." + "9" * 38,
    "minus 38 digits before and after": "-" + "1" * 38 + "." + "1" * 38,
}
IDS = {
    "a space": "two words",
    "a slash": "a/b",
    "a colon": "sfox:x",
    "a line feed": "one\ntwo",
    "an emoji": "🐢",
    "200 letters": "x" * 200,
    "1,024 bytes": "é" * 512,
    "a zero byte": "\0",
    "text that looks like JSON": '{"a": [',
    "digits": "123",
    "a blank": " ",
}


@pytest.mark.parametrize("amount", AMOUNTS_AS_THEY_COME.values(), ids=AMOUNTS_AS_THEY_COME)
def test_sfox_amounts_keep_their_digits(amount: str) -> None:
    frame = sound("sfox")
    for name in AMOUNTS["sfox"]:
        assets("sfox", frame)[0][name] = amount
    balance = accepted("sfox", frame).assets["BTC"]
    assert (balance.total, balance.available, balance.held) == (amount, amount, amount)
    assert balance.wallets["trading"] == balance.wallets["borrow"] == amount


@pytest.mark.parametrize("amount", AMOUNTS_AS_THEY_COME.values(), ids=AMOUNTS_AS_THEY_COME)
def test_hercle_amounts_keep_their_digits(amount: str) -> None:
    frame = sound("hercle")
    for name in AMOUNTS["hercle"]:
        assets("hercle", frame)[0][name] = literal(amount)
    for name in ("totalCurrentExposure", "totalMaxExposure"):
        body("hercle", frame)[name] = literal(amount)
    snapshot = accepted("hercle", frame)
    balance = snapshot.assets["BTC"]
    assert (balance.available, balance.held) == (amount, amount)
    assert balance.exposure == Exposure(amount, amount)
    assert snapshot.exposure == AccountExposure("EUR", amount, amount)


@pytest.mark.parametrize(
    ("available", "allocated", "total"),
    [
        ("1000", "250", "1250"),
        ("0.5", "0", "0.5"),
        ("1.10", "-1.1", "0.00"),
        ("-0", "-0.0", "0.0"),
        ("9" * 38, "1", "1" + "0" * 38),
        ("0." + "0" * 37 + "1", "9" * 38, "9" * 38 + "." + "0" * 37 + "1"),
    ],
)
def test_hercles_total_is_available_and_allocated_exactly(
    available: str, allocated: str, total: str
) -> None:
    frame = sound("hercle")
    assets("hercle", frame)[0].update(available=literal(available), allocated=literal(allocated))
    balance = accepted("hercle", frame).assets["BTC"]
    assert (balance.total, balance.available, balance.held) == (total, available, allocated)


@pytest.mark.parametrize(
    ("number", "amount"),
    [("1e3", "1000"), ("1.50E+2", "150"), ("25e-4", "0.0025"), ("1e37", "1" + "0" * 37)],
)
def test_a_hercle_number_may_have_an_exponent(number: str, amount: str) -> None:
    frame = sound("hercle")
    assets("hercle", frame)[0]["available"] = literal(number)
    assert accepted("hercle", frame).assets["BTC"].available == amount


@pytest.mark.parametrize("venue", VENUES)
def test_an_account_may_hold_nothing(venue: str) -> None:
    frame = sound(venue)
    assets(venue, frame).clear()
    assert accepted(venue, frame).assets == {}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("account", IDS.values(), ids=IDS)
def test_any_text_is_an_id(venue: str, account: str) -> None:
    frame = sound(venue)
    body(venue, frame)[ACCOUNT[venue]] = account
    snapshot = accepted(venue, frame)
    assert (snapshot.account, snapshot.user) == (account, f"{venue}:{account}")


@pytest.mark.parametrize("venue", VENUES)
def test_unknown_fields_are_fine_wherever_they_stand(venue: str) -> None:
    frame, more = sound(venue), {"x": [1.5, None, {"y": "z"}]}
    places = [frame, body(venue, frame), *assets(venue, frame)]
    if venue == "hercle":
        places.append(frame["arguments"][0])
    for place in places:
        place["a_later_field"] = more
    assert accepted(venue, frame) == accepted(venue, sound(venue))


def test_a_wallet_that_nobody_knew_yet_is_one_more_wallet() -> None:
    frame = sound("sfox")
    assets("sfox", frame)[0]["moon_wallet"] = "0.10"
    assert accepted("sfox", frame).assets["BTC"].wallets == {
        "trading": "9.99850081",
        "collateral": "0",
        "borrow": "0",
        "lending": "0",
        "moon": "0.10",
    }


def test_an_update_without_wallets_has_none() -> None:
    frame = sound("sfox")
    for name in [name for name in assets("sfox", frame)[0] if name.endswith("_wallet")]:
        del assets("sfox", frame)[0][name]
    assert accepted("sfox", frame).assets["BTC"].wallets == {}


def test_a_wallet_at_hercle_is_an_unknown_field_like_any_other() -> None:
    frame = sound("hercle")
    assets("hercle", frame)[0]["trading_wallet"] = "x"
    assert accepted("hercle", frame).assets["BTC"].wallets == {}


@pytest.mark.parametrize("venue", VENUES)
def test_an_asset_is_upper_case(venue: str) -> None:
    frame = sound(venue)
    assets(venue, frame)[0][ASSET[venue]] = "bTc"
    assert set(accepted(venue, frame).assets) == {"BTC", "ETH"}


@pytest.mark.parametrize("venue", VENUES)
def test_the_body_may_be_a_text_that_holds_json(venue: str) -> None:
    assert accepted(venue, embed(venue, sound(venue))) == accepted(venue, sound(venue))


@pytest.mark.parametrize("venue", VENUES)
def test_escapes_and_white_space_change_nothing(venue: str) -> None:
    frame = sound(venue)
    body(venue, frame)[ACCOUNT[venue]] = "żółw 🐢"
    text = text_of(frame)
    escaped = text.replace("🐢", "\\ud83d\\udc22").replace("ż", "\\u017c")
    assert accepted(venue, escaped) == accepted(venue, f"\r\n\t {text} \n") == accepted(venue, text)


@pytest.mark.parametrize("sequence", [0, -1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("venue", VENUES)
def test_any_integer_of_64_bits_is_a_sequence(venue: str, sequence: int) -> None:
    frame = sound(venue)
    sequence_holder(venue, frame)["sequence"] = sequence
    assert accepted(venue, frame).sequence == sequence


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (1710367225302228171, "2024-03-13T22:00:25.302228171Z"),
        (1710367225302228, "2024-03-13T22:00:25.302228000Z"),
        ("1710367225302228171", None),
        (None, None),
        (-5, None),
        (literal("1e400"), None),
        (literal("1" * 5_000), None),
        ({}, None),
    ],
)
def test_sfox_time_is_told_by_magnitude_or_unknown(timestamp: object, text: str | None) -> None:
    """It is no required field, so one that cannot be read does not cost the balances."""
    frame = sound("sfox")
    frame["timestamp"] = timestamp
    assert accepted("sfox", frame).venue_time == text
    del frame["timestamp"]
    assert accepted("sfox", frame).venue_time is None


def test_a_deleted_account_is_said_to_be() -> None:
    frame = sound("hercle")
    body("hercle", frame)["deleted"] = True
    assert accepted("hercle", frame).deleted is True
    assert accepted("hercle", sound("hercle")).deleted is False
    assert accepted("sfox", sound("sfox")).deleted is False


EXPOSURE_FIELDS = ("baseCurrency", "totalCurrentExposure", "totalMaxExposure")


@pytest.mark.parametrize("missing", [False, True], ids=["null", "missing"])
def test_an_exposure_that_is_missing_or_null_is_unknown_and_never_zero(*, missing: bool) -> None:
    def unknown(fields: dict, *names: str) -> None:
        for name in names:
            fields[name] = None
            if missing:
                del fields[name]

    frame = sound("hercle")
    unknown(assets("hercle", frame)[0], "currentExposure")
    unknown(assets("hercle", frame)[1], "currentExposure", "maxExposure")
    unknown(body("hercle", frame), "totalMaxExposure")
    snapshot = accepted("hercle", frame)
    assert snapshot.assets["BTC"].exposure == Exposure(None, "1500")
    assert snapshot.assets["ETH"].exposure is None
    assert snapshot.exposure == AccountExposure("EUR", "1430", None)
    unknown(body("hercle", frame), "baseCurrency")
    assert accepted("hercle", frame).exposure == AccountExposure(None, "1430", None)
    unknown(body("hercle", frame), *EXPOSURE_FIELDS)
    assert accepted("hercle", frame).exposure is None


def test_hercles_totals_are_carried_and_never_recomputed() -> None:
    frame = sound("hercle")
    for item in assets("hercle", frame):
        item.update(currentExposure=literal("0"), maxExposure=literal("0"))
    assert accepted("hercle", frame).exposure == AccountExposure("EUR", "1430", "1500")


@pytest.mark.parametrize("venue", VENUES)
def test_64_levels_are_not_too_deep_and_65_are(venue: str) -> None:
    for levels, outcome in ((63, "accepted"), (64, "too_deep")):
        frame = sound(venue)
        frame["x"] = literal("[" * levels + "]" * levels)
        assert reason(venue, frame) == outcome


@pytest.mark.parametrize("venue", VENUES)
def test_brackets_in_a_text_are_no_levels(venue: str) -> None:
    frame = sound(venue)
    frame["x"] = '\\"[{' * 2_000 + "\\"
    assert reason(venue, frame) == "accepted"


@pytest.mark.parametrize("venue", VENUES)
def test_many_neighbours_are_not_deep(venue: str) -> None:
    frame = sound(venue)
    frame["x"] = [{} for _ in range(3_000)]
    assert reason(venue, frame) == "accepted"


@pytest.mark.parametrize("venue", VENUES)
def test_a_frame_of_1_mib_is_not_too_large_and_one_byte_more_is(venue: str) -> None:
    text = text_of(sound(venue)).encode()
    assert reason(venue, text.ljust(JSON_MIB)) == "accepted"
    assert reason(venue, text.ljust(JSON_MIB + 1)) == "too_large"
