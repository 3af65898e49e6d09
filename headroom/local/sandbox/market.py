"""A small world of accounts that change: pure, seeded, without a clock.

The same seed leads to the same changes of the same accounts in the same order, however fast they
are asked for; a hold ends after a number of changes and not after a time.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

from headroom.local.sandbox.holdings import PRICE_SCALE, Account, Asset, Holding
from headroom.local.sandbox.moves import (
    Move,
    borrow,
    deposit,
    release,
    stake,
    trade,
    units_for,
    withdraw,
)

_DOLLAR: Final = 10**PRICE_SCALE
_BTC: Final = Asset("BTC", scale=8, places_min=0, price=64_000 * _DOLLAR)
_ETH_COARSE: Final = Asset("ETH", scale=8, places_min=0, price=3_200 * _DOLLAR)
_ETH_FINE: Final = Asset("ETH", scale=18, places_min=0, price=3_200 * _DOLLAR)
_SOL: Final = Asset("SOL", scale=9, places_min=0, price=140 * _DOLLAR)
_USDT: Final = Asset("USDT", scale=6, places_min=0, price=_DOLLAR)
_USD_CENTS: Final = Asset("USD", scale=2, places_min=2, price=_DOLLAR)
_USD_FINE: Final = Asset("USD", scale=8, places_min=2, price=_DOLLAR)
_EUR: Final = Asset("EUR", scale=2, places_min=2, price=108 * _DOLLAR // 100)

# The last asset of a kind of account is its money: deposits and loans are in it.
SFOX_ASSETS: Final[tuple[tuple[Asset, ...], ...]] = (
    (_BTC, _ETH_COARSE, _USD_FINE),
    (_BTC, _ETH_FINE, _SOL, _USD_CENTS),
    (_BTC, _ETH_FINE, _USD_FINE),
)
HERCLE_ASSETS: Final[tuple[tuple[Asset, ...], ...]] = (
    (_BTC, _ETH_FINE, _USDT),
    (_BTC, _ETH_COARSE, _USDT, _EUR),
    (_BTC, _ETH_FINE, _SOL, _USD_CENTS),
)

# How often each move is drawn, of 100.
_ORDINARY: Final[tuple[tuple[int, Move], ...]] = ((70, trade), (85, deposit), (100, withdraw))
_MARGIN: Final[tuple[tuple[int, Move], ...]] = (
    (55, trade),
    (65, deposit),
    (75, withdraw),
    (88, borrow),
    (100, stake),
)
_MARGIN_EVERY: Final = 4
_DRIFT_PER_MYRIAD: Final = 20
_MYRIAD: Final = 10_000
_PRICE_BAND: Final = 4


class Market:
    """Accounts, prices, and what happens next; `step()` is one change of one account.

    Every fourth account is a margin account where `margin` is on: it borrows, stakes and lends.
    Every other one is ordinary: `available + held = balance`, always.
    """

    def __init__(
        self,
        user_ids: Sequence[str],
        rng: Random,
        *,
        kinds: Sequence[tuple[Asset, ...]],
        margin: bool,
    ) -> None:
        self._rng = rng
        self._reference = {asset.code: asset.price for assets in kinds for asset in assets}
        self.prices = dict(self._reference)
        self._codes = sorted(self.prices)
        self.accounts = [
            Account(
                index,
                user_id,
                kinds[index % len(kinds)],
                margin=margin and index % _MARGIN_EVERY == _MARGIN_EVERY - 1,
            )
            for index, user_id in enumerate(user_ids)
        ]
        for account in self.accounts:
            self._fund(account)
        self._to_visit: list[Account] = []
        self.resting: set[str] = set()
        """The users whose accounts `step()` leaves alone."""
        self.begin_pass()

    def begin_pass(self) -> None:
        """From now on visit every account once, in a shuffled order, before any is drawn again."""
        self._to_visit = list(self.accounts)
        self._rng.shuffle(self._to_visit)

    def visit_next(self, account: Account) -> None:
        """Let the next `step()` change this account."""
        self._to_visit.append(account)

    def step(self) -> Account | None:
        """Change one account by one move, and return it; None where all of them rest."""
        self._drift()
        while True:
            account = self._to_visit.pop() if self._to_visit else self._rng.choice(self.accounts)
            if account.user_id not in self.resting:
                return self.move(account)
            if len(self.resting) >= len(self.accounts):
                return None

    def move(self, account: Account) -> Account:
        """Change this account by one move, and return it."""
        account.changes += 1
        if release(account):
            return account
        draw = self._rng.randint(1, 100)
        moves = _MARGIN if account.margin else _ORDINARY
        move = next(move for bound, move in moves if draw <= bound)
        if not move(account, self.prices, self._rng):
            deposit(account, self.prices, self._rng)
        return account

    def _fund(self, account: Account) -> None:
        # Between 1,000 and 100,000 dollars' worth of an asset; one in five is not held at first.
        for asset in account.assets:
            value = self._rng.randint(1_000 * 100, 100_000 * 100) * (_DOLLAR // 100)
            if self._rng.randint(1, 5) > 1 or asset is account.assets[-1]:
                units = units_for(value, asset, self.prices)
                account.holdings[asset.code] = Holding(trading=units)

    def _drift(self) -> None:
        code = self._rng.choice(self._codes)
        moved = self._rng.randint(_MYRIAD - _DRIFT_PER_MYRIAD, _MYRIAD + _DRIFT_PER_MYRIAD)
        reference = self._reference[code]
        price = self.prices[code] * moved // _MYRIAD
        self.prices[code] = min(max(price, reference // _PRICE_BAND), reference * _PRICE_BAND)
