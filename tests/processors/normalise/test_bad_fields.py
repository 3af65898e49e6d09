"""Fields that are missing, of the wrong type, or no amounts get the contract's reason."""

import pytest

from tests.processors.normalise.frames import (
    ACCOUNT,
    AMOUNTS,
    ASSET,
    VENUES,
    assets,
    body,
    literal,
    reason,
    sequence_holder,
    sound,
)

each_venue = pytest.mark.parametrize("venue", VENUES)


# -- fields

REQUIRED_OF_ASSET = {
    "sfox": ("currency", "balance", "available", "held"),
    "hercle": ("name", "available", "allocated"),
}
REQUIRED_OF_BODY = {"sfox": ("user_id", "updates"), "hercle": ("userId", "assets", "deleted")}
HOLDER_OF_BODY = {
    "sfox": ("payload", lambda frame: frame),
    "hercle": ("data", lambda frame: frame["arguments"][0]),
}


def places(venue: str) -> list:
    """Every required field: its name, and how to find the object that holds it."""
    found = [
        HOLDER_OF_BODY[venue],
        ("sequence", lambda frame: sequence_holder(venue, frame)),
        *((name, lambda frame: body(venue, frame)) for name in REQUIRED_OF_BODY[venue]),
        *((name, lambda frame: assets(venue, frame)[-1]) for name in REQUIRED_OF_ASSET[venue]),
    ]
    return [pytest.param(venue, name, holder, id=f"{venue}-{name}") for name, holder in found]


required = pytest.mark.parametrize(("venue", "name", "holder"), places("sfox") + places("hercle"))


@required
def test_a_required_field_that_is_not_there_is_a_missing_field(venue, name, holder) -> None:
    frame = sound(venue)
    del holder(frame)[name]
    assert reason(venue, frame) == "missing_field"


@required
def test_a_required_field_that_is_null_is_of_the_wrong_type(venue, name, holder) -> None:
    frame = sound(venue)
    holder(frame)[name] = None
    assert reason(venue, frame) == "wrong_type"


@required
def test_a_required_field_of_another_type_is_of_the_wrong_type(venue, name, holder) -> None:
    sound_value = holder(sound(venue))[name]
    is_number = isinstance(sound_value, int) or str(sound_value).startswith("@@")
    is_flag = isinstance(sound_value, bool)
    is_text = isinstance(sound_value, str) and not is_number
    others: list[object] = [[], {}]
    if not is_flag:
        others.append(True)
    if is_flag or not is_number:
        others.append(1)
    if is_number:
        others.append("1")
    if is_text:
        others.append(literal("1.5"))
    for value in others:
        if type(value) is not type(sound_value) or is_number or is_text:
            frame = sound(venue)
            holder(frame)[name] = value
            assert reason(venue, frame) == "wrong_type", value


@pytest.mark.parametrize("name", ["trading_wallet", "moon_wallet"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}], ids=repr)
def test_a_wallet_that_is_no_text_is_of_the_wrong_type(name: str, value: object) -> None:
    frame = sound("sfox")
    assets("sfox", frame)[1][name] = value
    assert reason("sfox", frame) == "wrong_type"


@pytest.mark.parametrize("value", ["1", True, [], {}], ids=repr)
def test_an_exposure_of_another_type_is_of_the_wrong_type(value: object) -> None:
    for name in ("currentExposure", "maxExposure"):
        frame = sound("hercle")
        assets("hercle", frame)[1][name] = value
        assert reason("hercle", frame) == "wrong_type"
    for name in ("totalCurrentExposure", "totalMaxExposure"):
        frame = sound("hercle")
        body("hercle", frame)[name] = value
        assert reason("hercle", frame) == "wrong_type"


@pytest.mark.parametrize("value", [1, True, [], {}], ids=repr)
def test_a_base_currency_of_another_type_is_of_the_wrong_type(value: object) -> None:
    frame = sound("hercle")
    body("hercle", frame)["baseCurrency"] = value
    assert reason("hercle", frame) == "wrong_type"


@each_venue
@pytest.mark.parametrize("value", [None, 1, "x", True, []], ids=repr)
def test_an_asset_that_is_no_object_is_of_the_wrong_type(venue: str, value: object) -> None:
    frame = sound(venue)
    assets(venue, frame).append(value)
    assert reason(venue, frame) == "wrong_type"


@each_venue
@pytest.mark.parametrize("number", ["1.5", "1e3", "9223372036854775808", "1" * 5_000])
def test_a_sequence_that_is_no_integer_of_64_bits_is_of_the_wrong_type(
    venue: str, number: str
) -> None:
    frame = sound(venue)
    sequence_holder(venue, frame)["sequence"] = literal(number)
    assert reason(venue, frame) == "wrong_type"


@each_venue
@pytest.mark.parametrize("account", ["", "x" * 1_025, "🐢" * 257], ids=["empty", "1025", "1028"])
def test_an_account_that_is_not_1_to_1024_bytes_long_is_of_the_wrong_type(
    venue: str, account: str
) -> None:
    frame = sound(venue)
    body(venue, frame)[ACCOUNT[venue]] = account
    assert reason(venue, frame) == "wrong_type"


# -- amounts

BAD_TEXTS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "1e400": "1e400",
    "an exponent": "1e5",
    "an underscore": "1_000",
    "a blank before": " 1",
    "a blank after": "1 ",
    "a line feed after": "1\n",
    "a plus": "+1",
    "no digit after the point": "1.",
    "no digit before the point": ".5",
    "empty": "",
    "Arabic digits": "١٢",
    "full-width digits": "\uff11\uff12",
    "39 digits": "1" * 39,
    "39 places": "0." + "1" * 39,
    "5,000 digits": "1" * 5_000,
}
BAD_NUMBERS = {
    "1e400": "1e400",
    "1e-400": "1e-400",
    "1e38": "1e38",
    "1e-39": "1e-39",
    "an exponent of 7 digits": "1e9999999",
    "39 digits": "1" * 39,
    "39 places": "0." + "1" * 39,
    "5,000 digits": "1" * 5_000,
}


@pytest.mark.parametrize("name", AMOUNTS["sfox"])
@pytest.mark.parametrize("amount", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_text_that_is_no_amount_at_sfox_is_of_reason_amount(name: str, amount: str) -> None:
    frame = sound("sfox")
    assets("sfox", frame)[1][name] = amount
    assert reason("sfox", frame) == "amount"


@pytest.mark.parametrize("amount", BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_a_number_out_of_bounds_at_hercle_is_of_reason_amount(amount: str) -> None:
    for name in AMOUNTS["hercle"]:
        frame = sound("hercle")
        assets("hercle", frame)[1][name] = literal(amount)
        assert reason("hercle", frame) == "amount"
    for name in ("totalCurrentExposure", "totalMaxExposure"):
        frame = sound("hercle")
        body("hercle", frame)[name] = literal(amount)
        assert reason("hercle", frame) == "amount"


@each_venue
@pytest.mark.parametrize(("one", "other"), [("BTC", "BTC"), ("btc", "BTC"), ("Btc", "bTC")])
def test_the_same_asset_twice_is_a_duplicate_asset_in_whatever_case(
    venue: str, one: str, other: str
) -> None:
    frame = sound(venue)
    for item, name in zip(assets(venue, frame), (one, other), strict=True):
        item[ASSET[venue]] = name
    assert reason(venue, frame) == "duplicate_asset"
