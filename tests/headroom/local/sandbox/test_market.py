"""The simulated users: what must hold whatever they do, and that a seed fixes all of it."""

import json
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.local.sandbox.config import account_ids
from headroom.local.sandbox.exposures import Exposures
from headroom.local.sandbox.holdings import Asset, Holding
from headroom.local.sandbox.market import HERCLE_ASSETS, SFOX_ASSETS, Market
from headroom.local.sandbox.moves import borrow, stake, trade, worth
from headroom.local.sandbox.sfox_session import SfoxSession

SEEDS = st.integers(min_value=0, max_value=2**32)


def sfox_market(seed, users=8):
    return Market(account_ids(users), Random(seed), kinds=SFOX_ASSETS, margin=True)


def updates(account):
    _, frame = SfoxSession("key").frame(account, 0)
    return json.loads(frame)["payload"]["updates"]


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_amounts_of_a_frame_add_up_after_any_changes(seed):
    """Balance is the sum of the wallets, and every part of it is somewhere and not negative."""
    market = sfox_market(seed)
    for _ in range(150):
        account = market.step()
        for update in updates(account):
            amounts = {name: Decimal(text) for name, text in update.items() if name != "currency"}
            wallets = {name: each for name, each in amounts.items() if name.endswith("_wallet")}
            assert amounts["balance"] == sum(wallets.values())
            assert min(amounts.values()) >= 0
            locked = sum(wallets[f"{name}_wallet"] for name in ("collateral", "lending", "staking"))
            assert amounts["available"] + amounts["held"] + locked == amounts["balance"]
            if not account.margin:
                assert amounts["available"] + amounts["held"] == amounts["balance"]


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_trade_creates_no_value(seed):
    """What is bought is worth what was sold, less the fee and the rounding, never more."""
    market, rng = sfox_market(seed), Random(seed)

    def value(account):
        return sum(
            worth(account.holdings[asset.code].balance, asset, market.prices)
            for asset in account.assets
        )

    for account in market.accounts:
        before = value(account)
        if trade(account, market.prices, rng):
            # The fee is a thousandth of at most 30 % of what is there; 10^6 is a cent.
            assert before - before * 3 // 10_000 - 10**6 * 3 <= value(account) <= before + 2


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_moving_between_wallets_changes_no_balance(seed):
    """Pledging, staking and lending move what is there; only the loan itself comes or goes."""
    market, rng = sfox_market(seed), Random(seed)
    for account in market.accounts:
        for move in (borrow, stake, stake, borrow, stake, borrow):
            before = {code: holding.balance for code, holding in account.holdings.items()}
            loan = account.holdings["USD"].borrow
            move(account, market.prices, rng)
            before["USD"] += account.holdings["USD"].borrow - loan
            assert {code: each.balance for code, each in account.holdings.items()} == before


@given(units=st.integers(-(10**40), 10**40), scale=st.integers(0, 18), data=st.data())
def test_text_of_units_is_exact(units, scale, data):
    """No digit is lost or invented between smallest units and text."""
    places_min = data.draw(st.integers(0, scale))
    text = Asset("X", scale=scale, places_min=places_min, price=1).text(units)
    assert "e" not in text.lower()
    sign, digits, exponent = Decimal(text).as_tuple()
    whole = int("".join(map(str, digits))) * 10 ** (scale + exponent)
    assert (-whole if sign else whole) == units
    if units:
        assert -exponent >= places_min


def test_text_of_units_is_written_as_the_venues_write_it():
    """Zero is `0`; trailing zeros go, but for those an asset always shows."""
    fine = Asset("ETH", scale=18, places_min=0, price=1)
    cents = Asset("USD", scale=2, places_min=2, price=1)
    assert fine.text(0) == cents.text(0) == "0"
    assert fine.text(1) == "0.000000000000000001"
    assert fine.text(10**18) == "1"
    assert cents.text(110) == "1.10"
    assert cents.text(-5) == "-0.05"
    assert fine.amount(15 * 10**17) == Decimal("1.5")


