"""Reading fields out of a parsed frame, and remembering the worst of what is wrong with it.

A frame may be wrong in several ways. The contract orders the reasons, so a normaliser reads the
frame to its end and the first reason in that order wins, wherever it stood.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from processors.normalise.strict_json import Number, parse_embedded
from schemas.amounts import amount_from_number, is_amount
from schemas.documents import AssetBalance
from schemas.identity import is_account
from schemas.rejections import PRECEDENCE, Reason, Rejected

# A place may hold a field's own name, which a venue could make as long as the frame.
_WHERE_LETTERS_MAX: Final = 200
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_INTEGER_MAX: Final = 2**63 - 1


class Reading:
    """One frame being read: fields come out, or None, and `rejected` tells the worst fault."""

    def __init__(self) -> None:
        self.rejected: Rejected | None = None

    def fault(self, reason: Reason, where: str) -> None:
        """Remember a fault, unless one that comes earlier in the contract's order is known."""
        if self.rejected is None or PRECEDENCE[reason] < PRECEDENCE[self.rejected.reason]:
            self.rejected = Rejected(reason, where[:_WHERE_LETTERS_MAX])

    def told_of(self, account: object) -> Rejected | None:
        """The worst fault, with the account whose frame it is in, where that is one."""
        if self.rejected is None or not isinstance(account, str) or not is_account(account):
            return self.rejected
        return msgspec.structs.replace(self.rejected, account=account)

    def nested(self, fields: dict[str, Any], name: str) -> dict[str, Any] | None:
        """A required object, which may also come as a JSON text that holds one."""
        if not self.present(fields, name, ""):
            return None
        value = fields[name]
        if isinstance(value, str):
            value = parse_embedded(value, name)
            if isinstance(value, Rejected):
                self.fault(value.reason, value.detail)
                return None
        if isinstance(value, dict):
            return value
        self.fault(Reason.WRONG_TYPE, name)
        return None

    def account(self, fields: dict[str, Any], name: str, where: str) -> str | None:
        """A required account id."""
        account = self.text(fields, name, where)
        if account is not None and not is_account(account):
            self.fault(Reason.WRONG_TYPE, f"{where}{name} is not 1 to 1024 bytes long")
        return account

    def assets(
        self,
        items: list[Any],
        where: str,
        name: str,
        balance: Callable[[dict[str, Any], "Reading", str], AssetBalance | None],
    ) -> dict[str, AssetBalance]:
        """The balances of a list by asset in upper case, `name` being the field that names it."""
        assets: dict[str, AssetBalance] = {}
        for index, item in enumerate(items):
            place = f"{where}[{index}]"
            if not isinstance(item, dict):
                self.fault(Reason.WRONG_TYPE, place)
                continue
            found = self.text(item, name, f"{place}.")
            held = balance(item, self, f"{place}.")
            if found is None or held is None:
                continue
            asset = found.upper()
            if asset in assets:
                self.fault(Reason.DUPLICATE_ASSET, f"{place}.{name}")
            assets[asset] = held
        return assets

    def present(self, fields: dict[str, Any], name: str, where: str) -> bool:
        """Whether a required field is there; a missing one is a fault."""
        if name in fields:
            return True
        self.fault(Reason.MISSING_FIELD, f"{where}{name}")
        return False

    def text(self, fields: dict[str, Any], name: str, where: str) -> str | None:
        """A required text."""
        return self._typed(fields, name, where, str)

    def flag(self, fields: dict[str, Any], name: str, where: str) -> bool | None:
        """A required true or false."""
        return self._typed(fields, name, where, bool)

    def items(self, fields: dict[str, Any], name: str, where: str) -> list[Any]:
        """A required list; empty where it is none."""
        return self._typed(fields, name, where, list) or []

    def integer(self, fields: dict[str, Any], name: str, where: str) -> int | None:
        """A required JSON integer of 64 bits."""
        number = self._typed(fields, name, where, Number)
        if number is None:
            return None
        if _INTEGER.fullmatch(number.literal):
            value = int(number.literal)
            if -_INTEGER_MAX - 1 <= value <= _INTEGER_MAX:
                return value
        self.fault(Reason.WRONG_TYPE, f"{where}{name}")
        return None

    def text_amount(self, fields: dict[str, Any], name: str, where: str) -> str | None:
        """A required amount, written as a text."""
        text = self._typed(fields, name, where, str)
        if text is None or is_amount(text):
            return text
        self.fault(Reason.AMOUNT, f"{where}{name}")
        return None

    def number_amount(self, fields: dict[str, Any], name: str, where: str) -> str | None:
        """A required amount, written as a JSON number."""
        number = self._typed(fields, name, where, Number)
        if number is None:
            return None
        amount = amount_from_number(number.literal)
        if amount is None:
            self.fault(Reason.AMOUNT, f"{where}{name}")
        return amount

    def unknown_or_number_amount(self, fields: dict[str, Any], name: str, where: str) -> str | None:
        """An amount that may be missing or null, which is unknown and never zero."""
        if fields.get(name) is None:
            return None
        return self.number_amount(fields, name, where)

    def _typed(self, fields: dict[str, Any], name: str, where: str, kind: type) -> Any | None:  # noqa: ANN401 - the type that was asked for
        if not self.present(fields, name, where):
            return None
        value = fields[name]
        if isinstance(value, kind):
            return value
        self.fault(Reason.WRONG_TYPE, f"{where}{name}")
        return None
