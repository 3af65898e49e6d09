"""Alerts are a function of an account's snapshots: one for each crossing, the same once more."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.alerts.batch import AlertState, Told, check_row
from processors.alerts.judge import Standings, judge
from processors.alerts.kept import KEPT_MAX, about, kept_of
from processors.alerts.ledger import AlertLedger
from processors.alerts.rules import Mark, Rule
from processors.ledger.moves import Withdrawal
from processors.ledger.rows import RowNotRead
from processors.ledger.user_ledger import UserLedger
from schemas.codec import decode
from schemas.documents import (
    AccountExposure,
    AssetBalance,
    BalanceSnapshot,
    Exposure,
    LimitAlert,
    Source,
)
from schemas.times import rfc3339

LIMIT = Rule(
    "limit",
    "utilisation_above",
    Mark(Decimal("0.8"), Decimal("0.7")),
    Mark(Decimal(1), Decimal("0.9")),
)
LOW = Rule("low", "balance_below", Mark(Decimal(10), Decimal(12)), None, every_asset=True)
HELD = Rule("held", "held_above", None, Mark(Decimal(5), Decimal(5)), assets=frozenset(["BTC"]))
LASTING = msgspec.structs.replace(LIMIT, name="lasting", for_seconds=10)
RULES = (LIMIT, LOW, HELD, LASTING)
USER = "hercle:u"


def snap(
    used: str | None = "0",
    *,
    at: int = 0,
    number: int = 1,
    total: str | None = "20",
    held: str = "0",
    **more: object,
) -> BalanceSnapshot:
    assets = {} if total is None else {"BTC": AssetBalance(total, total, held, {}, None)}
    snapshot = BalanceSnapshot(
        user=USER,
        venue="hercle",
        account="u",
        epoch=1,
        sequence=number,
        receipt=number,
        venue_time=None,
        received_time=rfc3339(at * 1_000_000_000),
        deleted=False,
        assets=assets,
        exposure=AccountExposure("EUR", used, "100"),
        source=Source("raw.hercle.balances.v1", 0, number),
    )
    return msgspec.structs.replace(snapshot, **more)


def levels(rule: Rule, *snapshots: BalanceSnapshot) -> list[str]:
    return [alert.level for alert in judged(rule, *snapshots)]


def judged(rule: Rule, *snapshots: BalanceSnapshot) -> list[LimitAlert]:
    stands: Standings = {}
    alerts = []
    for one in snapshots:
        stands, found = judge(stands, one, (rule,))
        alerts += found
    return alerts


def test_an_alert_says_what_crossed_which_threshold() -> None:
    (alert,) = judged(LIMIT, snap("85"))
    assert (alert.level, alert.value, alert.threshold) == ("warning", "0.850000", "0.8")
    assert (alert.rule, alert.condition, alert.asset) == ("limit", "utilisation_above", None)
    assert (alert.current, alert.max, alert.base_currency) == ("85", "100", "EUR")


@pytest.mark.parametrize(
    ("used", "told"),
    [
        (("80", "81", "79", "71", "81", "70"), ["warning", "cleared"]),
        (("150", "95", "90", "70"), ["breach", "warning", "cleared"]),
        (("85", "101", "50"), ["warning", "breach", "cleared"]),
        (("101", None, "101"), ["breach"]),
    ],
)
def test_a_level_is_left_at_its_clear_mark_only(used: tuple[str, ...], told: list[str]) -> None:
    assert levels(LIMIT, *map(snap, used)) == told


def test_a_level_has_to_be_crossed_for_long_enough_by_the_frames_times() -> None:
    assert levels(LASTING, snap("85", at=0), snap("85", at=9)) == []
    assert levels(LASTING, snap("85", at=0), snap("85", at=10)) == ["warning"]
    assert levels(LASTING, snap("85", at=0), snap("75", at=5), snap("85", at=10)) == []
    # A clock that was put back makes nothing hold for longer.
    assert levels(LASTING, snap("85", at=9), snap("85", at=0), snap("85", at=18)) == []


def test_an_asset_that_goes_is_worth_nothing_and_one_that_never_was_is_no_alert() -> None:
    assert levels(LOW, snap(total=None)) == []
    assert levels(LOW, snap(total="20"), snap(total=None)) == ["warning"]
    assert levels(LOW, snap(), snap(total=None, unknown=("BTC",))) == []
    assert levels(LOW, snap(total="1"), snap(deleted=True, assets={})) == ["warning", "cleared"]


def test_what_is_held_is_judged_for_the_named_asset() -> None:
    assert levels(HELD, snap(held="5"), snap(held="5.01"), snap(held="5")) == ["breach", "cleared"]
    other = {"ETH": AssetBalance("20", "0", "20", {}, None)}
    assert levels(HELD, snap(assets=other)) == []


def test_a_limit_of_an_asset_and_its_base_currency() -> None:
    rule = msgspec.structs.replace(
        LIMIT, assets=frozenset(["BTC"]), base_currencies=frozenset(["EUR"])
    )
    btc = AssetBalance("1", "1", "0", {}, Exposure("9", "10"))
    (alert,) = judged(rule, snap("101", assets={"BTC": btc, "ETH": btc}))
    assert (alert.asset, alert.level) == ("BTC", "warning")
    assert judge({}, snap(assets={"BTC": btc}), (rule,), in_assets=frozenset(["hercle"]))[1] == []


def test_what_a_rule_that_is_gone_had_told_is_cleared() -> None:
    stands, _ = judge({}, snap("85"), (LIMIT,))
    stands, (alert,) = judge(stands, snap("85"), ())
    assert (alert.level, alert.rule, stands) == ("cleared", "limit", {})


# -- any frames

AMOUNTS = st.sampled_from(["0", "5", "69", "70", "75", "80", "81", "90", "95", "100", "101"])
FRAMES = st.lists(
    st.builds(
        snap,
        AMOUNTS | st.none(),
        at=st.integers(0, 60),
        number=st.integers(1, 12),
        total=st.none() | st.sampled_from(["0", "9", "10", "11", "12", "20"]),
        held=st.sampled_from(["0", "5", "6"]),
        deleted=st.booleans(),
    ),
    max_size=30,
)


@given(FRAMES)
def test_each_record_is_a_change_of_level(frames: list[BalanceSnapshot]) -> None:
    stands: Standings = {}
    known: dict[tuple[str, str | None], str] = {}
    for one in frames:
        stands, alerts = judge(stands, one, RULES)
        assert judge(stands, one, RULES) == (stands, [])  # again says nothing
        for alert in alerts:
            about = (alert.rule, alert.asset)
            assert known.get(about, "cleared") != alert.level
            known[about] = alert.level
        for (rule, asset), level in known.items():
            subject = "" if asset is None else f"={asset}"
            standing = stands.get(rule, {}).get(subject)
            assert (standing.level if standing else "cleared") == level


@given(st.lists(st.integers(701, 799), min_size=1))
def test_between_the_marks_nothing_is_told(values: list[int]) -> None:
    between = [snap(f"{value // 10}.{value % 10}") for value in values]
    assert levels(LIMIT, *between) == []
    assert levels(LIMIT, snap("81"), *between) == ["warning"]


def batches(frames: list[BalanceSnapshot], cuts: set[int]) -> Iterator[list[BalanceSnapshot]]:
    ends = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
    for begin, end in pairwise(ends):
        yield frames[begin:end]


class Tables:
    """A worker's tables, its folds, and what it told."""

    def __init__(self) -> None:
        self.users: dict[bytes, bytes] = {}
        self.alerts: dict[bytes, bytes] = {}
        self.told: list[Told] = []
        self._ledger, self._alerts = UserLedger(), AlertLedger(RULES)

    def kept(self) -> dict[tuple[object, ...], LimitAlert]:
        """The last word on each rule and subject, as the rows have it."""
        states = [decode(row, AlertState) for row in self.alerts.values()]
        kept = [one for state in states for one in kept_of(state.told)]
        assert [one.number for one in kept] == sorted({one.number for one in kept})
        return {one.about: one.alert for one in kept}

    def fold(self, batch: list[BalanceSnapshot]) -> None:
        changes = self._ledger.fold(batch, self.users.get)
        found = self._alerts.fold(0, batch, self.alerts.get, self.users.get)
        for change in changes.users:
            self.users[change.key] = change.row
        self.users |= changes.rows
        for key, row in found.rows.items():
            self.alerts.pop(key, None)
            if row is not None:
                self.alerts[key] = row
                check_row(key, row)
        self.told += found.told