def test_everything_that_is_promised_happens():
    """Deposits are held and released, and margin accounts borrow, pledge, stake and lend."""
    market = sfox_market(3)
    seen, released, last = set(), False, {}
    for _ in range(4_000):
        account = market.step()
        for code, holding in account.holdings.items():
            seen |= {name for name in Holding.__struct_fields__ if getattr(holding, name)}
            before = last.get((account.user_id, code), 0)
            released = released or holding.held < before
            last[account.user_id, code] = holding.held
    assert seen == {"trading", "collateral", "borrow", "lending", "staking", "held"}
    assert released


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    """Accounts, their order and every amount come from the seed alone."""

    def run(seed):
        market = sfox_market(seed)
        return [
            (account.user_id, updates(account)) for account in (market.step() for _ in range(200))
        ]

    assert run(7) == run(7)
    assert run(7) != run(8)


@given(seed=SEEDS, users=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_a_pass_visits_every_account_once(seed, users):
    """Whenever a pass begins, every account comes once before any comes again."""
    market = sfox_market(seed, users)
    for _ in range(3):
        market.step()
    market.begin_pass()
    visited = [market.step().user_id for _ in range(users)]
    assert sorted(visited) == sorted(account_ids(users))


def test_ids_are_plain_and_from_twenty_on_a_few_are_odd():
    """Most accounts are `user-0001` and on; a space, a slash and an emoji are sound too."""
    assert account_ids(2) == ["user-0001", "user-0002"]
    names = account_ids(20)
    assert len(set(names)) == 20
    assert {" ", "/", "🙂"} <= set("".join(names))
    assert not {" ", "/", "🙂"} & set("".join(account_ids(19)))


@pytest.mark.parametrize("seed", [1, 5, 12])
def test_limits_are_those_of_an_ordinary_day(seed):
    """Most totals stay between a tenth and 80 % of the limit, a few are near, one crosses it."""
    rng = Random(seed)
    market = Market(account_ids(20), rng, kinds=HERCLE_ASSETS, margin=False)
    exposures = [Exposures(account, market, rng) for account in market.accounts]
    shares = {index: [] for index, each in enumerate(exposures) if each.limited}
    of_assets = []
    for _ in range(6_000):
        each = exposures[(account := market.step()).index]
        each.move()
        if each.limited:
            shares[account.index].append(Decimal(each.current_total) / each.max_total)
            of_assets += [
                Decimal(each.current_by_asset[code]) / limit
                for code, limit in each.max_by_asset.items()
            ]
    tenth, near = Decimal("0.1"), Decimal("0.8")
    ordinary = [one for one in shares.values() if tenth <= min(one) and max(one) <= near]
    reached = [one for one in shares.values() if max(one) >= 1]
    assert len(shares) == 18
    assert len(ordinary) == 14
    assert sum(near < max(one) < 1 for one in shares.values()) == 3
    assert len(reached) == 1
    crossings = sum((one < 1) != (after < 1) for one, after in pairwise(reached[0]))
    assert crossings >= 2
    assert sum(one >= 1 for one in reached[0]) < len(reached[0]) // 2
    assert max(of_assets) < 1
    assert sum(one <= near for one in of_assets) > len(of_assets) * 95 // 100
    assert {each.base_currency for each in exposures} == {"EUR", "USD"}


def test_the_same_seed_gives_the_same_limits():
    def run(seed):
        rng = Random(seed)
        market = Market(account_ids(7), rng, kinds=HERCLE_ASSETS, margin=False)
        each = [Exposures(account, market, rng) for account in market.accounts]
        told = []
        for _ in range(300):
            one = each[market.step().index]
            one.move()
            told.append((one.current_total, one.max_total, *one.max_by_asset.values()))
        return told

    assert run(3) == run(3)
    assert run(3) != run(4)


@pytest.mark.parametrize("kinds", [SFOX_ASSETS, HERCLE_ASSETS])
def test_no_user_starts_with_nothing(kinds):
    """Every account holds some of its money at the beginning."""
    market = Market(account_ids(50), Random(1), kinds=kinds, margin=False)
    assert all(account.holdings[account.assets[-1].code].balance > 0 for account in market.accounts)
