"""Plain decimals as whole numbers and a count of places: exact, without Decimal's contexts.

Written for the audit alone, so that a mistake in the product's arithmetic is not made twice.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple, TypeGuard

_PLAIN: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_VENUE_TEXT: Final = re.compile(r"-?[0-9]{1,38}(?:\.[0-9]{1,38})?")
_JSON_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_NEGATIVE_ZERO: Final = re.compile(r"-(0+(?:\.0+)?)")
_DIGITS_MAX: Final = 38
_EXPONENT_DIGITS_MAX: Final = 6
_UTILISATION_PLACES: Final = 6


class Number(str):
    """A JSON number, as the digits that stood in the text."""

    __slots__ = ()


def is_text(value: object) -> TypeGuard[str]:
    """Say whether a value was a JSON string."""
    return isinstance(value, str) and not isinstance(value, Number)


class Amount(NamedTuple):
    """`units` divided by 10 to the power of `places`."""

    units: int
    places: int


ZERO: Final = Amount(0, 0)


def parse(text: str) -> Amount:
    """Read a plain decimal; ValueError where it is none."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no plain decimal")
    sign, whole, fraction = found.groups("")
    return Amount(int(sign + whole + fraction), len(fraction))


def write(amount: Amount) -> str:
    """Write an amount with all its places."""
    digits = str(abs(amount.units)).rjust(amount.places + 1, "0")
    sign = "-" if amount.units < 0 else ""
    if amount.places == 0:
        return sign + digits
    return f"{sign}{digits[: -amount.places]}.{digits[-amount.places :]}"


def add(left: Amount, right: Amount) -> Amount:
    """Add exactly: as many places as the finer of the two has."""
    places = max(left.places, right.places)
    units = left.units * 10 ** (places - left.places) + right.units * 10 ** (places - right.places)
    return Amount(units, places)


def total(texts: Iterable[str]) -> str:
    """Add plain decimals, none of which is "0"."""
    result = ZERO
    for text in texts:
        result = add(result, parse(text))
    return write(result)


def total_known(texts: Iterable[str | None]) -> str | None:
    """Add what is known; one unknown part makes the sum unknown."""
    known: list[str] = []
    for text in texts:
        if text is None:
            return None
        known.append(text)
    return total(known)


def headroom(current: str | None, maximum: str | None) -> str | None:
    """What is left below a limit: max - current, or unknown."""
    if current is None or maximum is None:
        return None
    used = parse(current)
    return write(add(parse(maximum), Amount(-used.units, used.places)))


def utilisation(current: str | None, maximum: str | None) -> str | None:
    """Divide current by max, half-even to 6 places; None where max is 0 or one is unknown."""
    if current is None or maximum is None:
        return None
    used, limit = parse(current), parse(maximum)
    if limit.units == 0:
        return None
    share = Fraction(used.units, 10**used.places) / Fraction(limit.units, 10**limit.places)
    # round() of a Fraction is half-even.
    return write(Amount(round(share * 10**_UTILISATION_PLACES), _UTILISATION_PLACES))


def is_zero(text: str) -> bool:
    """Say whether a plain decimal is nought, however many digits and signs it has."""
    return parse(text).units == 0


def is_venue_text(text: str) -> bool:
    """Say whether a venue's text is an amount by the contract."""
    return _VENUE_TEXT.fullmatch(text) is not None


def from_json_number(literal: str) -> str | None:
    """Write a JSON number plainly, with its own digits; None where it leaves the bounds."""
    found = _JSON_NUMBER.fullmatch(literal)
    if found is None:
        return None
    sign, whole, fraction, exponent = found.groups("")
    digits = whole + fraction
    if len(exponent.lstrip("+-0")) > _EXPONENT_DIGITS_MAX:
        return None
    power = int(exponent or "0")
    if not digits.strip("0"):
        # A nought has no digits to move: only the places after its point say anything.
        whole, fraction, power = "0", "0" * min(max(0, len(fraction) - power), _DIGITS_MAX + 1), 0
        digits = whole + fraction
    point = len(whole) + power
    if point - len(digits) > _DIGITS_MAX or -point > _DIGITS_MAX:
        return None
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    before, after = digits[:point].lstrip("0") or "0", digits[point:]
    if len(before) > _DIGITS_MAX or len(after) > _DIGITS_MAX:
        return None
    return f"{sign}{before}.{after}" if after else sign + before


def without_sign_of_zero(value: object) -> object:
    """Take the sign off every nought in a document: what -0 and 0 add up to is not promised."""
    if isinstance(value, str):
        found = _NEGATIVE_ZERO.fullmatch(value)
        return found.group(1) if found else value
    if isinstance(value, list):
        return [without_sign_of_zero(item) for item in value]
    if isinstance(value, dict):
        return {key: without_sign_of_zero(item) for key, item in value.items()}
    return value
