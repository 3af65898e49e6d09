"""Sums over all users: exact, and the same whatever came and went before."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ledger.contributions import AssetContribution, BaseContribution
from processors.ledger.sums import AssetSum, BaseSum, Tally, new_sum
from schemas.amounts import headroom, is_zero, sum_text, utilisation
from schemas.codec import encode
from schemas.documents import AssetExposure, Balance, BaseExposure, VenueHolding
from tests.processors.ledger.snapshots import small_amounts
from tests.schemas.strategies import MANY, PROPERTY, amounts
from tests.schemas.test_amounts import scaled
from tests.schemas.validation import assert_valid

some_amounts = small_amounts | amounts()
users = st.sampled_from(["u", "v", "w"])
venue_balances = st.dictionaries(
    st.sampled_from(["sfox", "hercle"]),
    st.builds(Balance, some_amounts, some_amounts, some_amounts),
)


def asset_share(user: str, venues: dict[str, Balance], asset: str = "BTC") -> AssetContribution:
    return AssetContribution(asset=asset, user=user, version=1, time="", venues=venues)


def base_share(user: str, *totals: tuple[str | None, str | None]) -> BaseContribution:
    return BaseContribution(
        base_currency="EUR",
        user=user,
        version=1,
        time="",
        current=[current for current, _ in totals],
        max=[maximum for _, maximum in totals],
    )


def holding(*totals: str) -> Balance:
    return Balance(*(totals * 3)[:3])


def fresh_asset(rows: dict[str, AssetContribution]) -> AssetExposure:
    """The sum of the present rows, added up by another way."""
    venues: dict[str, list[Balance]] = {}
    for row in rows.values():
        for venue, balance in row.venues.items():
            venues.setdefault(venue, []).append(balance)
    everything = [balance for balances in venues.values() for balance in balances]

    def text(balances: list[Balance], what: Callable[[Balance], str]) -> str:
        return sum_text(list(map(what, balances)))

    def parts(balances: list[Balance]) -> tuple[str, str, str]:
        return (
            text(balances, lambda balance: balance.total),
            text(balances, lambda balance: balance.available),
            text(balances, lambda balance: balance.held),
        )

    total, available, held = parts(everything)
    return AssetExposure(
        asset="BTC",
        total=total,
        available=available,
        held=held,
        users=sum(
            sum(scaled(balance.total) for balance in row.venues.values()) != 0
            for row in rows.values()
        ),
        by_venue={
            venue: VenueHolding(
                *parts(balances), users=sum(not is_zero(balance.total) for balance in balances)
            )
            for venue, balances in sorted(venues.items())
        },
        version=7,
    )


def fresh_base(rows: dict[str, BaseContribution]) -> BaseExposure:
    """The same for a base currency."""
    current = [amount for row in rows.values() for amount in row.current]
    maximum = [amount for row in rows.values() for amount in row.max]
    current_text = None if None in current else sum_text(current)
    max_text = None if None in maximum else sum_text(maximum)
    return BaseExposure(
        base_currency="EUR",
        current=current_text,
        max=max_text,
        headroom=headroom(current_text, max_text),
        utilisation=utilisation(current_text, max_text),
        accounts=len(current),
        version=7,
    )


def texts(document: AssetExposure) -> list[str]:
    """Every amount of a document."""
    found = [document.total, document.available, document.held]
    for part in document.by_venue.values():
        found += [part.total, part.available, part.held]
    return found


@given(st.lists(st.tuples(users, venue_balances), max_size=12))
@MANY
def test_an_assets_sum_is_that_of_the_present_rows_to_the_last_digit(
    steps: list[tuple[str, dict[str, Balance]]],
) -> None:
    """After each exchange: numbers, digits, users, venues; and no minus zero."""
    summed, rows = AssetSum("BTC"), {}
    for user, venues in steps:
        share = asset_share(user, venues)
        summed.exchange(rows.get(user), share)
        rows[user] = share
        document = summed.document(7)
        assert encode(document) == encode(fresh_asset(rows))
        for text in texts(document):
            assert not (text.startswith("-") and is_zero(text))
        assert_valid("exposure.asset.v1", encode(document))


totals_of_accounts = st.lists(
    st.tuples(st.none() | some_amounts, st.none() | some_amounts)
    | st.tuples(small_amounts, small_amounts),
    max_size=3,
)


@given(st.lists(st.tuples(users, totals_of_accounts), max_size=12))
@MANY
def test_a_bases_sum_is_that_of_the_present_rows_to_the_last_digit(
    steps: list[tuple[str, list[tuple[str | None, str | None]]]],
) -> None:
    """After each exchange, an unknown part among them or not."""
    summed, rows = BaseSum("EUR"), {}
    for user, totals in steps:
        share = base_share(user, *totals)
        summed.exchange(rows.get(user), share)
        rows[user] = share
        document = summed.document(7)
        assert encode(document) == encode(fresh_base(rows))
        assert_valid("exposure.base.v1", encode(document))


@given(st.lists(amounts(), max_size=12), st.data())
@PROPERTY
def test_a_tally_forgets_what_was_taken_away(values: list[str], data: st.DataObject) -> None:
    tally = Tally()
    for value in values:
        tally.add(value)
    kept = list(values)
    for value in data.draw(
        st.lists(st.sampled_from(values), unique=True) if values else st.just([])
    ):
        tally.remove(value)
        kept.remove(value)
    assert tally.text == sum_text(kept)


@given(st.lists(amounts(), min_size=1, max_size=8), st.lists(amounts(), min_size=1, max_size=8))
@PROPERTY
def test_an_exchange_is_a_removal_and_an_addition(old: list[str], new: list[str]) -> None:
    tally = Tally()
    for amount in old:
        tally.add(amount)
    kept = list(old)
    for place, amount in enumerate(new[: len(old)]):
        tally.exchange(kept[place], amount)
        kept[place] = amount
        assert tally.text == sum_text(kept)


def test_digits_that_went_leave_no_trace() -> None:
    summed = AssetSum("BTC")
    one, fine = (
        asset_share("u", {"sfox": holding("1")}),
        asset_share("v", {"sfox": holding("1.10")}),
    )
    summed.exchange(None, one)
    summed.exchange(None, fine)
    assert summed.document(1).total == "2.10"
    summed.exchange(fine, asset_share("v", {}))
    assert summed.document(1).total == summed.document(1).by_venue["sfox"].total == "1"


@pytest.mark.parametrize("zero", ["-0", "-0.00", "0.00"])
def test_a_sum_is_never_minus_zero(zero: str) -> None:
    summed = AssetSum("BTC")
    shares = [asset_share("u", {"sfox": holding(amount)}) for amount in (zero, "1.5", zero)]
    for old, new in zip([None, *shares], shares, strict=False):
        summed.exchange(old, new)
    assert summed.document(1).total == zero.removeprefix("-")
    tally = Tally()
    tally.add("-1")
    tally.remove("-1")
    tally.add("-0")
    assert tally.text == "0"


def test_an_asset_that_nobody_holds_stays_with_zeros() -> None:
    summed = AssetSum("BTC")
    share = asset_share("u", {"sfox": holding("1.50"), "hercle": holding("2")})
    summed.exchange(None, share)
    summed.exchange(share, asset_share("u", {}))
    assert summed.document(9) == AssetExposure("BTC", "0", "0", "0", 0, {}, 9)


def test_users_are_those_whose_total_is_not_zero() -> None:
    summed = AssetSum("BTC")
    for user, venues in {
        "short": {"sfox": holding("-1")},
        "nothing": {"sfox": holding("0.00")},
        "cancelled": {"sfox": holding("1"), "hercle": holding("-1.0")},
        "held": {"hercle": holding("0.001")},
        "gone": {},
    }.items():
        summed.exchange(None, asset_share(user, venues))
    document = summed.document(1)
    assert document.users == 2
    assert {venue: part.users for venue, part in document.by_venue.items()} == {
        "hercle": 2,
        "sfox": 2,
    }


def test_an_unknown_part_makes_a_bases_sum_unknown_until_it_is_known() -> None:
    summed = BaseSum("EUR")
    known, unknown = base_share("u", ("1430", "1500")), base_share("v", ("70", None))
    summed.exchange(None, known)
    summed.exchange(None, unknown)
    document = summed.document(1)
    assert (document.current, document.max) == ("1500", None)
    assert (document.headroom, document.utilisation, document.accounts) == (None, None, 2)
    summed.exchange(unknown, base_share("v", ("70", "1500")))
    document = summed.document(2)
    assert (document.current, document.max, document.headroom) == ("1500", "3000", "1500")
    assert (document.utilisation, document.accounts) == ("0.500000", 2)


def test_a_base_that_no_account_has_stays_with_zeros() -> None:
    summed = BaseSum("EUR")
    share = base_share("u", ("1430.5", None))
    summed.exchange(None, share)
    summed.exchange(share, base_share("u"))
    assert summed.document(3) == BaseExposure("EUR", "0", "0", "0", None, 0, 3)


def test_a_sum_is_of_the_kind_of_its_contribution() -> None:
    assert isinstance(new_sum(asset_share("u", {})), AssetSum)
    assert isinstance(new_sum(base_share("u")), BaseSum)
