"""Snapshots of several accounts, made short, and Hypothesis strategies of whole histories."""

import json
from collections.abc import Callable, Iterable, Mapping

import msgspec
from hypothesis import strategies as st

from processors.ledger.users import Fold, UserState, fold
from schemas.documents import (
    AccountExposure,
    AssetBalance,
    BalanceSnapshot,
    Exposure,
    Source,
)
from schemas.identity import user_for
from schemas.times import rfc3339
from tests.data import contract_snapshot

Assets = dict[str, str | AssetBalance]


def balance(
    total: str,
    available: str | None = None,
    held: str = "0",
    *,
    exposure: tuple[str | None, str | None] | None = None,
) -> AssetBalance:
    """A balance; all of it is available unless it is said otherwise."""
    return AssetBalance(
        total=total,
        available=total if available is None else available,
        held=held,
        wallets={},
        exposure=None if exposure is None else Exposure(*exposure),
    )


def snapshot(
    *order: int,
    venue: str = "sfox",
    account: str = "a",
    user: str | None = None,
    assets: Assets | None = None,
    exposure: tuple[str | None, str | None, str | None] | None = None,
    deleted: bool = False,
    offset: int | None = None,
    unknown: tuple[str, ...] = (),
) -> BalanceSnapshot:
    """A snapshot of this order (epoch, sequence, receipt), of its own raw record."""
    epoch, sequence, receipt = order
    return BalanceSnapshot(
        user=user_for(venue, account) if user is None else user,
        venue=venue,
        account=account,
        epoch=epoch,
        sequence=sequence,
        receipt=receipt,
        venue_time=None,
        received_time=rfc3339(epoch * 10**12 + receipt),
        deleted=deleted,
        assets={
            name: held if isinstance(held, AssetBalance) else balance(held)
            for name, held in (assets or {}).items()
        },
        exposure=None if exposure is None else AccountExposure(*exposure),
        source=Source(
            f"raw.{venue}.balances.v1",
            0,
            epoch * 10**6 + sequence * 10**3 + receipt if offset is None else offset,
        ),
        unknown=unknown,
    )


def of_the_contract(venue: str) -> BalanceSnapshot:
    """The contract's example of a snapshot."""
    return msgspec.json.decode(json.dumps(contract_snapshot(venue)), type=BalanceSnapshot)


def reader(rows: Mapping[bytes, bytes]) -> Callable[[list[bytes]], list[bytes | None]]:
    """Reads rows of a table that is a dictionary, many at once."""
    return lambda keys: [rows.get(key) for key in keys]


def order(one: BalanceSnapshot) -> tuple[int, int, int]:
    """Which snapshot wins, per account."""
    return one.epoch, one.sequence, one.receipt


def content(one: BalanceSnapshot) -> tuple[object, ...]:
    """What a snapshot says of its account."""
    return one.deleted, one.assets, one.unknown, one.exposure


def fold_all(snapshots: Iterable[BalanceSnapshot], before: UserState | None = None) -> list[Fold]:
    """The outcome of each snapshot, one after the other."""
    folds = []
    for one in snapshots:
        folds.append(fold(before, one))
        before = folds[-1].state
    return folds


def last(snapshots: Iterable[BalanceSnapshot], before: UserState | None = None) -> Fold:
    """The outcome of the last of several snapshots."""
    return fold_all(snapshots, before)[-1]


ACCOUNTS = st.sampled_from([("sfox", "a"), ("sfox", "b"), ("hercle", "a")])
small_amounts = st.sampled_from(["0", "-0", "1", "1.10", "-1.1", "0.001", "250"])
holdings = st.dictionaries(
    st.sampled_from(["BTC", "ETH", "EUR"]),
    st.builds(balance, small_amounts, small_amounts, small_amounts),
    max_size=3,
)
plain_amounts = st.sampled_from(["0", "1", "1.10", "0.001", "250"])
plain_holdings = st.dictionaries(
    st.sampled_from(["BTC", "ETH", "EUR"]),
    st.builds(balance, plain_amounts, plain_amounts, plain_amounts),
    max_size=3,
)
unknown_assets = st.sampled_from([(), (), (), ("BTC",), ("BTC", "SOL")])
exposures = st.none() | st.tuples(
    st.sampled_from([None, "EUR", "USD"]), st.none() | small_amounts, st.none() | small_amounts
)


def _places(offset: int) -> st.SearchStrategy[int]:
    """This offset, or one that other frames have had."""
    return st.sampled_from([offset, offset, offset, offset // 2, 0])


@st.composite
def logs(draw: st.DrawFn, *, user: str = "u") -> list[BalanceSnapshot]:
    """What venues said of one user's accounts, in the order in which it was received.

    Receipts grow within an epoch. Sequences grow, stand still with other content, or fall. Now and
    then an offset comes again: the raw topic was made anew.
    """
    log = []
    epoch = receipt = 0
    for offset in range(draw(st.integers(1, 10))):
        if not epoch or draw(st.integers(0, 4)) == 0:
            epoch, receipt = epoch + 1, 0
        receipt += 1
        venue, account = draw(ACCOUNTS)
        log.append(
            snapshot(
                epoch,
                draw(st.integers(0, 4)),
                receipt,
                venue=venue,
                account=account,
                user=user,
                assets=draw(holdings),
                exposure=draw(exposures),
                deleted=draw(st.integers(0, 4)) == 0,
                offset=draw(_places(offset)),
                unknown=draw(unknown_assets),
            )
        )
    return log


@st.composite
def plain_logs(draw: st.DrawFn, *, user: str = "u") -> list[BalanceSnapshot]:
    """The same of one account that is plain, but now and then."""
    log, sequence = [], 0
    for offset in range(draw(st.integers(1, 10))):
        sequence += draw(st.sampled_from([1, 1, 1, 0, -1]))
        odd = draw(st.integers(0, 15)) == 0
        log.append(
            snapshot(
                1 + draw(st.integers(0, 9)) // 9,
                sequence,
                offset + 1,
                user=user,
                account=draw(st.sampled_from("ab")) if odd else "a",
                assets=draw(holdings if odd else plain_holdings),
                deleted=odd and draw(st.booleans()),
                offset=draw(_places(offset)),
                unknown=draw(unknown_assets) if odd else (),
            )
        )
    return log


@st.composite
def deliveries(draw: st.DrawFn, log: list[BalanceSnapshot]) -> list[BalanceSnapshot]:
    """The same log, delivered at least once: from time to time it goes on from further back."""
    delivered, at = [], 0
    while at < len(log):
        delivered.append(log[at])
        at += 1
        if len(delivered) < 40 and draw(st.integers(0, 3)) == 0:
            at -= draw(st.integers(1, at))
    return delivered
