"""Money: text in the documents, whole numbers in between, never a float and never a rounding.

An amount is the plain decimal that the venue sent (`"9.99850081"`, `"0"`, `"-3.50"`): its digits
are kept as they came. Sums are taken in a context that traps inexactness, so a digit that would
be lost is an error and not a surprise.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Annotated, Final

from schemas.forms import Form

WHOLE_DIGITS_MAX: Final = 38
FRACTION_DIGITS_MAX: Final = 38
UTILISATION_PLACES: Final = 6
# A sign and a point.
LETTERS_MAX: Final = WHOLE_DIGITS_MAX + FRACTION_DIGITS_MAX + 2

AMOUNT: Final = Form(r"^-?[0-9]+(\.[0-9]+)?$", "A plain decimal as text: no exponent, no rounding.")
Amount = Annotated[str, AMOUNT.meta]
"""What a document carries. A sum may have more digits than one amount of a venue."""


def are_short(amounts: Iterable[str | None], letters_max: int = LETTERS_MAX) -> bool:
    """Whether amounts that have the form have no more digits than a venue's can have."""
    return all(amount is None or len(amount) <= letters_max for amount in amounts)


# `fullmatch` and ASCII classes: `$` would let a newline pass, `\d` the digits of every script.
_PLAIN: Final = re.compile(r"-?([0-9]{1,38})(?:\.([0-9]{1,38}))?")
_SCIENTIFIC: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?[eE]([+-]?)0*([0-9]{1,6})")

# Every amount has at most 76 digits, so 128 leave room for 10^52 addends; more is trapped.
_EXACT: Final = Context(prec=128, traps=[Inexact, InvalidOperation, Overflow])
_ZERO: Final = Decimal(0)
_NOUGHT: Final = "0"
_ZERO_TEXT: Final = re.compile(r"-?[0.]+")
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


def units_of(amount: str) -> tuple[int, int]:
    """An amount as a whole number of its last place, and how many decimals it has."""
    point = amount.find(".")
    if point < 0:
        return int(amount), 0
    return int(amount[:point] + amount[point + 1 :]), len(amount) - point - 1


def text_of_units(units: int, places: int) -> str:
    """The amount that so many of a place's units are."""
    digits = str(abs(units)).zfill(places + 1)
    whole = len(digits) - places
    plain = f"{digits[:whole]}.{digits[whole:]}" if places else digits
    return f"-{plain}" if units < 0 else plain


def quantize(value: Decimal, places: int) -> Decimal:
    """The same value with `places` decimals; raises `decimal.Inexact` if digits would go."""
    return _EXACT.quantize(value, Decimal(1).scaleb(-places))


def sum_text(amounts: Sequence[str]) -> str:
    """The exact sum of amounts, with as many places as the finest of them (`"0"` of none)."""
    # Most sums are of one amount, or of others that are nothing: neither value nor places.
    told = [amount for amount in amounts if amount != _NOUGHT]
    if not told:
        return _NOUGHT
    return normal_text(told[0]) if len(told) == 1 else _added(told)


def normal_text(amount: str) -> str:
    """An amount as a sum of it alone is written: no minus zero, no zeros in front."""
    if amount[0] in _FIRST_OF_PLAIN or amount.startswith("0.") or amount == _NOUGHT:
        return amount
    return _added((amount,))


def _added(amounts: Sequence[str]) -> str:
    total = _ZERO
    for amount in amounts:
        total = _EXACT.add(total, Decimal(amount))
    return format(total, "f")


def headroom(current: str | None, maximum: str | None) -> str | None:
    """What is left below a limit, `max - current`; None where either is unknown."""
    return against_limit(current, maximum)[0]


def utilisation(current: str | None, maximum: str | None) -> str | None:
    """`current / max`, half-even to six places; None where max is zero or either is unknown."""
    return against_limit(current, maximum)[1]


def against_limit(current: str | None, maximum: str | None) -> tuple[str | None, str | None]:
    """Headroom and utilisation of a limit."""
    if current is None or maximum is None:
        return None, None
    used, used_places = units_of(current)
    limit, places = units_of(maximum)
    if used_places < places:
        used *= 10 ** (places - used_places)
    elif used_places > places:
        limit *= 10 ** (used_places - places)
        places = used_places
    left = text_of_units(limit - used, places)
    return left, text_of_units(_millionths(used, limit), UTILISATION_PLACES) if limit else None


def _millionths(used: int, limit: int) -> int:
    """The quotient in units of the last place that is kept, halves to the even one."""
    parts, rest = divmod(abs(used) * 10**UTILISATION_PLACES, abs(limit))
    twice, whole = 2 * rest, abs(limit)
    if twice > whole or (twice == whole and parts % 2):
        parts += 1
    return parts if (used < 0) == (limit < 0) else -parts


def is_zero(amount: str) -> bool:
    """Whether an amount is zero, however it is written (`"0"`, `"-0.00"`)."""
    return amount[0] not in _FIRST_OF_PLAIN and _ZERO_TEXT.fullmatch(amount) is not None
