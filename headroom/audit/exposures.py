"""The documents that must follow from a fold: balances and exposures, summed from scratch."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from headroom.audit.fold import Fold, Snapshot, UserState, base_of
from headroom.audit.numbers import headroom, is_zero, total, total_known, utilisation

PARTS = ("total", "available", "held")
Document = dict[str, Any]


def user_balances(name: str, user: UserState) -> Document | None:
    """UserBalances, or None (a tombstone) where no account is alive."""
    live = user.live
    if not live:
        return None
    return {
        "user": name,
        "accounts": live,
        "totals": _totals(live),
        "version": user.version,
        **_unknown(live),
    }


def user_exposure(name: str, user: UserState, in_assets: Collection[str] = ()) -> Document | None:
    """UserExposure, or None with the user; `in_assets` as in `World`."""
    live = user.live
    if not live:
        return None
    assets: Document = _totals(live)
    for asset, sums in assets.items():
        rows = _rows(live, asset)
        sums["by_venue"] = {venue: _sums(of_venue)["total"] for venue, of_venue in rows.items()}
    limits = [limit for account in live for limit in _limits(account, in_assets)]
    return {
        "user": name,
        "assets": assets,
        "limits": limits,
        "version": user.version,
        **_unknown(live),
    }


def _unknown(accounts: Sequence[Snapshot]) -> Document:
    """Assets of which more is held than is told: the field is there where there are any."""
    assets = {asset for account in accounts for asset in account.get("unknown", [])}
    return {"unknown": sorted(assets)} if assets else {}


def asset_exposures(fold: Fold) -> dict[str, Document]:
    """AssetExposure of every asset that was ever held, without `version`."""
    rows: dict[str, list[tuple[str, str, Document]]] = defaultdict(list)
    for account in fold.live_accounts():
        for asset, amounts in account["assets"].items():
            rows[asset].append((account["venue"], account["user"], amounts))
    return {asset: _asset_exposure(asset, rows.get(asset, [])) for asset in fold.assets}


def base_exposures(fold: Fold) -> dict[str, Document]:
    """BaseExposure of every base currency that any account ever had, without `version`."""
    live = fold.live_accounts()
    return {
        base: _base_exposure(base, [account for account in live if base_of(account) == base])
        for base in fold.bases
    }


def _asset_exposure(asset: str, rows: Sequence[tuple[str, str, Document]]) -> Document:
    venues: dict[str, list[tuple[str, Document]]] = defaultdict(list)
    for venue, user, amounts in rows:
        venues[venue].append((user, amounts))
    return {
        "asset": asset,
        **_with_users([(user, amounts) for _, user, amounts in rows]),
        "by_venue": {venue: _with_users(of_venue) for venue, of_venue in venues.items()},
    }


def _with_users(rows: Sequence[tuple[str, Document]]) -> Document:
    by_user: dict[str, list[Document]] = defaultdict(list)
    for user, amounts in rows:
        by_user[user].append(amounts)
    holding = sum(1 for held in by_user.values() if not is_zero(_sums(held)["total"]))
    return {**_sums([amounts for _, amounts in rows]), "users": holding}


def _base_exposure(base: str, accounts: Sequence[Snapshot]) -> Document:
    current = total_known(account["exposure"]["current"] for account in accounts)
    maximum = total_known(account["exposure"]["max"] for account in accounts)
    return {
        "base_currency": base,
        **_limit(current, maximum),
        "accounts": len(accounts),
    }


def _limits(account: Snapshot, in_assets: Collection[str]) -> list[Document]:
    """Limits of an account: of its own totals and of each asset, where any part is known."""
    exposures: list[tuple[str | None, Any]] = [(None, account["exposure"])]
    exposures += [(asset, amounts["exposure"]) for asset, amounts in account["assets"].items()]
    return [
        {
            "venue": account["venue"],
            "account": account["account"],
            "asset": asset,
            "base_currency": (
                None if asset is not None and account["venue"] in in_assets else base_of(account)
            ),
            **_limit(exposure["current"], exposure["max"]),
        }
        for asset, exposure in exposures
        if exposure is not None
    ]


def _limit(current: str | None, maximum: str | None) -> Document:
    return {
        "current": current,
        "max": maximum,
        "headroom": headroom(current, maximum),
        "utilisation": utilisation(current, maximum),
    }


def _totals(accounts: Sequence[Snapshot]) -> dict[str, Document]:
    assets = {asset: None for account in accounts for asset in account["assets"]}
    found = {}
    for asset in assets:
        rows = [account["assets"][asset] for account in accounts if asset in account["assets"]]
        found[asset] = _sums(rows)
    return found


def _rows(accounts: Sequence[Snapshot], asset: str) -> dict[str, list[Document]]:
    venues: dict[str, list[Document]] = defaultdict(list)
    for account in accounts:
        if asset in account["assets"]:
            venues[account["venue"]].append(account["assets"][asset])
    return venues


def _sums(rows: Sequence[Document]) -> Document:
    return {part: total(row[part] for row in rows) for part in PARTS}
