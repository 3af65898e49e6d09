"""Hercle's risk figures: what an account is exposed to, beside the limits it was given.

The totals are the venue's own word and not the sum of the assets, as in its documented example;
they wander, and cross 0.8 and 1.0 of the limit now and then. Amounts are cents of the base
currency. All of it moves with the account's own changes only.
"""

from random import Random
from typing import Final

from headroom.sandbox.holdings import PRICE_SCALE, Account, Asset
from headroom.sandbox.market import Market
from headroom.sandbox.moves import worth

CENTS: Final = Asset("cents", scale=2, places_min=0, price=0)

_UNLIMITED_EVERY: Final = 10
_DOLLAR_BASE_EVERY: Final = 3
_EURO_PRICE: Final = 108 * 10**PRICE_SCALE // 100
_DOLLAR_PRICE: Final = 10**PRICE_SCALE
_PER_MILLE_MIN: Final = 300
_PER_MILLE_MAX: Final = 1_100
_STEP_PER_MILLE: Final = 45
_ROUND_CENTS: Final = 500 * 100


class Exposures:
    """The exposures and limits of one account; `move()` after each of its changes.

    Every tenth account has neither base currency nor limits: its figures are None.
    """

    def __init__(self, account: Account, market: Market, rng: Random) -> None:
        self._account = account
        self._market = market
        self._rng = rng
        self.limited = account.index % _UNLIMITED_EVERY != _UNLIMITED_EVERY - 1
        self.base_currency = "USD" if account.index % _DOLLAR_BASE_EVERY == 1 else "EUR"
        self._base_price = _DOLLAR_PRICE if self.base_currency == "USD" else _EURO_PRICE
        self.max_by_asset = {
            asset.code: self._limit(self._worth_cents(asset)) for asset in account.assets
        }
        self.max_total = self._limit(sum(map(self._worth_cents, account.assets)))
        self._per_mille = rng.randint(600, 850)
        self.current_by_asset: dict[str, int] = {}
        self.current_total = 0
        self.move()

    def move(self) -> None:
        """Follow the account: its assets at the present prices, its total one step further."""
        self._per_mille += self._rng.randint(-_STEP_PER_MILLE, _STEP_PER_MILLE)
        self._per_mille = min(max(self._per_mille, _PER_MILLE_MIN), _PER_MILLE_MAX)
        self.current_total = self.max_total * self._per_mille // 1_000
        self.current_by_asset = {
            asset.code: self._worth_cents(asset) for asset in self._account.assets
        }

    def max_units(self, asset: Asset) -> int:
        """The limit of an asset as an amount of it, at the price when the market began."""
        cents = self.max_by_asset[asset.code]
        value = cents * self._base_price // 100
        return int(value * 10**asset.scale // asset.price)

    def _worth_cents(self, asset: Asset) -> int:
        value = worth(self._account.holdings[asset.code].balance, asset, self._market.prices)
        return value * 100 // self._base_price

    def _limit(self, cents: int) -> int:
        # A round number somewhat above what is there, and never nothing.
        wanted = cents * 1_000 // self._rng.randint(550, 950)
        return (wanted // _ROUND_CENTS + 1) * _ROUND_CENTS
