"""Fields of a frame, taken one by one: what is wrong is collected, and the first in order wins."""

import re
from typing import Any, Final

from headroom.audit.numbers import Number, from_json_number, is_text, is_venue_text
from headroom.audit.text import read_text

ORDER: Final = (
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
)
"""The contract's reasons, in its order."""

ACCOUNT_BYTES_MAX: Final = 1024
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")


def worst(problems: set[str]) -> str | None:
    """Pick the reason that the contract names first, or None where nothing is wrong."""
    return next((reason for reason in ORDER if reason in problems), None)


class Fields:
    """Takes fields out of objects and notes every problem.

    Each method returns None where the field cannot be had. An object that is None is one that was
    itself not to be had: its fields are not missed.
    """

    def __init__(self) -> None:
        self.problems: set[str] = set()

    def whole(self, holder: dict[str, Any] | None, name: str) -> int | None:
        """Take a whole number of 64 bits, as other teams' readers have it."""
        value = self._take(holder, name)
        if isinstance(value, Number) and _WHOLE.fullmatch(value) and -(2**63) <= int(value) < 2**63:
            return int(value)
        self._wrong(value)
        return None

    def text(self, holder: dict[str, Any] | None, name: str, *, needed: bool = True) -> str | None:
        """Take a text; where it is not `needed`, missing and null are None without a problem."""
        value = self._take(holder, name, needed=needed)
        if is_text(value):
            return value
        self._wrong(value)
        return None

    def boolean(self, holder: dict[str, Any] | None, name: str) -> bool | None:
        """Take true or false."""
        value = self._take(holder, name)
        if isinstance(value, bool):
            return value
        self._wrong(value)
        return None

    def body(self, holder: dict[str, Any], name: str) -> dict[str, Any] | None:
        """Take an object, which may also stand as a JSON text in a string."""
        return self.mapping(self.inner(holder, name))

    def inner(self, holder: dict[str, Any], name: str) -> object:
        """Take any value, which may also stand as a JSON text in a string."""
        value = self._take(holder, name)
        if not is_text(value):
            return value
        inner = read_text(value)
        self.problems |= inner.problems
        if inner.readable and inner.value is None:
            self.problems.add("wrong_type")
        return inner.value if inner.readable else None

    def mapping(self, value: object) -> dict[str, Any] | None:
        """Take a value that must be an object."""
        if isinstance(value, dict):
            return value
        self._wrong(value)
        return None

    def items(self, holder: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
        """Take a list of objects; what is in it and no object is left out, as a problem."""
        value = self._take(holder, name)
        if not isinstance(value, list):
            self._wrong(value)
            return []
        objects = [item for item in value if isinstance(item, dict)]
        if len(objects) != len(value):
            self.problems.add("wrong_type")
        return objects

    def amount_text(self, holder: dict[str, Any], name: str) -> str | None:
        """Take an amount that is a JSON string."""
        text = self.text(holder, name)
        if text is not None and not is_venue_text(text):
            self.problems.add("amount")
        return text

    def amount_number(
        self, holder: dict[str, Any] | None, name: str, *, needed: bool = True
    ) -> str | None:
        """Take an amount that is a JSON number, written plainly."""
        value = self._take(holder, name, needed=needed)
        if not isinstance(value, Number):
            self._wrong(value)
            return None
        plain = from_json_number(value)
        if plain is None:
            self.problems.add("amount")
        return plain

    def account(self, holder: dict[str, Any] | None, name: str) -> str | None:
        """Take an account's id."""
        account = self.text(holder, name)
        if account is not None and not self.is_account(account):
            self.problems.add("wrong_type")
        return account

    @staticmethod
    def is_account(text: str) -> bool:
        """Say whether a text may be an account's id."""
        return 1 <= len(text.encode()) <= ACCOUNT_BYTES_MAX

    def hold(
        self,
        assets: dict[str, Any],
        name: str | None,
        whole: str | None,
        available: str | None,
        held: str | None,
    ) -> None:
        """Put an asset among `assets`, where it must not be yet; without a name it is left out."""
        if name is None:
            return
        if name.upper() in assets:
            self.problems.add("duplicate_asset")
        assets[name.upper()] = {"total": whole, "available": available, "held": held}

    def _take(self, holder: dict[str, Any] | None, name: str, *, needed: bool = True) -> object:
        if holder is None:
            return None
        if name not in holder:
            if needed:
                self.problems.add("missing_field")
            return None
        value = holder[name]
        if value is None and needed:
            self.problems.add("wrong_type")
        return value

    def _wrong(self, value: object) -> None:
        # A None was judged when it was taken.
        if value is not None:
            self.problems.add("wrong_type")
