"""Snapshots that need no judging are those of which judging would say nothing."""

from decimal import Decimal
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from processors.alerts import ledger as of_ledger
from processors.alerts.batch import AlertChanges
from processors.alerts.ledger import AlertLedger
from processors.alerts.rules import Condition, Mark, Rule
from processors.ledger.moves import Adoption, Order, Withdrawal
from processors.ledger.user_ledger import UserLedger
from schemas.codec import encode
from schemas.documents import BalanceSnapshot
from tests.processors.ledger.snapshots import balance, logs, plain_logs, snapshot
from tests.schemas.strategies import MANY

LOW = Rule("low", "balance_below", Mark(Decimal(10), Decimal(12)), None, every_asset=True)
HELD = Rule("held", "held_above", None, Mark(Decimal(5), Decimal(3)), assets=frozenset(["BTC"]))


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Rules about amounts such as the logs have, and about limits, which plain accounts lack."""
    found = []
    conditions: tuple[Condition, ...] = ("balance_below", "held_above", "utilisation_above")
    for number in range(draw(st.integers(1, 3))):
        condition = draw(st.sampled_from(conditions))
        sign = -1 if condition == "balance_below" else 1
        at = Decimal(draw(st.integers(-2, 3)))
        back = draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]))
        warning, breach = (Mark(one, one - sign * back) for one in (at, at + sign))
        which = draw(st.sampled_from(["warning", "breach", "both"]))
        found.append(
            Rule(
                f"rule-{number}",
                condition,
                None if which == "breach" else warning,
                None if which == "warning" else breach,
                for_seconds=draw(st.sampled_from([0, 0, 1])),
                every_asset=draw(st.booleans()),
                assets=frozenset(["BTC"]) if draw(st.booleans()) else None,
            )
        )
    return tuple(found)


class Tables:
    """Users and alerts of one partition."""

    def __init__(self, by: tuple[Rule, ...]) -> None:
        self.alerts: dict[bytes, bytes] = {}
        self.users: dict[bytes, bytes] = {}
        self.ledger, self._users = AlertLedger(by), UserLedger()

    def fold(self, *snapshots: BalanceSnapshot) -> AlertChanges:
        told = [compiled.read(encode(one)) or one for one in snapshots]
        found = self.ledger.fold(0, told, self.alerts.get, self.users.get)
        changes = self._users.fold(told, self.users.get)
        self.users |= {change.key: change.row for change in changes.users} | changes.rows
        self._keep(found)
        return found

    def move(self, order: Order) -> AlertChanges:
        found = self.ledger.move(0, [order], self.alerts.get, self.users.get)
        changes = self._users.move([order], self.users.get)
        self.users |= {change.key: change.row for change in changes.users} | changes.rows
        self._keep(found)
        return found

    def _keep(self, found: AlertChanges) -> None:
        for key, row in found.rows.items():
            self.alerts.pop(key, None)
            if row is not None:
                self.alerts[key] = row


HISTORIES = st.lists(
    st.one_of(plain_logs(user="u"), plain_logs(user="u"), logs(user="u"), st.just(None)),
    min_size=1,
    max_size=5,
)


@MANY
@given(by=rules(), history=HISTORIES, data=st.data())
def test_with_guards_and_without_the_same_is_told(
    by: tuple[Rule, ...], history: list[list[BalanceSnapshot] | None], data: st.DataObject
) -> None:
    """Over batches, late and repeated frames, deletions, other accounts and moves."""
    guarded, judged = Tables(by), Tables(by)
    for number, log in enumerate(history, 1):
        if log is None:
            order = Withdrawal("sfox", "a", "u", data.draw(st.sampled_from(["ann", "u"])), number)
            assert guarded.move(order) == judged.move(order)
            continue
        for start in range(0, len(log), 3):
            judged.ledger.forget(0)
            some = log[start : start + 3]
            with patch.object(of_ledger, "GUARDS_MAX", 0):
                wanted = judged.fold(*some)
            assert guarded.fold(*some) == wanted


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
@MANY
@given(*[st.from_regex(r"(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?", fullmatch=True)] * 2, st.data())
def test_amounts_are_compared_as_numbers(one: str, mark: str, data: st.DataObject) -> None:
    mark = data.draw(st.sampled_from([mark, one, one + "0" * ("." in one), one.rstrip("0") or "0"]))
    mark = mark.rstrip(".")
    told = compiled.read(encode(amounts(1, one, "3")))
    assert told is not None
    for side, with_mark in ((1, False), (1, True), (-1, False), (-1, True)):
        over = (Decimal(one) - Decimal(mark)) * side
        guard = compiled.Guard(told, [(0, False, side, with_mark, mark.encode())])
        assert guard.holds(told) == (over < 0 or (over == 0 and not with_mark))


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_a_guard_is_of_one_account_and_of_its_assets() -> None:
    told = compiled.read(encode(amounts(1, "1")))
    assert told is not None
    guard = compiled.Guard(told, [])
    other = snapshot(1, 2, 2, user="u", account="b", assets={"BTC": "1"})
    more = snapshot(1, 2, 2, user="u", assets={"BTC": "1", "ETH": "1"})
    elsewhere = snapshot(1, 2, 2, user="u", venue="hercle", assets={"BTC": "1"})
    for one, holds in ((amounts(2, "7"), True), (other, False), (more, False), (elsewhere, False)):
        read = compiled.read(encode(one))
        assert read is not None
        assert guard.holds(read) == holds
    with pytest.raises(ValueError, match="no such asset"):
        compiled.Guard(told, [(1, False, 1, False, b"1")])


def amounts(number: int, total: str, held: str = "0") -> BalanceSnapshot:
    return snapshot(1, number, number, user="u", assets={"BTC": balance(total, held=held)})


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_what_crosses_nothing_is_not_judged() -> None:
    tables = Tables((LOW, HELD))
    tables.fold(amounts(1, "20"))
    with patch.object(of_ledger, "judge", side_effect=AssertionError):
        for number, total, held in ((2, "10", "5"), (3, "1000", "0"), (4, "10.00", "0.1")):
            assert tables.fold(amounts(number, total, held)) == AlertChanges()
        for total, held in (("9.999", "0"), ("10", "5.01")):
            with pytest.raises(AssertionError):
                tables.fold(amounts(5, total, held))
    # What is crossed is left at the mark itself.
    told = tables.fold(amounts(6, "9", "6")).told
    assert [one.alert.level for one in told] == ["warning", "breach"]
    with patch.object(of_ledger, "judge", side_effect=AssertionError):
        assert tables.fold(amounts(7, "11.99", "3.01")) == AlertChanges()
        for total, held in (("12", "4"), ("11", "3")):
            with pytest.raises(AssertionError):
                tables.fold(amounts(8, total, held))


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_a_late_frame_behind_one_that_was_passed_by_does_not_count() -> None:
    tables = Tables((LOW,))
    tables.fold(amounts(1, "20"))
    assert tables.fold(amounts(5, "30"), amounts(4, "1")) == AlertChanges()


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_rows_that_may_be_others_are_judged_anew() -> None:
    tables = Tables((LOW,))
    tables.fold(amounts(1, "20"))
    tables.ledger.forget(0)
    with (
        patch.object(of_ledger, "judge", side_effect=AssertionError),
        pytest.raises(AssertionError),
    ):
        tables.fold(amounts(2, "20"))


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_time_alone_may_change_something() -> None:
    tables = Tables((msgspec.structs.replace(LOW, for_seconds=10),))
    frames = (("20", 0), ("1", 5), ("20", 6), ("1", 14), ("1", 16), ("1", 24))
    for number, (total, seconds) in enumerate(frames, 1):
        time = f"2026-11-30T00:00:{seconds:02}.000000000Z"
        one = msgspec.structs.replace(amounts(number, total), received_time=time)
        # Whatever lies between begins it anew.
        assert len(tables.fold(one).told) == (seconds == 24)


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")
def test_an_account_that_comes_back_is_told_of_again() -> None:
    tables = Tables((LOW,))
    assert len(tables.fold(amounts(1, "9")).told) == 1
    assert [
        one.alert.level for one in tables.move(Withdrawal("sfox", "a", "u", "ann", 1)).told
    ] == ["cleared"]
    tables.move(Adoption("sfox", "a", "u", 2, amounts(1, "9")))
    assert [one.alert.level for one in tables.fold(amounts(2, "9")).told] == ["warning"]
