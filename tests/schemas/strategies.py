"""Hypothesis strategies: amounts, times and every document, as odd as the contract allows."""

from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st

from schemas import documents as d
from schemas import feeds as f
from schemas.times import rfc3339

# A loaded machine is slow now and then; that is no finding.
PROPERTY = settings(deadline=None)
# The compiled and the plain way say the same: more examples than elsewhere, in both profiles.
MANY = settings(deadline=None, max_examples=max(120, settings.default.max_examples))

INTEGERS_64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(max_size=12)
FIRST_NS, LAST_NS = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1


def digits(low: int, high: int) -> st.SearchStrategy[str]:
    """Between `low` and `high` ASCII digits."""
    return st.text("0123456789", min_size=low, max_size=high)


def amounts(*, whole: int = 38, fraction: int = 38) -> st.SearchStrategy[str]:
    """Sound amounts, leading and trailing zeros and minus zero among them."""
    usual = st.builds(
        lambda sign, whole, fraction: sign + whole + ("." + fraction if fraction else ""),
        st.sampled_from(["", "", "-"]),
        digits(1, whole),
        digits(0, fraction),
    )
    return usual | st.sampled_from(["0", "-0", "0.00", "-0.00", "1.10", "1", "-3.5"])


UNKNOWN_OR_AMOUNT = st.none() | amounts()
UNKNOWN_ASSETS = st.lists(NAMES, max_size=3, unique=True).map(lambda names: tuple(sorted(names)))
QUOTIENTS = st.builds(lambda whole, places: f"{whole}.{places}", digits(1, 5), digits(6, 6))
TIMES = st.integers(FIRST_NS, LAST_NS).map(rfc3339)
VERSIONS = st.integers(1, 2**63 - 1)
VENUES = st.sampled_from(["sfox", "hercle"])

SOURCES = st.builds(d.Source, NAMES, st.integers(0, 100), st.integers(0, 2**63 - 1))
EXPOSURES = st.builds(d.Exposure, UNKNOWN_OR_AMOUNT, UNKNOWN_OR_AMOUNT)
ACCOUNT_EXPOSURES = st.builds(
    d.AccountExposure, st.none() | NAMES, UNKNOWN_OR_AMOUNT, UNKNOWN_OR_AMOUNT
)
ASSET_BALANCES = st.builds(
    d.AssetBalance,
    total=amounts(),
    available=amounts(),
    held=amounts(),
    wallets=st.dictionaries(NAMES, amounts(), max_size=3),
    exposure=st.none() | EXPOSURES,
)
SNAPSHOTS = st.builds(
    d.BalanceSnapshot,
    user=NAMES,
    venue=VENUES,
    account=NAMES,
    epoch=INTEGERS_64,
    sequence=INTEGERS_64,
    receipt=INTEGERS_64,
    venue_time=st.none() | TIMES,
    received_time=TIMES,
    deleted=st.booleans(),
    assets=st.dictionaries(NAMES, ASSET_BALANCES, max_size=3),
    exposure=st.none() | ACCOUNT_EXPOSURES,
    source=SOURCES,
    unknown=UNKNOWN_ASSETS,
)
BALANCES = st.builds(d.Balance, amounts(), amounts(), amounts())
USER_BALANCES = st.builds(
    d.UserBalances,
    user=NAMES,
    accounts=st.lists(SNAPSHOTS, max_size=2),
    totals=st.dictionaries(NAMES, BALANCES, max_size=3),
    version=VERSIONS,
    unknown=UNKNOWN_ASSETS,
)
LIMITS = st.builds(
    d.Limit,
    venue=VENUES,
    account=NAMES,
    asset=st.none() | NAMES,
    base_currency=st.none() | NAMES,
    current=UNKNOWN_OR_AMOUNT,
    max=UNKNOWN_OR_AMOUNT,
    headroom=UNKNOWN_OR_AMOUNT,
    utilisation=st.none() | QUOTIENTS,
)
USER_ASSETS = st.builds(
    d.UserAsset,
    total=amounts(),
    available=amounts(),
    held=amounts(),
    by_venue=st.dictionaries(VENUES, amounts()),
)
USER_EXPOSURES = st.builds(
    d.UserExposure,
    user=NAMES,
    assets=st.dictionaries(NAMES, USER_ASSETS, max_size=3),
    limits=st.lists(LIMITS, max_size=3),
    version=VERSIONS,
    unknown=UNKNOWN_ASSETS,
)
COUNTS = st.integers(0, 2**40)
VENUE_HOLDINGS = st.builds(d.VenueHolding, amounts(), amounts(), amounts(), COUNTS)
ASSET_EXPOSURES = st.builds(
    d.AssetExposure,
    asset=NAMES,
    total=amounts(),
    available=amounts(),
    held=amounts(),
    users=COUNTS,
    by_venue=st.dictionaries(VENUES, VENUE_HOLDINGS),
    version=VERSIONS,
)
BASE_EXPOSURES = st.builds(
    d.BaseExposure,
    base_currency=NAMES,
    current=UNKNOWN_OR_AMOUNT,
    max=UNKNOWN_OR_AMOUNT,
    headroom=UNKNOWN_OR_AMOUNT,
    utilisation=st.none() | QUOTIENTS,
    accounts=COUNTS,
    version=VERSIONS,
)
LIMIT_ALERTS = st.builds(
    d.LimitAlert,
    user=NAMES,
    venue=VENUES,
    account=NAMES,
    asset=st.none() | NAMES,
    base_currency=st.none() | NAMES,
    level=st.sampled_from(["warning", "breach", "cleared"]),
    current=UNKNOWN_OR_AMOUNT,
    max=UNKNOWN_OR_AMOUNT,
    utilisation=st.none() | QUOTIENTS,
    time=TIMES,
    rule=NAMES,
    condition=st.none() | st.sampled_from(get_args(d.Condition)),
    value=UNKNOWN_OR_AMOUNT,
    threshold=UNKNOWN_OR_AMOUNT,
    source=st.none() | SOURCES,
)

