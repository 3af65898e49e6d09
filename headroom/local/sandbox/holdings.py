"""What an account holds: whole numbers of an asset's smallest unit, and their exact decimals.

A venue's book counts in smallest units, so no sum in here can round; `Decimal` and text come
from them at the edge, with all their digits.
"""

from decimal import Decimal
from typing import Final

import msgspec

PRICE_SCALE: Final = 8


class Asset(msgspec.Struct, frozen=True):
    """An asset as a venue books it.

    `scale` is its number of decimals, `places_min` how many of them are always written, and
    `price` what one whole of it was worth when the market began, in 10^-8 US dollars.
    """

    code: str
    scale: int
    places_min: int
    price: int

    def amount(self, units: int) -> Decimal:
        """The exact decimal of a count of smallest units."""
        return Decimal(self.text(units))

    def text(self, units: int) -> str:
        """A count of units as a plain decimal: `0`, `9.99850081`, `1.10` where two are written."""
        if units == 0:
            return "0"
        digits = str(abs(units)).rjust(self.scale + 1, "0")
        whole = digits[: len(digits) - self.scale]
        places = digits[len(digits) - self.scale :].rstrip("0").ljust(self.places_min, "0")
        sign = "-" if units < 0 else ""
        return f"{sign}{whole}.{places}" if places else sign + whole


class Holding(msgspec.Struct, frozen=True):
    """The wallets of one asset in smallest units, and how much of the trading wallet is on hold."""

    trading: int = 0
    collateral: int = 0
    borrow: int = 0
    lending: int = 0
    staking: int = 0
    held: int = 0

    @property
    def balance(self) -> int:
        """The total over all wallets."""
        return self.trading + self.collateral + self.borrow + self.lending + self.staking

    @property
    def free(self) -> int:
        """What of the trading wallet is not on hold."""
        return self.trading - self.held

    @property
    def available(self) -> int:
        """What may be traded or withdrawn: what is free, and what is borrowed."""
        return self.free + self.borrow


class Hold(msgspec.Struct, frozen=True):
    """A deposit that has yet to settle: it is released at the account's change number `due`."""

    code: str
    units: int
    due: int


class Account:
    """One user's account: mutable, in the hands of the market only."""

    __slots__ = ("assets", "changes", "holdings", "holds", "index", "margin", "user_id")

    def __init__(
        self, index: int, user_id: str, assets: tuple[Asset, ...], *, margin: bool
    ) -> None:
        self.index = index
        self.user_id = user_id
        self.assets = assets
        self.margin = margin
        self.holdings: dict[str, Holding] = {asset.code: Holding() for asset in assets}
        self.holds: list[Hold] = []
        self.changes = 1

    def asset(self, code: str) -> Asset:
        """The asset of this code as this account books it."""
        return next(asset for asset in self.assets if asset.code == code)
