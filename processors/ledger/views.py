"""What a user's row says to others: the public documents, and the shares of all users' sums."""

from collections.abc import Iterator
from typing import Final

from processors.ledger.contributions import (
    AssetContribution,
    BaseContribution,
    Contribution,
)
from processors.ledger.users import Fold, UserState, Verdict
from schemas.amounts import against_limit, normal_text, sum_text
from schemas.documents import (
    Balance,
    BalanceSnapshot,
    Limit,
    UserAsset,
    UserBalances,
    UserExposure,
)

Holdings = dict[str, dict[str, Balance]]
"""What a user holds, by asset and then by venue, both in order."""
Venues = frozenset[str]

NOWHERE: Final[Venues] = frozenset()


class View:
    """A row, and the sums over its accounts, worked out once for all that is made of them.

    `in_assets` are the venues whose limits of assets are amounts of the assets themselves; those of
    all others are in the account's base currency.
    """

    __slots__ = ("_in_assets", "_live", "holdings", "state")

    def __init__(self, state: UserState, in_assets: Venues = NOWHERE) -> None:
        self.state = state
        self._in_assets = in_assets
        self._live = state.live
        self.holdings = _holdings(self._live)

    def balances(self) -> UserBalances | None:
        """The user's balances, or None (a tombstone) when every account is deleted."""
        if not self._live:
            return None
        return UserBalances(
            user=self.state.user,
            accounts=self._live,
            totals={asset: _over(venues) for asset, venues in self.holdings.items()},
            version=self.state.version,
            unknown=self._unknown(),
        )

    def exposure(self) -> UserExposure | None:
        """The user's exposure and limits, or None (a tombstone) when every account is deleted."""
        if not self._live:
            return None
        return UserExposure(
            user=self.state.user,
            assets={asset: _user_asset(venues) for asset, venues in self.holdings.items()},
            limits=[one for snapshot in self._live for one in _limits(snapshot, self._in_assets)],
            version=self.state.version,
            unknown=self._unknown(),
        )

    def _unknown(self) -> tuple[str, ...]:
        """The assets of which an account holds more than it tells."""
        found = {asset for snapshot in self._live for asset in snapshot.unknown}
        return tuple(sorted(found))

    def shares(self, time: str, *, since: "View | None" = None) -> list[Contribution]:
        """What the user tells the sums over all users, or what of it has changed since a view.

        It names all that the user ever held, so that what is gone is told with nothing in it.
        """
        state, nothing = self.state, dict[str, Balance]()
        shares: list[Contribution] = []
        for asset in state.assets:
            venues = self.holdings.get(asset, nothing)
            if since is None or not since.told(asset, venues):
                shares.append(AssetContribution(asset, state.user, state.version, time, venues))
        for base in state.bases:
            totals = self.totals(base)
            if since is None or base not in since.state.bases or since.totals(base) != totals:
                shares.append(BaseContribution(base, state.user, state.version, time, *totals))
        return shares

    def told(self, asset: str, venues: dict[str, Balance]) -> bool:
        """Whether the sums were told of this asset, and just this."""
        held = self.holdings.get(asset)
        return held == venues if held is not None else not venues and asset in self.state.assets

    def totals(self, base: str) -> tuple[list[str | None], list[str | None]]:
        """What the venues say of the accounts in a base currency: current exposures and limits."""
        totals = [
            snapshot.exposure
            for snapshot in self._live
            if snapshot.exposure is not None and snapshot.exposure.base_currency == base
        ]
        return [total.current for total in totals], [total.max for total in totals]


def user_balances(state: UserState) -> UserBalances | None:
    """The user's balances, or None (a tombstone) when every account is deleted."""
    return View(state).balances()


def user_exposure(state: UserState, in_assets: Venues = NOWHERE) -> UserExposure | None:
    """The user's exposure and limits, or None (a tombstone) when every account is deleted."""
    return View(state, in_assets).exposure()


def contributions(fold: Fold) -> list[Contribution]:
    """What has to be told to the sums over all users after a fold.

    After a change: the shares that differ from before. After a redelivery: all that there ever
    were, because those of the first delivery may never have been sent.
    """
    again = fold.before is None or fold.verdict is Verdict.REDELIVERED
    since = None if again or fold.before is None else View(fold.before)
    return View(fold.state).shares(fold.time, since=since)


def _holdings(live: list[BalanceSnapshot]) -> Holdings:
    if len(live) == 1:  # as nearly all users have it
        (snapshot,) = live
        venue, assets = snapshot.venue, snapshot.assets
        return {
            asset: {
                venue: Balance(
                    normal_text(balance.total),
                    normal_text(balance.available),
                    normal_text(balance.held),
                )
            }
            for asset, balance in sorted(assets.items())
        }
    found: dict[str, dict[str, list[Balance]]] = {}
    for snapshot in live:
        for asset, balance in snapshot.assets.items():
            part = Balance(balance.total, balance.available, balance.held)
            found.setdefault(asset, {}).setdefault(snapshot.venue, []).append(part)
    return {
        asset: {venue: _sum(parts) for venue, parts in sorted(venues.items())}
        for asset, venues in sorted(found.items())
    }


def _over(venues: dict[str, Balance]) -> Balance:
    """The sum over all venues: of sums, which leaves value and places as they are."""
    parts = list(venues.values())
    return parts[0] if len(parts) == 1 else _sum(parts)


def _sum(parts: list[Balance]) -> Balance:
    return Balance(
        total=sum_text([part.total for part in parts]),
        available=sum_text([part.available for part in parts]),
        held=sum_text([part.held for part in parts]),
    )


def _user_asset(venues: dict[str, Balance]) -> UserAsset:
    over = _over(venues)
    by_venue = {venue: part.total for venue, part in venues.items()}
    return UserAsset(over.total, over.available, over.held, by_venue)


def _limits(snapshot: BalanceSnapshot, in_assets: Venues) -> Iterator[Limit]:
    """The limit of the account's total, then those of its assets in the venue's order."""
    base_currency = None
    if snapshot.exposure is not None:
        base_currency = snapshot.exposure.base_currency
        yield _limit(
            snapshot, None, base_currency, snapshot.exposure.current, snapshot.exposure.max
        )
    unit = None if snapshot.venue in in_assets else base_currency
    for asset, balance in snapshot.assets.items():
        if balance.exposure is not None:
            yield _limit(snapshot, asset, unit, balance.exposure.current, balance.exposure.max)


def _limit(
    snapshot: BalanceSnapshot,
    asset: str | None,
    base_currency: str | None,
    current: str | None,
    maximum: str | None,
) -> Limit:
    left, used = against_limit(current, maximum)
    return Limit(
        venue=snapshot.venue,
        account=snapshot.account,
        asset=asset,
        base_currency=base_currency,
        current=current,
        max=maximum,
        headroom=left,
        utilisation=used,
    )
