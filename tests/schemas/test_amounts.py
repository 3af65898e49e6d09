"""Amounts: the venue's digits are kept, sums are exact, quotients round half-even, once."""

import re
from decimal import Decimal, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.amounts import (
    amount_from_number,
    headroom,
    is_amount,
    is_zero,
    quantize,
    sum_text,
    utilisation,
)
from tests.schemas.strategies import MANY, PROPERTY, amounts, digits

BOUNDS = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")

GOOD = {
    "zero": "0",
    "minus zero with places": "-0.00",
    "negative": "-3.5",
    "trailing zeros": "1.10",
    "38 before and 38 after the point": "9" * 38 + "." + "9" * 38,
}
BAD = {
    "empty": "",
    "blank before": " 1",
    "blank after": "1 ",
    "line feed after": "1\n",
    "line feed before": "\n1",
    "underscore": "1_000",
    "comma": "1,000",
    "plus": "+1",
    "no digit after the point": "1.",
    "no digit before the point": ".5",
    "a minus alone": "-",
    "two minuses": "--1",
    "two points": "1.2.3",
    "not a number": "NaN",
    "signalling": "sNaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "hexadecimal": "0x10",
    "exponent out of bounds": "1e400",
    "Arabic digits": "١٢",
    "Arabic digit after an ASCII one": "1٢",
    "full-width digit": "\uff11",
    "superscript": "²",
    "39 digits before the point": "1" * 39,
    "39 digits after the point": "0." + "1" * 39,
    "5,000 digits": "1" * 5_000,
    "5,000 digits after the point": "0." + "1" * 5_000,
    "zero byte": "1\0",
}
json_numbers = st.builds(
    lambda sign, whole, fraction, exponent: sign + whole + fraction + exponent,
    st.sampled_from(["", "-"]),
    st.just("0") | st.builds(str.__add__, st.sampled_from("123456789"), digits(0, 45)),
    st.just("") | digits(1, 45).map(".".__add__),
    st.just("")
    | st.builds(
        lambda letter, sign, power: f"{letter}{sign}{power}",
        st.sampled_from("eE"),
        st.sampled_from(["", "+", "-"]),
        st.integers(0, 3) | st.integers(0, 90) | st.integers(0, 9_999),
    ),
)


def plain(literal: str) -> str:
    """A number's text without exponent, by a way of its own: shifting the point as text."""
    mantissa, _, power = literal.lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    shift = int(power or 0)
    if shift >= 0:
        fraction = fraction.ljust(shift, "0")
        whole, fraction = whole + fraction[:shift], fraction[shift:]
    else:
        whole = whole.rjust(1 - shift, "0")
        whole, fraction = whole[:shift], whole[shift:] + fraction
    whole = whole.lstrip("0") or "0"
    return sign + whole + ("." + fraction if fraction else "")


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_plain_decimal_within_bounds_is_an_amount_as_it_stands(text: str) -> None:
    assert is_amount(text)
    assert amount_from_number(text) == text


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_anything_else_is_no_amount(text: str) -> None:
    assert not is_amount(text)
    assert amount_from_number(text) is None


@pytest.mark.parametrize("text", ["1e5", "1E5", "1e+5", "15e-1", "0e0"])
def test_an_exponent_is_for_json_numbers_only(text: str) -> None:
    assert not is_amount(text)
    assert amount_from_number(text) is not None


@given(st.text())
@MANY
def test_only_the_grammar_of_amounts_is_an_amount(text: str) -> None:
    assert is_amount(text) == (BOUNDS.fullmatch(text) is not None and text.isascii())


@given(json_numbers)
@example("0e9")
@example("-0e-38")
@example("0e-39")
@example("5e-1")
@example("1e37")
@example("1e38")
@example("1e-38")
@example("1e-39")
@example("0." + "0" * 45 + "5e10")
@example("1." + "0" * 45 + "e0")
@MANY
def test_a_json_number_becomes_the_plain_decimal_of_its_own_digits(literal: str) -> None:
    """It equals the literal's value, every digit kept, or None where that is out of bounds."""
    expected = plain(literal)
    amount = amount_from_number(literal)
    if BOUNDS.fullmatch(expected) is None:
        assert amount is None
        return
    assert amount == expected
    with localcontext(prec=300):
        assert Decimal(amount) == Decimal(literal)
    if "e" not in literal.lower():
        assert amount == literal


