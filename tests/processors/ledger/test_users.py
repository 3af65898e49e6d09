"""The users' fold: which snapshot wins, what is a repetition, and what a version counts."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ledger.users import CHANGES, UserState, Verdict, fold
from processors.ledger.views import contributions, user_balances, user_exposure
from schemas.codec import decode, encode
from schemas.documents import BalanceSnapshot
from tests.processors.ledger.snapshots import (
    balance,
    content,
    deliveries,
    fold_all,
    last,
    logs,
    order,
    snapshot,
)
from tests.schemas.strategies import MANY, PROPERTY

ONE = {"BTC": "1"}
TWO = {"BTC": "2"}
STORED = snapshot(5, 5, 5, assets=ONE)

# -- which snapshot wins


@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        pytest.param(snapshot(6, 0, 1, assets=TWO), Verdict.ACCEPTED, id="a greater epoch"),
        pytest.param(snapshot(5, 6, 1, assets=TWO), Verdict.ACCEPTED, id="a greater sequence"),
        pytest.param(snapshot(5, 5, 6, assets=TWO), Verdict.REVISED, id="a greater receipt"),
        pytest.param(snapshot(4, 9, 9, assets=TWO), Verdict.STALE, id="a lower epoch"),
        pytest.param(snapshot(5, 4, 9, assets=TWO), Verdict.STALE, id="a lower sequence"),
        pytest.param(snapshot(5, 5, 4, assets=TWO), Verdict.STALE, id="a lower receipt"),
        pytest.param(snapshot(5, 5, 6, assets=ONE), Verdict.DUPLICATE, id="equal content"),
        pytest.param(snapshot(5, 6, 6, assets=ONE), Verdict.ACCEPTED, id="equal content, later"),
        pytest.param(snapshot(5, 4, 6, assets=ONE), Verdict.STALE, id="equal content, earlier"),
        pytest.param(
            snapshot(5, 5, 6, assets={"BTC": "1.0"}), Verdict.REVISED, id="other digits only"
        ),
        pytest.param(snapshot(5, 5, 6, assets=ONE, deleted=True), Verdict.REVISED, id="deleted"),
        pytest.param(
            snapshot(5, 5, 6, assets=ONE, exposure=("EUR", None, None)),
            Verdict.REVISED,
            id="another exposure",
        ),
        pytest.param(STORED, Verdict.REDELIVERED, id="the very record"),
    ],
)
def test_order_is_epoch_then_sequence_then_receipt(
    later: BalanceSnapshot, verdict: Verdict
) -> None:
    before = fold(None, STORED).state
    folded = fold(before, later)
    assert folded.verdict == verdict
    stored = folded.state.accounts["sfox:a"]
    assert stored == (later if verdict in CHANGES else STORED)
    assert folded.state.version == (2 if verdict in CHANGES else 1)
    if verdict not in CHANGES:
        assert told(folded.state) == told(before)


def test_accounts_are_judged_apart() -> None:
    old = snapshot(1, 1, 1, account="b", user="u", assets=TWO)
    state = last([snapshot(9, 9, 9, user="u", assets=ONE), old]).state
    assert [content(one) for one in state.live] == [
        content(snapshot(1, 1, 1, assets=ONE)),
        content(old),
    ]


@st.composite
def unordered(draw: st.DrawFn) -> list[BalanceSnapshot]:
    """A log in which no account has two snapshots of one epoch and sequence, in any order."""
    log = {(one.venue, one.account, one.epoch, one.sequence): one for one in draw(logs())}
    once = draw(st.permutations(list(log.values())))
    return once + draw(st.lists(st.sampled_from(once), max_size=10))


def winners(log: list[BalanceSnapshot]) -> dict[str, BalanceSnapshot]:
    """Of each account, the snapshot of the greatest order."""
    found: dict[str, BalanceSnapshot] = {}
    for one in log:
        key = f"{one.venue}:{one.account}"
        if key not in found or order(one) > order(found[key]):
            found[key] = one
    return found


@given(unordered())
@MANY
def test_whatever_the_order_and_repetition_the_greatest_order_of_each_account_wins(
    delivered: list[BalanceSnapshot],
) -> None:
    """Over any permutation, with anything repeated any number of times."""
    assert last(delivered).state.accounts == winners(delivered)


@given(st.data())
@MANY
def test_a_log_delivered_at_least_once_ends_as_if_delivered_once(data: st.DataObject) -> None:
    """Whatever equal sequences it holds: the content of the greatest order of each account."""
    log = data.draw(logs())
    once, again = last(log).state, last(data.draw(deliveries(log))).state
    expected = {key: content(one) for key, one in winners(log).items()}
    assert {key: content(one) for key, one in once.accounts.items()} == expected
    assert {key: content(one) for key, one in again.accounts.items()} == expected


@given(logs())
@PROPERTY
def test_the_same_log_gives_the_same_row_to_the_last_byte(log: list[BalanceSnapshot]) -> None:
    first, second = last(log).state, last(log).state
    assert encode(first) == encode(second)
    assert decode(encode(first), UserState) == first


@given(st.data())
@PROPERTY
def test_a_row_that_was_written_and_read_again_folds_on_as_if_nothing_had_happened(
    data: st.DataObject,
) -> None:
    log = data.draw(logs())
    state: UserState | None = None
    for one, expected in zip(log, fold_all(log), strict=True):
        restored = None if state is None else decode(encode(state), UserState)
        folded = fold(restored, one)
        assert folded.verdict == expected.verdict
        assert encode(folded.state) == encode(expected.state)
        state = folded.state


# -- what a version counts


@given(st.data())
@MANY
def test_the_version_is_the_number_of_accepted_changes(data: st.DataObject) -> None:
    folds = fold_all(data.draw(deliveries(data.draw(logs()))))
    accepted = 0
    for folded in folds:
        accepted += folded.verdict in CHANGES
        assert folded.state.version == accepted
    for before, after in pairwise(folds):
        if after.verdict not in CHANGES:
            assert told(after.state) == told(before.state)
            assert after.verdict is Verdict.DUPLICATE or after.state is before.state


def told(state: UserState | None) -> UserState | None:
    """A row without what nobody is told of: that a snapshot came again."""
    return None if state is None else msgspec.structs.replace(state, confirmed={})


@given(logs())
@PROPERTY
def test_duplicates_and_stale_ones_change_no_table(log: list[BalanceSnapshot]) -> None:
    """Everything but the newest record of each account, read again, leaves all documents alone."""
    state = last(log).state
    newest = {one.source for one in state.accounts.values()}
    for one in log:
        if one.source not in newest:
            folded = fold(state, one)
            assert folded.verdict in {Verdict.STALE, Verdict.DUPLICATE}
            assert folded.state is state


# -- redelivery


@given(logs())
@PROPERTY
def test_a_redelivery_says_again_what_is_with_the_same_version(
    log: list[BalanceSnapshot],
) -> None:
    state = last(log).state
    for one in state.accounts.values():
        folded = fold(state, one)
        assert folded.verdict == Verdict.REDELIVERED
        assert folded.state is state
        assert folded.vanished == ()
        assert user_balances(folded.state) == user_balances(state)
        assert user_exposure(folded.state) == user_exposure(state)


def test_a_first_snapshot_that_comes_again_is_a_redelivery_even_if_it_is_of_epoch_0() -> None:
    one = snapshot(0, 0, 0, assets=ONE)
    assert [folded.verdict for folded in fold_all([one, one])] == ["accepted", "redelivered"]


@given(logs(), st.integers(1, 3), st.integers(1, 3))
@PROPERTY
def test_another_frame_in_the_same_place_is_no_redelivery(
    log: list[BalanceSnapshot], epochs: int, receipts: int
) -> None:
    """A raw topic that was deleted and made again has other frames at its offsets."""
    state = last(log).state
    for key, one in state.accounts.items():
        later = msgspec.structs.replace(
            one, epoch=one.epoch + epochs, receipt=receipts, assets={"BTC": balance("7000")}
        )
        folded = fold(state, later)
        assert folded.verdict == Verdict.ACCEPTED
        assert folded.state.accounts[key] == later
        same_epoch = msgspec.structs.replace(
            one, sequence=one.sequence + 1, receipt=one.receipt + receipts
        )
        assert fold(state, same_epoch).verdict == Verdict.ACCEPTED


# -- deletion and return


def test_a_user_without_accounts_is_a_tombstone() -> None:
    deleted = snapshot(1, 2, 2, deleted=True)
    for log in ([deleted], [snapshot(1, 1, 1, assets=ONE), deleted]):
        state = last(log).state
        assert user_balances(state) is None
        assert user_exposure(state) is None
        assert state.live == []


def test_a_deleted_account_leaves_and_the_others_stay() -> None:
    state = last(
        [
            snapshot(1, 1, 1, user="u", assets=ONE),
            snapshot(1, 1, 2, user="u", account="b", assets=TWO),
            snapshot(1, 2, 3, user="u", deleted=True, assets=ONE),
        ]
    ).state
    balances, exposure = user_balances(state), user_exposure(state)
    assert balances is not None
    assert exposure is not None
    assert [one.account for one in balances.accounts] == ["b"]
    assert balances.totals["BTC"].total == exposure.assets["BTC"].total == "2"


def test_a_late_frame_cannot_resurrect_a_deleted_account() -> None:
    late = [snapshot(1, 1, 1, assets=ONE), snapshot(1, 2, 2, assets=TWO)]
    deleted = snapshot(1, 3, 3, deleted=True)
    folds = fold_all([*late, deleted, *late, snapshot(1, 3, 2, assets=ONE)])
    assert [folded.verdict for folded in folds[3:]] == ["stale"] * 3
    assert user_balances(folds[-1].state) is None
    assert [folded.verdict for folded in fold_all([deleted, *late])[1:]] == ["stale"] * 2


def test_versions_go_on_after_a_deletion_and_a_return() -> None:
    folds = fold_all(
        [
            snapshot(1, 1, 1, assets=ONE),
            snapshot(1, 2, 2, deleted=True),
            snapshot(1, 3, 3, assets=TWO),
        ]
    )
    assert [folded.state.version for folded in folds] == [1, 2, 3]
    returned = user_balances(folds[-1].state)
    assert returned is not None
    assert (returned.version, returned.totals["BTC"].total) == (3, "2")


# -- what vanished


@pytest.mark.parametrize(
    ("before", "after", "vanished"),
    [
        ({"BTC": "1", "ETH": "2"}, {"ETH": "2"}, ("BTC",)),
        ({"BTC": "0.00", "ETH": "-0"}, {}, ()),
        ({"BTC": "-1"}, {}, ("BTC",)),
        ({"BTC": "1"}, {"BTC": "0"}, ()),
    ],
)
def test_a_held_asset_that_is_missing_is_counted(
    before: dict[str, str], after: dict[str, str], vanished: tuple[str, ...]
) -> None:
    folded = last([snapshot(1, 1, 1, assets=before), snapshot(1, 2, 2, assets=after)])
    assert folded.vanished == vanished
    assert set(folded.state.accounts["sfox:a"].assets) == set(after)


def test_what_leaves_with_its_account_did_not_vanish() -> None:
    assert last([snapshot(1, 1, 1, assets=ONE), snapshot(1, 2, 2, deleted=True)]).vanished == ()
    assert last([snapshot(1, 1, 1, assets=ONE, deleted=True), snapshot(1, 2, 2)]).vanished == ()


# -- what the row remembers


@given(logs())
@PROPERTY
def test_the_row_remembers_every_asset_and_base_that_was_ever_held(
    log: list[BalanceSnapshot],
) -> None:
    assets: set[str] = set()
    bases: set[str] = set()
    for folded, one in zip(fold_all(log), log, strict=True):
        if folded.verdict in CHANGES and not one.deleted:
            assets |= set(one.assets)
            if one.exposure is not None and one.exposure.base_currency is not None:
                bases.add(one.exposure.base_currency)
        assert folded.state.assets == sorted(assets)
        assert folded.state.bases == sorted(bases)
        # Only these can a redelivery withdraw.
        named = {share.name for share in contributions(folded)}
        assert named <= assets | bases


def test_accounts_stand_by_venue_and_account() -> None:
    places = [("sfox", "b"), ("hercle", "z"), ("sfox", "B"), ("sfox", "a"), ("hercle", "a")]
    state = last(
        [
            snapshot(1, 1, receipt, venue=venue, account=account, user="u", assets=ONE)
            for receipt, (venue, account) in enumerate(places)
        ]
    ).state
    assert [(one.venue, one.account) for one in state.live] == sorted(places)


def test_accounts_of_one_raw_record_are_redelivered_each_for_itself() -> None:
    """A list of two accounts of one user: the same source tells a repetition of each alone."""
    first = snapshot(1, 5, 1, user="u", account="a", assets=ONE, offset=7)
    second = snapshot(1, 5, 1, user="u", account="b", assets=TWO, offset=7)
    folds = fold_all([first, second, first, second])
    assert [folded.verdict for folded in folds] == [
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.REDELIVERED,
        Verdict.REDELIVERED,
    ]
    assert folds[-1].state.version == 2
    assert [one.assets for one in folds[-1].state.live] == [first.assets, second.assets]


def test_what_becomes_unknown_with_the_same_sequence_is_told() -> None:
    known, unknown = snapshot(1, 1, 1, assets=ONE), snapshot(1, 1, 2, assets=ONE, unknown=("SOL",))
    folds = fold_all([known, unknown, snapshot(1, 1, 3, assets=ONE, unknown=("SOL",))])
    assert [folded.verdict for folded in folds[1:]] == [Verdict.REVISED, Verdict.DUPLICATE]


def test_a_held_asset_that_becomes_unknown_did_not_vanish() -> None:
    after = snapshot(1, 2, 2, assets={}, unknown=tuple(ONE))
    assert last([snapshot(1, 1, 1, assets=ONE), after]).vanished == ()