@settings(max_examples=50)
@given(FRAMES, st.sets(st.integers(1, 29)), st.sets(st.integers(1, 29)))
def test_batches_and_records_that_come_again_change_nothing(
    frames: list[BalanceSnapshot], cuts: set[int], others: set[int]
) -> None:
    # Where a frame lies in raw is its own: the same content may come from several places.
    placed = [
        msgspec.structs.replace(one, source=Source("raw.hercle.balances.v1", 0, place))
        for place, one in enumerate(frames)
    ]
    one, other = Tables(), Tables()
    for batch in batches(placed, cuts):
        one.fold(batch)
    for batch in batches(placed, others):
        other.fold(batch)
    assert one.told == other.told
    assert one.alerts == other.alerts
    last = {about(told.alert): told.alert for told in one.told}
    kept = one.kept()
    assert kept.keys() == last.keys()
    for name, alert in kept.items():
        # Of a deleted account it may have lost its amounts, and nothing else.
        assert alert in (last[name], without_amounts(last[name]))
    assert len({told.event for told in one.told}) == len(one.told)


@settings(max_examples=50)
@given(FRAMES, st.sets(st.integers(1, 29)))
def test_what_is_read_again_is_not_told_again(
    frames: list[BalanceSnapshot], cuts: set[int]
) -> None:
    numbered = [
        msgspec.structs.replace(
            one, sequence=n, receipt=n, source=Source("raw.hercle.balances.v1", 0, n)
        )
        for n, one in enumerate(frames)
    ]
    tables = Tables()
    for batch in batches(numbered, cuts):
        tables.fold(batch)
        told = list(tables.told)
        tables.fold(batch)
        assert tables.told == told


