"""What may happen to an account: each move changes it soundly, or finds that it cannot.

A move takes the account, the prices (10^-8 US dollars for one whole) and the randomness, and
returns whether anything changed. Draws are whole numbers: no float comes near an amount.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from msgspec.structs import replace

from headroom.local.sandbox.holdings import PRICE_SCALE, Account, Asset, Hold, Holding

Move = Callable[[Account, Mapping[str, int], Random], bool]

_FEE_PER_MILLE: Final = 1
_DEPOSIT_MAX_DOLLARS: Final = 10_000


def worth(units: int, asset: Asset, prices: Mapping[str, int]) -> int:
    """What `units` of an asset are worth, in 10^-8 US dollars, rounded down."""
    return int(units * prices[asset.code] // 10**asset.scale)


def units_for(value: int, asset: Asset, prices: Mapping[str, int]) -> int:
    """How many smallest units of an asset a value in 10^-8 US dollars buys, rounded down."""
    return int(value * 10**asset.scale // prices[asset.code])


def trade(account: Account, prices: Mapping[str, int], rng: Random) -> bool:
    """Sell a part of one asset and buy another with it at the present prices, less the fee."""
    sold, bought = rng.sample(account.assets, 2)
    spent = account.holdings[sold.code].free * rng.randint(5, 300) // 1_000
    proceeds = units_for(worth(spent, sold, prices), bought, prices)
    gained = proceeds * (1_000 - _FEE_PER_MILLE) // 1_000
    if spent <= 0 or gained <= 0:
        return False
    _change(account, sold, trading=-spent)
    _change(account, bought, trading=gained)
    return True


def deposit(account: Account, prices: Mapping[str, int], rng: Random) -> bool:
    """Take in money that is on hold until some changes later, as an ACH deposit is."""
    asset = account.assets[-1]
    value = rng.randint(100, _DEPOSIT_MAX_DOLLARS * 100) * 10 ** (PRICE_SCALE - 2)
    units = units_for(value, asset, prices)
    if units <= 0:
        return False
    _change(account, asset, trading=units, held=units)
    account.holds.append(Hold(asset.code, units, account.changes + rng.randint(2, 6)))
    return True


def release(account: Account) -> bool:
    """Settle the deposits whose hold is over."""
    due = [hold for hold in account.holds if hold.due <= account.changes]
    for hold in due:
        _change(account, account.asset(hold.code), held=-hold.units)
        account.holds.remove(hold)
    return bool(due)


def withdraw(account: Account, _prices: Mapping[str, int], rng: Random) -> bool:
    """Pay out a part of what is free; now and then all of it."""
    asset = rng.choice(account.assets)
    free = account.holdings[asset.code].free
    units = free if rng.randint(1, 20) == 1 else free * rng.randint(5, 250) // 1_000
    if units <= 0:
        return False
    _change(account, asset, trading=-units)
    return True


def borrow(account: Account, prices: Mapping[str, int], rng: Random) -> bool:
    """Put up an asset as collateral and borrow money on half of its worth; repay if it is owed."""
    money, pledged = account.assets[-1], rng.choice(account.assets[:-1])
    owed = account.holdings[money.code].borrow
    if owed:
        _change(account, money, borrow=-owed)
        for asset in account.assets:
            locked = account.holdings[asset.code].collateral
            _change(account, asset, trading=locked, collateral=-locked)
        return True
    locked = account.holdings[pledged.code].free * rng.randint(50, 400) // 1_000
    lent = units_for(worth(locked, pledged, prices) // 2, money, prices)
    if locked <= 0 or lent <= 0:
        return False
    _change(account, pledged, trading=-locked, collateral=locked)
    _change(account, money, borrow=lent)
    return True


def stake(account: Account, _prices: Mapping[str, int], rng: Random) -> bool:
    """Stake or lend a part of an asset; bring it back if it is there already."""
    asset = rng.choice(account.assets[:-1])
    wallet = rng.choice(("staking", "lending"))
    there: int = getattr(account.holdings[asset.code], wallet)
    units = -there if there else account.holdings[asset.code].free * rng.randint(50, 500) // 1_000
    if units == 0:
        return False
    _change(account, asset, **{"trading": -units, wallet: units})
    return True


def _change(account: Account, asset: Asset, **units_by_wallet: int) -> None:
    holding: Holding = account.holdings[asset.code]
    changed = {
        wallet: getattr(holding, wallet) + units for wallet, units in units_by_wallet.items()
    }
    account.holdings[asset.code] = replace(holding, **changed)
