"""A user's public documents: totals, exposure by venue, limits with headroom and utilisation."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given

from processors.ledger.views import View, user_balances, user_exposure
from schemas.amounts import sum_text
from schemas.codec import encode
from schemas.documents import Balance, BalanceSnapshot, Limit, UserAsset
from tests.processors.ledger.snapshots import (
    balance,
    fold_all,
    last,
    logs,
    of_the_contract,
    snapshot,
)
from tests.schemas.strategies import PROPERTY
from tests.schemas.validation import assert_valid


def views(*snapshots: BalanceSnapshot):
    state = last(snapshots).state
    balances, exposure = user_balances(state), user_exposure(state)
    assert balances is not None
    assert exposure is not None
    return balances, exposure


def test_the_contracts_sfox_snapshot_makes_balances_without_limits() -> None:
    shown = of_the_contract("sfox")
    balances, exposure = views(shown)
    assert (balances.user, balances.version, balances.accounts) == ("sfox:test3", 1, [shown])
    assert balances.totals == {"BTC": Balance("9.99850081", "9.99850081", "0")}
    assert exposure.assets == {
        "BTC": UserAsset("9.99850081", "9.99850081", "0", {"sfox": "9.99850081"})
    }
    assert exposure.limits == []


def test_the_contracts_hercle_snapshot_makes_the_accounts_limit_and_then_the_assets() -> None:
    _, exposure = views(of_the_contract("hercle"))
    of_account = {"venue": "hercle", "account": "user-123", "base_currency": "EUR"}
    assert exposure.limits == [
        Limit(
            **of_account,
            asset=None,
            current="1430",
            max="1500",
            headroom="70",
            utilisation="0.953333",
        ),
        Limit(
            **of_account,
            asset="USDT",
            current="0",
            max="1500",
            headroom="1500",
            utilisation="0.000000",
        ),
    ]


@pytest.mark.parametrize(
    ("current", "maximum", "left", "used"),
    [
        ("1430", "1500", "70", "0.953333"),
        ("1500.5", "1500", "-0.5", "1.000333"),
        ("0", "0", "0", None),
        ("5", "0.00", "-5.00", None),
        (None, "1500", None, None),
        ("5", None, None, None),
    ],
)
def test_headroom_and_utilisation_are_null_where_they_are_unknown(
    current: str | None, maximum: str | None, left: str | None, used: str | None
) -> None:
    _, exposure = views(
        snapshot(
            1,
            1,
            1,
            venue="hercle",
            assets={"BTC": balance("1", exposure=(current, maximum))},
            exposure=("EUR", current, maximum),
        )
    )
    for limit in exposure.limits:
        assert (limit.current, limit.max) == (current, maximum)
        assert (limit.headroom, limit.utilisation) == (left, used)
    assert [limit.asset for limit in exposure.limits] == [None, "BTC"]


def test_an_unknown_exposure_is_no_limit_and_an_unknown_base_is_null() -> None:
    _, exposure = views(
        snapshot(
            1,
            1,
            1,
            venue="hercle",
            assets={"BTC": balance("1", exposure=("1", "2")), "ETH": "5"},
        )
    )
    assert [(limit.asset, limit.base_currency) for limit in exposure.limits] == [("BTC", None)]


def test_limits_of_assets_may_be_amounts_of_the_assets() -> None:
    """Then they claim no base currency; the account's own limit has it, and so has its sum."""
    one = of_the_contract("hercle")
    state = last([one]).state
    exposure = user_exposure(state, frozenset({"hercle"}))
    assert exposure is not None
    assert [(limit.asset, limit.base_currency) for limit in exposure.limits] == [
        (None, "EUR"),
        ("USDT", None),
    ]
    in_base = user_exposure(state, frozenset({"sfox"}))
    assert in_base is not None
    assert [limit.base_currency for limit in in_base.limits] == ["EUR", "EUR"]
    left = [(limit.current, limit.max, limit.headroom) for limit in exposure.limits]
    assert left == [(limit.current, limit.max, limit.headroom) for limit in in_base.limits]
    time, in_assets = one.received_time, frozenset({"hercle"})
    assert View(state, in_assets).shares(time) == View(state).shares(time)


