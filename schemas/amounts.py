"""Money: text in the documents, `Decimal` in the sums, never a float and never a rounding.

An amount is the plain decimal that the venue sent (`"9.99850081"`, `"0"`, `"-3.50"`): its digits
are kept as they came. Sums are taken in a context that traps inexactness, so a digit that would
be lost is an error and not a surprise.
"""

import re
from collections.abc import Sequence
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Annotated, Final

import msgspec

WHOLE_DIGITS_MAX: Final = 38
FRACTION_DIGITS_MAX: Final = 38
UTILISATION_PLACES: Final = 6

Amount = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^-?[0-9]+(\.[0-9]+)?$",
        description="A plain decimal as text: no exponent, no rounding.",
    ),
]
"""What a document carries. A sum may have more digits than one amount of a venue."""

# `fullmatch` and ASCII classes: `$` would let a newline pass, `\d` the digits of every script.
_PLAIN: Final = re.compile(r"-?([0-9]{1,38})(?:\.([0-9]{1,38}))?")
_SCIENTIFIC: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?[eE]([+-]?)0*([0-9]{1,6})")

# Every amount has at most 76 digits, so 128 leave room for 10^52 addends; more is trapped.
_EXACT: Final = Context(prec=128, traps=[Inexact, InvalidOperation, Overflow])
# A quotient rounds by nature. It is rounded once, at the end, from far more digits than are kept.
_QUOTIENT: Final = Context(
    prec=256,
    rounding=ROUND_HALF_EVEN,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
_UTILISATION_STEP: Final = Decimal(1).scaleb(-UTILISATION_PLACES)
_ZERO: Final = Decimal(0)
_FIRST_OF_PLAIN: Final = frozenset("123456789")


def is_amount(text: str) -> bool:
    """Whether a venue's text is an amount: ASCII digits, 38 at most on each side."""
    return _PLAIN.fullmatch(text) is not None


def amount_from_number(literal: str) -> str | None:
    """The plain decimal of a JSON number's own digits, or None where it is out of bounds.

    `literal` is the number as it stands in the JSON text (`"0.5"`, `"1.50e3"`), so no digit has
    gone through a float. Without an exponent the digits stay as they are; with one they move.
    """
    if _PLAIN.fullmatch(literal):
        return literal
    match = _SCIENTIFIC.fullmatch(literal)
    if match is None:
        return None
    sign, whole, fraction, exponent_sign, exponent_digits = match.groups(default="")
    exponent = int(exponent_sign + exponent_digits)
    digits, point = whole + fraction, len(whole) + exponent
    # Zeros in front of the first digit say nothing, so `0e9` is as good a zero as `0`.
    leading = len(digits) - len(digits.lstrip("0"))
    digits, point = digits[leading:], point - leading
    if not digits:
        places = max(0, len(fraction) - exponent)
        if places > FRACTION_DIGITS_MAX:
            return None
        plain = "0" if places == 0 else "0." + "0" * places
    elif point > WHOLE_DIGITS_MAX or len(digits) - point > FRACTION_DIGITS_MAX:
        return None
    elif point <= 0:
        plain = "0." + "0" * -point + digits
    elif point >= len(digits):
        plain = digits + "0" * (point - len(digits))
    else:
        plain = digits[:point] + "." + digits[point:]
    return sign + plain if is_amount(plain) else None


def decimal_of(amount: str) -> Decimal:
    """The exact value of an amount's text."""
    return Decimal(amount)


def text_of(value: Decimal) -> str:
    """The plain text of an exact value, with the places that it has and no exponent."""
    return format(value, "f")


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum; raises `decimal.Inexact` rather than round."""
    return _EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference; raises `decimal.Inexact` rather than round."""
    return _EXACT.subtract(left, right)


def quantize(value: Decimal, places: int) -> Decimal:
    """The same value with `places` decimals; raises `decimal.Inexact` if digits would go."""
    return _EXACT.quantize(value, Decimal(1).scaleb(-places))


def sum_text(amounts: Sequence[str]) -> str:
    """The exact sum of amounts, with as many places as the finest of them (`"0"` of none)."""
    if len(amounts) == 1 and amounts[0][0] in _FIRST_OF_PLAIN:
        # Nearly every sum over accounts is of one account, and its text is that of the amount:
        # only a minus zero or leading zeros would be written otherwise.
        return amounts[0]
    total = _ZERO
    for amount in amounts:
        total = _EXACT.add(total, Decimal(amount))
    return text_of(total)


def headroom(current: str | None, maximum: str | None) -> str | None:
    """What is left below a limit, `max - current`; None where either is unknown."""
    if current is None or maximum is None:
        return None
    return _without_minus_zero(text_of(_EXACT.subtract(Decimal(maximum), Decimal(current))))


def utilisation(current: str | None, maximum: str | None) -> str | None:
    """`current / max`, half-even to six places; None where max is zero or either is unknown."""
    if current is None or maximum is None:
        return None
    limit = Decimal(maximum)
    if not limit:
        return None
    quotient = _QUOTIENT.divide(Decimal(current), limit)
    return _without_minus_zero(text_of(_QUOTIENT.quantize(quotient, _UTILISATION_STEP)))


def _without_minus_zero(text: str) -> str:
    """A venue may write `-0`; what we work out never is."""
    return text.removeprefix("-") if is_zero(text) else text


def is_zero(amount: str) -> bool:
    """Whether an amount is zero, however it is written (`"0"`, `"-0.00"`)."""
    return not Decimal(amount)