@pytest.mark.parametrize(
    ("literal", "amount"),
    [
        ("1.50e3", "1500"),
        ("1.50e1", "15.0"),
        ("15e-1", "1.5"),
        ("-25E-4", "-0.0025"),
        ("1e+2", "100"),
        ("0.0e0", "0.0"),
        ("-0e7", "-0"),
    ],
)
def test_an_exponent_moves_the_point_and_nothing_else(literal: str, amount: str) -> None:
    assert amount_from_number(literal) == amount


def scaled(amount: str) -> int:
    """An amount as an integer of 10^-38."""
    sign = -1 if amount.startswith("-") else 1
    whole, _, fraction = amount.lstrip("-").partition(".")
    return sign * int(whole + fraction.ljust(38, "0"))


def unscaled(value: int, places: int) -> str:
    """The text of an integer of 10^-38, with so many places."""
    text = str(abs(value)).rjust(39, "0")
    whole, fraction = text[:-38], text[-38:]
    assert not fraction[places:].strip("0")
    return ("-" if value < 0 else "") + whole + ("." + fraction[:places] if places else "")


@given(st.lists(amounts(), max_size=12))
@MANY
def test_a_sum_is_exact_to_the_last_digit(values: list[str]) -> None:
    """It equals integer arithmetic done by hand, with as many places as the finest addend."""
    places = max((len(value.partition(".")[2]) for value in values), default=0)
    assert sum_text(values) == unscaled(sum(map(scaled, values)), places)


@given(amounts(), amounts())
@PROPERTY
def test_headroom_is_max_minus_current_exactly(current: str, maximum: str) -> None:
    left = headroom(current, maximum)
    assert left is not None
    assert scaled(left) == scaled(maximum) - scaled(current)


pairs = (
    st.tuples(amounts(), amounts())
    | st.tuples(amounts(whole=4, fraction=3), amounts(whole=4, fraction=3))
    | st.tuples(st.integers(-(10**9), 10**9).map(str), st.sampled_from(["2000000", "-2000000"]))
)


@given(pairs)
@example(("1", "2000000"))
@example(("3", "2000000"))
@example(("-1", "2000000"))
@example(("1" * 38, "0." + "0" * 37 + "7"))
@MANY
def test_utilisation_is_half_even_to_six_places(pair: tuple[str, str]) -> None:
    """It equals the quotient of two fractions, rounded once."""
    current, maximum = pair
    quotient = utilisation(current, maximum)
    if not Fraction(maximum):
        assert quotient is None
        return
    assert quotient is not None
    assert re.fullmatch(r"-?[0-9]+\.[0-9]{6}", quotient)
    assert Fraction(quotient) * 10**6 == round(Fraction(current) / Fraction(maximum) * 10**6)


@pytest.mark.parametrize(
    ("current", "maximum", "quotient"),
    [
        ("1430", "1500", "0.953333"),
        ("0", "1500", "0.000000"),
        ("1500", "1500", "1.000000"),
        ("1", "2000000", "0.000000"),
        ("3", "2000000", "0.000002"),
        ("-3", "2", "-1.500000"),
        ("1", "0", None),
        ("1", "-0.00", None),
        (None, "1500", None),
        ("1430", None, None),
        (None, None, None),
    ],
)
def test_utilisation_is_null_where_max_is_zero_or_anything_is_unknown(
    current: str | None, maximum: str | None, quotient: str | None
) -> None:
    assert utilisation(current, maximum) == quotient


def test_headroom_of_an_unknown_is_unknown_and_never_zero() -> None:
    assert headroom(None, "1") is headroom("1", None) is headroom(None, None) is None
    assert headroom("1430", "1500") == "70"
    assert headroom("1500.5", "1500") == "-0.5"


def test_a_digit_that_would_be_lost_is_an_error() -> None:
    with pytest.raises(Inexact):
        quantize(Decimal("1.25"), 1)
    with pytest.raises(Inexact):
        sum_text(["1" + "0" * 200, "1"])


@given(amounts())
@PROPERTY
def test_zero_is_zero_however_it_is_written(amount: str) -> None:
    assert is_zero(amount) == (scaled(amount) == 0)
