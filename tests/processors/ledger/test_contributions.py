"""What a user tells all users' sums: absolute shares, the changed ones, all when in doubt."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.ledger.contributions import (
    BUNDLE_BYTES,
    AssetContribution,
    BaseContribution,
    Contribution,
    bundles,
    decode,
    encode,
    key_of,
    keyed,
    row_key,
    unbundle,
)
from processors.ledger.users import EMITS, Verdict, fold
from processors.ledger.views import contributions
from schemas.documents import Balance, BalanceSnapshot
from tests.processors.ledger.snapshots import deliveries, fold_all, last, logs, snapshot
from tests.schemas.strategies import MANY, NAMES, PROPERTY

EUR = ("EUR", "1430", "1500")


def named(shares: list[Contribution]) -> list[tuple[str, str]]:
    return [(type(share).__name__.removesuffix("Contribution"), share.name) for share in shares]


def says_the_same(one: Contribution, other: Contribution) -> bool:
    """Whether the sums are the same with either."""
    at = {"version": 1, "time": ""}
    return msgspec.structs.replace(one, **at) == msgspec.structs.replace(other, **at)


def test_a_first_snapshot_tells_all_that_it_holds() -> None:
    folded = last([snapshot(1, 1, 1, assets={"BTC": "1", "EUR": "0"}, exposure=EUR)])
    time = folded.state.accounts["sfox:a"].received_time
    common = {"user": "sfox:a", "version": 1, "time": time}
    assert contributions(folded) == [
        AssetContribution(asset="BTC", venues={"sfox": Balance("1", "1", "0")}, **common),
        AssetContribution(asset="EUR", venues={"sfox": Balance("0", "0", "0")}, **common),
        BaseContribution(base_currency="EUR", current=["1430"], max=["1500"], **common),
    ]


def test_after_a_change_only_the_changed_shares_are_told() -> None:
    one = snapshot(1, 1, 1, assets={"BTC": "1", "ETH": "2"}, exposure=EUR)
    other = snapshot(1, 2, 2, assets={"BTC": "1", "ETH": "3", "SOL": "1"}, exposure=EUR)
    assert named(contributions(last([one, other]))) == [("Asset", "ETH"), ("Asset", "SOL")]
    moved = snapshot(1, 2, 2, assets={"BTC": "1", "ETH": "2"}, exposure=("EUR", "1431", "1500"))
    assert named(contributions(last([one, moved]))) == [("Base", "EUR")]
    same = snapshot(1, 2, 2, assets={"BTC": "1", "ETH": "2"}, exposure=EUR)
    assert contributions(last([one, same])) == []


def test_an_asset_that_went_away_is_told_without_venues_once() -> None:
    folds = fold_all(
        [
            snapshot(1, 1, 1, assets={"BTC": "1", "ETH": "2"}),
            snapshot(1, 2, 2, assets={"ETH": "2"}),
            snapshot(1, 3, 3, assets={"ETH": "3"}),
        ]
    )
    (withdrawn,) = contributions(folds[1])
    assert isinstance(withdrawn, AssetContribution)
    assert (withdrawn.asset, withdrawn.venues, withdrawn.version) == ("BTC", {}, 2)
    assert named(contributions(folds[2])) == [("Asset", "ETH")]


def test_a_deleted_account_withdraws_everything() -> None:
    withdrawn = contributions(
        last(
            [
                snapshot(1, 1, 1, assets={"BTC": "1"}, exposure=EUR),
                snapshot(1, 2, 2, assets={"BTC": "1"}, exposure=EUR, deleted=True),
            ]
        )
    )
    assert named(withdrawn) == [("Asset", "BTC"), ("Base", "EUR")]
    asset, base = withdrawn
    assert isinstance(asset, AssetContribution)
    assert isinstance(base, BaseContribution)
    assert asset.venues == {}
    assert base.current == base.max == []


def test_another_base_currency_withdraws_from_the_former() -> None:
    shares = contributions(
        last(
            [
                snapshot(1, 1, 1, exposure=("EUR", "1", "2")),
                snapshot(1, 2, 2, exposure=("USD", "1", "2")),
            ]
        )
    )
    assert [(share.name, share.current) for share in shares] == [("EUR", []), ("USD", ["1"])]


def test_a_redelivery_tells_all_that_there_ever_was() -> None:
    newest = snapshot(1, 2, 2, assets={"ETH": "2"})
    folded = last([snapshot(1, 1, 1, assets={"BTC": "1"}, exposure=EUR), newest, newest])
    assert folded.verdict == Verdict.REDELIVERED
    shares = contributions(folded)
    assert named(shares) == [("Asset", "BTC"), ("Asset", "ETH"), ("Base", "EUR")]
    assert {share.version for share in shares} == {2}


@given(st.data())
@MANY
def test_what_was_told_last_is_what_the_user_holds(data: st.DataObject) -> None:
    """Keeping the last share of each name gives, after each step, what a redelivery would tell."""
    told: dict[bytes, Contribution] = {}
    for folded in fold_all(data.draw(deliveries(data.draw(logs())))):
        if folded.verdict in EMITS:
            told |= {key_of(share): share for share in contributions(folded)}
        newest = next(iter(folded.state.accounts.values()))
        everything = contributions(fold(folded.state, newest))
        assert {key_of(share) for share in everything} == set(told)
        for share in everything:
            assert says_the_same(share, told[key_of(share)])
            assert told[key_of(share)].version <= share.version


@given(logs())
@PROPERTY
def test_a_contribution_comes_back_from_its_bytes(log: list[BalanceSnapshot]) -> None:
    for folded in fold_all(log):
        for share in contributions(folded):
            assert decode(encode(share)) == share


@given(logs(), logs(user="v"))
@PROPERTY
def test_bundles_hold_every_contribution_under_its_key_and_in_order(
    log: list[BalanceSnapshot], other: list[BalanceSnapshot]
) -> None:
    shares = [
        share for folded in fold_all(log) + fold_all(other) for share in contributions(folded)
    ]
    found: dict[bytes, list[Contribution]] = {}
    for key, bundle in bundles(keyed(shares)):
        found.setdefault(key, []).extend(unbundle(bundle))
    wanted: dict[bytes, list[Contribution]] = {}
    for share in shares:
        wanted.setdefault(key_of(share), []).append(share)
    assert found == wanted


def test_a_bundle_that_would_be_too_large_is_several() -> None:
    def share(user: str) -> Contribution:
        return AssetContribution(asset="BTC", user=user, version=1, time="", venues={})

    shares = [share("x" * 1_000) for _ in range(700)]
    found = [bundle for _, bundle in bundles(keyed(shares))]
    assert len(found) == 3
    assert all(len(bundle) <= BUNDLE_BYTES + 2 for bundle in found)
    assert [one for bundle in found for one in unbundle(bundle)] == shares
    huge = share("x" * 2 * BUNDLE_BYTES)
    assert [unbundle(bundle) for _, bundle in bundles(keyed([shares[0], huge, shares[0]]))] == [
        [shares[0]],
        [huge],
        [shares[0]],
    ]


@given(NAMES, NAMES, NAMES)
@PROPERTY
def test_keys_keep_apart_what_is_apart(name: str, user: str, other: str) -> None:
    """An asset and a base currency of one name, a sum and its rows, one user and another."""
    asset = key_of(AssetContribution(asset=name, user=user, version=1, time="", venues={}))
    base = key_of(
        BaseContribution(base_currency=name, user=user, version=1, time="", current=[], max=[])
    )
    keys = {asset, base, row_key(asset, user), row_key(base, user)}
    assert len(keys) == 4
    assert (row_key(asset, user) == row_key(asset, other)) == (user == other)
