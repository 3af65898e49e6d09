"""The sums over all users: derived from their rows, kept up to date by exchanging one row.

A sum is worked out anew from the rows after a restore and is never restored itself. Whatever the
order in which rows came and went, the text of a sum is that of adding up the present rows: as many
places as the finest of them.
"""

from processors.compiled import Moved
from processors.ledger.contributions import AssetContribution, BaseContribution, Contribution
from schemas.amounts import against_limit, is_zero, sum_text, text_of_units, units_of
from schemas.documents import AssetExposure, BaseExposure, VenueHolding


class Tally:
    """An exact running sum that remembers with how many places its addends were written.

    Of each number of places: how many addends have it, and their sum in units of the last place.
    """

    __slots__ = ("_by_places",)

    def __init__(self) -> None:
        self._by_places: dict[int, list[int]] = {}

    def add(self, amount: str) -> None:
        """Add an amount."""
        units, places = units_of(amount)
        self._count(places, 1, units)

    def remove(self, amount: str) -> None:
        """Take an amount away that was added before."""
        units, places = units_of(amount)
        self._count(places, -1, -units)

    def exchange(self, old: str, new: str) -> None:
        """Take an amount away that was added before, and add another."""
        if old == new:
            return
        old_units, old_places = units_of(old)
        units, places = units_of(new)
        if places == old_places:
            self._by_places[places][1] += units - old_units
        else:
            self._count(old_places, -1, -old_units)
            self._count(places, 1, units)

    def move(self, places: int, addends: int, units: int) -> None:
        """Count so many addends more that have so many places, and what they add up to."""
        self._count(places, addends, units)

    @property
    def text(self) -> str:
        """The sum, with the places of the finest addend."""
        finest = max(self._by_places, default=0)
        scaled = (part[1] * 10 ** (finest - at) for at, part in self._by_places.items())
        return text_of_units(sum(scaled), finest)

    def _count(self, places: int, addends: int, units: int) -> None:
        part = self._by_places.get(places)
        if part is None:
            self._by_places[places] = [addends, units]
            return
        part[0] += addends
        part[1] += units
        if not part[0]:
            del self._by_places[places]


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
        if old is not None and old.venues.keys() == new.venues.keys():
            self._revalue(old, new)
            return
        if old is not None:
            self._count(old, -1)
        self._count(new, 1)

    def move(self, moved: Moved) -> None:
        """Do what several plain shares do that were exchanged one after the other."""
        for venue, rows, users, parts in moved.venues:
            holding = self._venues.setdefault(venue, _Holding())
            tallies = holding.total, holding.available, holding.held
            for kind, places, addends, units in parts:
                tallies[kind].move(places, addends, units)
            holding.users += users
            holding.rows += rows
            if not holding.rows:
                del self._venues[venue]
        self._users += moved.users

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
            holding.users += 0 if is_zero(balance.total) else sign
            holding.rows += sign
            if not holding.rows:
                del self._venues[venue]
        self._users += sign * _holds(share)

    def _revalue(self, old: AssetContribution, new: AssetContribution) -> None:
        """The same venues hold other amounts: what nearly every change is."""
        for venue, balance in new.venues.items():
            before, holding = old.venues[venue], self._venues[venue]
            holding.total.exchange(before.total, balance.total)
            holding.available.exchange(before.available, balance.available)
            holding.held.exchange(before.held, balance.held)
            holding.users += (not is_zero(balance.total)) - (not is_zero(before.total))
        self._users += _holds(new) - _holds(old)


def _holds(share: AssetContribution) -> bool:
    """Whether a user's total over all venues is not zero."""
    totals = [balance.total for balance in share.venues.values()]
    return not is_zero(totals[0] if len(totals) == 1 else sum_text(totals))


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
        left, used = against_limit(current, maximum)
        return BaseExposure(
            base_currency=self._base_currency,
            current=current,
            max=maximum,
            headroom=left,
            utilisation=used,
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