DOUBTS = st.builds(f.Doubt, cause=st.sampled_from(get_args(f.Cause)), reason=NAMES, since=TIMES)
CONFIRMED_FROM = st.builds(f.ConfirmedFrom, receipt=COUNTS, doubt=DOUBTS)
FEED_STATUSES = st.builds(
    f.FeedStatus,
    venue=VENUES,
    connection=NAMES,
    state=st.sampled_from(["connected", "disconnected", "refused"]),
    epoch=st.none() | INTEGERS_64,
    last_heard=st.none() | TIMES,
    last_frame=st.none() | TIMES,
    frames=COUNTS,
    gaps=COUNTS,
    reconnects=COUNTS,
    time=TIMES,
    since=st.none() | TIMES,
    doubt=st.none() | DOUBTS,
    confirmed_from=st.none() | CONFIRMED_FROM,
    accounts=st.none() | st.lists(NAMES, max_size=3),
    last_confirmed=st.none() | TIMES,
    instance=NAMES,
)
UNCONFIRMED_ACCOUNTS = st.builds(
    f.UnconfirmedAccount,
    user=NAMES,
    venue=VENUES,
    account=NAMES,
    doubt=DOUBTS,
    epoch=INTEGERS_64,
    receipt=INTEGERS_64,
    source=SOURCES,
)

DOCUMENTS = {
    d.Source: SOURCES,
    d.Exposure: EXPOSURES,
    d.AccountExposure: ACCOUNT_EXPOSURES,
    d.AssetBalance: ASSET_BALANCES,
    d.BalanceSnapshot: SNAPSHOTS,
    d.Balance: BALANCES,
    d.UserBalances: USER_BALANCES,
    d.UserAsset: USER_ASSETS,
    d.Limit: LIMITS,
    d.UserExposure: USER_EXPOSURES,
    d.VenueHolding: VENUE_HOLDINGS,
    d.AssetExposure: ASSET_EXPOSURES,
    d.BaseExposure: BASE_EXPOSURES,
    d.LimitAlert: LIMIT_ALERTS,
    f.Doubt: DOUBTS,
    f.ConfirmedFrom: CONFIRMED_FROM,
    f.FeedStatus: FEED_STATUSES,
    f.UnconfirmedAccount: UNCONFIRMED_ACCOUNTS,
}