def test_what_an_account_does_not_tell_is_unknown_of_its_user() -> None:
    first = snapshot(1, 1, 1, user="u", assets={"BTC": "1"}, unknown=("BTC", "SOL"))
    second = snapshot(1, 1, 2, user="u", account="b", assets={"ETH": "2"}, unknown=("ADA",))
    balances, exposure = views(first, second)
    assert balances.unknown == exposure.unknown == ("ADA", "BTC", "SOL")
    assert list(balances.totals) == list(exposure.assets) == ["BTC", "ETH"]
    for topic, document in (("balances.latest.v1", balances), ("exposure.user.v1", exposure)):
        assert_valid(topic, encode(document))
    gone = snapshot(1, 2, 3, user="u", account="b", deleted=True, unknown=("ADA",))
    balances, _ = views(first, second, gone)
    assert balances.unknown == ("BTC", "SOL")


def test_documents_of_what_is_known_say_nothing_of_the_unknown() -> None:
    for document in views(of_the_contract("sfox")):
        assert b"unknown" not in encode(document)


def test_limits_stand_by_venue_and_account_each_accounts_total_first() -> None:
    held = {"ETH": balance("1", exposure=("1", "2")), "BTC": balance("1", exposure=("1", "2"))}
    _, exposure = views(
        snapshot(1, 1, 1, venue="hercle", account="b", user="u", assets=held),
        snapshot(
            1,
            1,
            2,
            venue="hercle",
            account="a",
            user="u",
            assets=held,
            exposure=("EUR", "1", "2"),
        ),
    )
    assert [(limit.account, limit.asset) for limit in exposure.limits] == [
        ("a", None),
        ("a", "ETH"),
        ("a", "BTC"),
        ("b", "ETH"),
        ("b", "BTC"),
    ]


def test_totals_are_sums_over_accounts_and_venues() -> None:
    balances, exposure = views(
        snapshot(1, 1, 1, user="u", assets={"BTC": balance("1.10", "1", "0.10"), "ETH": "5"}),
        snapshot(1, 1, 2, user="u", account="b", assets={"BTC": balance("2", "1", "1")}),
        snapshot(1, 1, 3, user="u", venue="hercle", assets={"BTC": balance("-0.001", "-0", "0")}),
    )
    assert balances.totals == {
        "BTC": Balance("3.099", "2", "1.10"),
        "ETH": Balance("5", "5", "0"),
    }
    assert exposure.assets["BTC"] == UserAsset(
        "3.099", "2", "1.10", {"hercle": "-0.001", "sfox": "3.10"}
    )
    assert list(exposure.assets["BTC"].by_venue) == ["hercle", "sfox"]


@given(logs())
@PROPERTY
def test_views_are_exact_sums_over_the_accounts_that_are_not_deleted(
    log: list[BalanceSnapshot],
) -> None:
    """And they are what their JSON Schemas say."""
    for folded in fold_all(log):
        state = folded.state
        balances, exposure = user_balances(state), user_exposure(state)
        live = [one for one in state.accounts.values() if not one.deleted]
        if not live:
            assert balances is exposure is None
            continue
        assert balances is not None
        assert exposure is not None
        assert balances.accounts == live
        assert balances.version == exposure.version == state.version
        totals: dict[str, list[str]] = defaultdict(list)
        for one in live:
            for asset, held in one.assets.items():
                totals[asset].append(held.total)
        assert list(balances.totals) == list(exposure.assets) == sorted(totals)
        for asset, parts in totals.items():
            total = balances.totals[asset].total
            assert Fraction(total) == sum(map(Fraction, parts))
            assert total == exposure.assets[asset].total
            assert total == sum_text([*exposure.assets[asset].by_venue.values()])
        assert_valid("balances.latest.v1", encode(balances))
        assert_valid("exposure.user.v1", encode(exposure))
