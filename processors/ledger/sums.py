"""The sums over all users: derived from their rows, kept up to date by exchanging one row.

A sum is worked out anew from the rows after a restore and is never restored itself. Whatever the
order in which rows came and went, the text of a sum is that of adding up the present rows: as many
places as the finest of them.
"""

from collections import Counter
from decimal import Decimal
from typing import Final

from processors.ledger.contributions import AssetContribution, BaseContribution, Contribution
from schemas.amounts import (
    add,
    decimal_of,
    headroom,
    is_zero,
    quantize,
    subtract,
    text_of,
    utilisation,
)
from schemas.documents import AssetExposure, BaseExposure, VenueHolding

_ZERO: Final = Decimal(0)


class Tally:
    """An exact running sum that remembers with how many places its addends were written."""

    __slots__ = ("_places", "_value")

    def __init__(self) -> None:
        self._value = _ZERO
        self._places: Counter[int] = Counter()

    def add(self, amount: str) -> None:
        """Add an amount."""
        self._value = add(self._value, decimal_of(amount))
        self._places[_places(amount)] += 1

    def remove(self, amount: str) -> None:
        """Take an amount away that was added before."""
        self._value = subtract(self._value, decimal_of(amount))
        places = _places(amount)
        self._places[places] -= 1
        if not self._places[places]:
            del self._places[places]

    @property
    def text(self) -> str:
        """The sum, with the places of the finest addend."""
        text = text_of(quantize(self._value, max(self._places, default=0)))
        # Adding up from zero never ends at minus zero; taking away may.
        return text.removeprefix("-") if is_zero(text) else text


class _Holding:
    """Tallies of one asset, at one venue or over all."""

    __slots__ = ("available", "held", "rows", "total", "users")

    def __init__(self) -> None:
        self.total, self.available, self.held = Tally(), Tally(), Tally()
        self.users = self.rows = 0


class AssetSum:
    """What all users hold of one asset."""

    def __init__(self, asset: str) -> None:
        self.asset = asset
        self._venues: dict[str, _Holding] = {}
        self._users = 0

    def exchange(self, old: AssetContribution | None, new: AssetContribution) -> None:
        """Take a user's former share out (None: there was none) and the new one in."""
        if old is not None:
            self._count(old, -1)
        self._count(new, 1)

    def document(self, version: int) -> AssetExposure:
        """The public document; all zeros when nobody holds the asset."""
        return AssetExposure(
            asset=self.asset,
            total=self._text("total"),
            available=self._text("available"),
            held=self._text("held"),
            users=self._users,
            by_venue={
                venue: VenueHolding(
                    holding.total.text, holding.available.text, holding.held.text, holding.users
                )
                for venue, holding in sorted(self._venues.items())
            },
            version=version,
        )

    def _text(self, kind: str) -> str:
        tally = Tally()
        for holding in self._venues.values():
            tally.add(getattr(holding, kind).text)
        return tally.text

    def _count(self, share: AssetContribution, sign: int) -> None:
        held = _ZERO
        for venue, balance in share.venues.items():
            holding = self._venues.setdefault(venue, _Holding())
            for tally, amount in (
                (holding.total, balance.total),
                (holding.available, balance.available),
                (holding.held, balance.held),
            ):
                if sign > 0:
                    tally.add(amount)
                else:
                    tally.remove(amount)
            total = decimal_of(balance.total)
            held = add(held, total)
            holding.users += sign if total else 0
            holding.rows += sign
            if not holding.rows:
                del self._venues[venue]
        self._users += sign if held else 0


class _KnownSum:
    """A sum of which a part may be unknown; then the whole is."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._unknown = 0

    def count(self, amounts: list[str | None], sign: int) -> None:
        for amount in amounts:
            if amount is None:
                self._unknown += sign
            elif sign > 0:
                self._tally.add(amount)
            else:
                self._tally.remove(amount)

    @property
    def text(self) -> str | None:
        return None if self._unknown else self._tally.text


class BaseSum:
    """The accounts' own totals in one base currency, over all users."""

    def __init__(self, base_currency: str) -> None:
        self._base_currency = base_currency
        self._current, self._max = _KnownSum(), _KnownSum()
        self._accounts = 0

    def exchange(self, old: BaseContribution | None, new: BaseContribution) -> None:
        """Take a user's former share out (None: there was none) and the new one in."""
        if old is not None:
            self._count(old, -1)
        self._count(new, 1)

    def document(self, version: int) -> BaseExposure:
        """The public document; all zeros when no account has this base currency any more."""
        current, maximum = self._current.text, self._max.text
        return BaseExposure(
            base_currency=self._base_currency,
            current=current,
            max=maximum,
            headroom=headroom(current, maximum),
            utilisation=utilisation(current, maximum),
            accounts=self._accounts,
            version=version,
        )

    def _count(self, share: BaseContribution, sign: int) -> None:
        self._current.count(share.current, sign)
        self._max.count(share.max, sign)
        self._accounts += sign * len(share.current)


def new_sum(contribution: Contribution) -> AssetSum | BaseSum:
    """An empty sum of the kind that a contribution belongs to."""
    if isinstance(contribution, AssetContribution):
        return AssetSum(contribution.asset)
    return BaseSum(contribution.base_currency)


def _places(amount: str) -> int:
    _, point, fraction = amount.partition(".")
    return len(fraction) if point else 0
