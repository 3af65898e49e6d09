"""Hercle's risk figures: what an account is exposed to, beside the limits it was given.

The totals are the venue's own word and not the sum of the assets, as in its documented example.
Limits are those of an ordinary day: most accounts use between a tenth and four fifths of theirs,
every sixth is near it, and every twentieth crosses it now and then. An asset's limit is raised when
its account has grown out of it, as a risk desk would. Amounts are cents of the base currency. All
of it moves with the account's own changes only.
"""

from random import Random
from typing import Final

from headroom.local.sandbox.holdings import PRICE_SCALE, Account, Asset
from headroom.local.sandbox.market import Market
from headroom.local.sandbox.moves import worth

CENTS: Final = Asset("cents", scale=2, places_min=0, price=0)

_UNLIMITED_EVERY: Final = 10
_DOLLAR_BASE_EVERY: Final = 3
_EURO_PRICE: Final = 108 * 10**PRICE_SCALE // 100
_DOLLAR_PRICE: Final = 10**PRICE_SCALE
_CROSSES_EVERY: Final = 20
_NEAR_EVERY: Final = 6
# From where to where the total of an account wanders, per mille of its limit.
_CROSSES: Final = (850, 1_030)
_NEAR: Final = (810, 950)
_ORDINARY: Final = (110, 780)
_ORDINARY_SPAN: Final = 250
_STEP_PER_MILLE: Final = 30
# Where an asset's limit is raised, and how much of it is used then.
_RAISED_AT: Final = 790
_RAISED_AT_NEAR: Final = 950
_USED_AT_FIRST: Final = (350, 600)
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
        self.is_ordinary = not (self._is_every(_CROSSES_EVERY, 1) or self._is_every(_NEAR_EVERY, 4))
        self._low, self._high = self._band()
        self._per_mille = rng.randint(self._low, self._high)
        worths = {asset.code: self._worth_cents(asset) for asset in account.assets}
        total = sum(worths.values())
        # What is not held yet may be bought for any part of the account.
        share = total // len(worths)
        self.max_by_asset = {code: self._limit(max(each, share)) for code, each in worths.items()}
        self.max_total = _round(total * 1_000 // min(self._per_mille, 1_000))
        self.current_by_asset: dict[str, int] = {}
        self.current_total = 0
        self.move()

    def move(self) -> None:
        """Follow the account: its assets at the present prices, its total one step further."""
        self._per_mille += self._rng.randint(-_STEP_PER_MILLE, _STEP_PER_MILLE)
        self._per_mille = min(max(self._per_mille, self._low), self._high)
        self.current_total = self.max_total * self._per_mille // 1_000
        raised_at = _RAISED_AT if self.is_ordinary else _RAISED_AT_NEAR
        for asset in self._account.assets:
            current = self.current_by_asset[asset.code] = self._worth_cents(asset)
            if current * 1_000 > self.max_by_asset[asset.code] * raised_at:
                self.max_by_asset[asset.code] = self._limit(current)

    def max_units(self, asset: Asset) -> int:
        """The limit of an asset as an amount of it, at the price when the market began."""
        cents = self.max_by_asset[asset.code]
        value = cents * self._base_price // 100
        return int(value * 10**asset.scale // asset.price)

    def _worth_cents(self, asset: Asset) -> int:
        value = worth(self._account.holdings[asset.code].balance, asset, self._market.prices)
        return value * 100 // self._base_price

    def _is_every(self, every: int, index: int) -> bool:
        return self._account.index % every == index

    def _band(self) -> tuple[int, int]:
        if self._is_every(_CROSSES_EVERY, 1):
            return _CROSSES
        if self._is_every(_NEAR_EVERY, 4):
            return _NEAR
        low, high = _ORDINARY
        begin = self._rng.randint(low, high - _ORDINARY_SPAN)
        return begin, begin + _ORDINARY_SPAN

    def _limit(self, cents: int) -> int:
        return _round(cents * 1_000 // self._rng.randint(*_USED_AT_FIRST))


def _round(cents: int) -> int:
    """A round number above what is there, and never nothing."""
    return (cents // _ROUND_CENTS + 1) * _ROUND_CENTS
