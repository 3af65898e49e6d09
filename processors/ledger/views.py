"""What a user's row says to others: the public documents, and the shares of all users' sums."""

from collections.abc import Iterable, Iterator

from processors.ledger.contributions import (
    AssetContribution,
    BaseContribution,
    Contribution,
)
from processors.ledger.users import Fold, UserState, Verdict
from schemas.amounts import headroom, sum_text, utilisation
from schemas.documents import (
    AssetBalance,
    Balance,
    BalanceSnapshot,
    Limit,
    UserAsset,
    UserBalances,
    UserExposure,
)


def user_balances(state: UserState) -> UserBalances | None:
    """The user's balances, or None (a tombstone) when every account is deleted."""
    live = state.live
    if not live:
        return None
    return UserBalances(
        user=state.user,
        accounts=live,
        totals={asset: _sum(holdings) for asset, holdings in _by_asset(live)},
        version=state.version,
    )


def user_exposure(state: UserState) -> UserExposure | None:
    """The user's exposure and limits, or None (a tombstone) when every account is deleted."""
    live = state.live
    if not live:
        return None
    return UserExposure(
        user=state.user,
        assets={asset: _user_asset(live, asset, holdings) for asset, holdings in _by_asset(live)},
        limits=[limit for snapshot in live for limit in _limits(snapshot)],
        version=state.version,
    )


def contributions(fold: Fold) -> list[Contribution]:
    """What has to be told to the sums over all users after a fold.

    After a change: the shares that differ from before. After a redelivery: all that there ever
    were, because those of the first delivery may never have been sent.
    """
    now = _shares(fold.state, fold.time)
    if fold.verdict is Verdict.REDELIVERED or fold.before is None:
        return list(now.values())
    before = _shares(fold.before, fold.time)
    return [
        share
        for name, share in now.items()
        if name not in before or not share.says_the_same_as(before[name])
    ]


def _shares(state: UserState, time: str) -> dict[tuple[str, str], Contribution]:
    live = state.live
    shares: dict[tuple[str, str], Contribution] = {}
    for asset in state.assets:
        venues = {
            venue: _sum(holdings)
            for venue, holdings in _by_venue(
                (snapshot, snapshot.assets[asset]) for snapshot in live if asset in snapshot.assets
            )
        }
        shares["asset", asset] = AssetContribution(
            asset=asset, user=state.user, version=state.version, time=time, venues=venues
        )
    for base in state.bases:
        totals = [
            snapshot.exposure
            for snapshot in live
            if snapshot.exposure is not None and snapshot.exposure.base_currency == base
        ]
        shares["base", base] = BaseContribution(
            base_currency=base,
            user=state.user,
            version=state.version,
            time=time,
            current=[total.current for total in totals],
            max=[total.max for total in totals],
        )
    return shares


def _by_asset(live: list[BalanceSnapshot]) -> list[tuple[str, list[AssetBalance]]]:
    found: dict[str, list[AssetBalance]] = {}
    for snapshot in live:
        for asset, balance in snapshot.assets.items():
            found.setdefault(asset, []).append(balance)
    return sorted(found.items())


def _by_venue(
    holdings: Iterable[tuple[BalanceSnapshot, AssetBalance]],
) -> list[tuple[str, list[AssetBalance]]]:
    found: dict[str, list[AssetBalance]] = {}
    for snapshot, balance in holdings:
        found.setdefault(snapshot.venue, []).append(balance)
    return sorted(found.items())


def _sum(holdings: list[AssetBalance]) -> Balance:
    return Balance(
        total=sum_text([holding.total for holding in holdings]),
        available=sum_text([holding.available for holding in holdings]),
        held=sum_text([holding.held for holding in holdings]),
    )


def _user_asset(live: list[BalanceSnapshot], asset: str, holdings: list[AssetBalance]) -> UserAsset:
    balance = _sum(holdings)
    venues = _by_venue(
        (snapshot, snapshot.assets[asset]) for snapshot in live if asset in snapshot.assets
    )
    return UserAsset(
        total=balance.total,
        available=balance.available,
        held=balance.held,
        by_venue={venue: sum_text([part.total for part in parts]) for venue, parts in venues},
    )


def _limits(snapshot: BalanceSnapshot) -> Iterator[Limit]:
    """The limit of the account's total, then those of its assets in the venue's order."""
    base_currency = None
    if snapshot.exposure is not None:
        base_currency = snapshot.exposure.base_currency
        yield _limit(
            snapshot, None, base_currency, snapshot.exposure.current, snapshot.exposure.max
        )
    for asset, balance in snapshot.assets.items():
        if balance.exposure is not None:
            yield _limit(
                snapshot, asset, base_currency, balance.exposure.current, balance.exposure.max
            )


def _limit(
    snapshot: BalanceSnapshot,
    asset: str | None,
    base_currency: str | None,
    current: str | None,
    maximum: str | None,
) -> Limit:
    return Limit(
        venue=snapshot.venue,
        account=snapshot.account,
        asset=asset,
        base_currency=base_currency,
        current=current,
        max=maximum,
        headroom=headroom(current, maximum),
        utilisation=utilisation(current, maximum),
    )