def test_an_account_that_goes_to_another_user_is_cleared_once() -> None:
    tables = Tables()
    tables.fold([snap("85")])
    ledger, order = AlertLedger(RULES), Withdrawal("hercle", "u", USER, "ann", 1)
    found = ledger.move(0, [order, order], tables.alerts.get, tables.users.get)
    assert [(one.alert.rule, one.alert.level) for one in found.told] == [("limit", "cleared")]
    state = decode(found.rows[USER.encode()], AlertState)
    assert state.accounts == {}
    # What was told is known further on, without an amount of an account that is another's now.
    (kept,) = kept_of(state.told)
    assert (kept.number, kept.alert) == (2, found.told[0].alert)
    assert ledger.move(0, [order], found.rows.get, tables.users.get).rows == {}


def without_amounts(alert: LimitAlert) -> LimitAlert:
    return msgspec.structs.replace(alert, current=None, max=None, utilisation=None, value=None)


def test_a_deleted_accounts_row_says_no_amount_any_more() -> None:
    tables = Tables()
    tables.fold([snap("85"), snap("50", number=2, at=1)])
    (ended,) = tables.kept().values()
    assert (ended.level, ended.value) == ("cleared", "0.500000")
    gone = snap("50", number=3, at=2, deleted=True)
    tables.fold([gone])
    assert list(tables.kept().values()) == [without_amounts(ended)]
    assert len(tables.told) == 2
    rows = dict(tables.alerts)
    tables.fold([gone, msgspec.structs.replace(gone, receipt=4)])
    assert tables.alerts == rows


def test_a_frame_of_thousands_of_assets_makes_no_row_of_thousands_of_alerts() -> None:
    def held(count: int, amount: str) -> dict[str, AssetBalance]:
        return {f"A{n}": AssetBalance(amount, amount, "0", {}, None) for n in range(count)}

    tables = Tables()
    tables.fold([snap(assets=held(KEPT_MAX + 9, "20")), snap(number=2, assets=held(KEPT_MAX, "1"))])
    assert len(tables.told) == KEPT_MAX + 9
    assert list(tables.kept().values()) == [one.alert for one in tables.told[9:]]


def test_a_frame_of_an_account_that_was_given_away_is_not_judged() -> None:
    tables, order = Tables(), Withdrawal("hercle", "u", USER, "ann", 1)
    tables.fold([snap("0")])
    (change,) = UserLedger().move([order], tables.users.get).users
    tables.users[change.key] = change.row
    tables.fold([snap("85", number=2)])
    assert tables.told == []


def test_a_row_that_is_not_ours_is_named() -> None:
    with pytest.raises(RowNotRead):
        check_row(b"a", b'{"user":"b","accounts":{}}')
    with pytest.raises(RowNotRead):
        check_row(b"a", b"nonsense")
