"""Alerts of time: what workers see, how often and late they may say it, and what is told of it."""

import itertools
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.alerts.batch import AlertState, Told
from processors.alerts.ledger import AlertLedger
from processors.alerts.liveness import ORDERS_MAX, Begun, Look, Moment
from processors.alerts.rules import OF_TIME, Mark, Rule
from processors.freshness import Connections
from processors.ledger.moves import Observed, Withdrawal, read_order
from processors.ledger.user_ledger import UserLedger
from schemas.codec import decode, encode
from schemas.documents import BalanceSnapshot
from schemas.feeds import FeedStatus
from tests.processors.connections import NOW_SECONDS, connections, set_ahead, status
from tests.processors.ledger.snapshots import snapshot
from tests.schemas.strategies import MANY

S = 1_000_000_000


def mark(seconds: int) -> Mark:
    return Mark(Decimal(seconds), Decimal(seconds))


GONE = Rule("gone", OF_TIME, mark(60), mark(600))
LATE = Rule("late", OF_TIME, None, mark(5), venues=frozenset(["sfox"]))
OTHER = Rule("other", OF_TIME, mark(1), None, users=frozenset(["nobody"]))
RULES = (GONE, LATE, OTHER)


class World:
    """The two tables of one partition, and the users' agent."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.users: dict[bytes, bytes] = {}
        self.alerts: dict[bytes, bytes] = {}
        self.told: list[Told] = []
        self._ledger, self._alerting = UserLedger(), AlertLedger(rules)

    def fold(self, *snapshots: BalanceSnapshot) -> None:
        alerts = self._alerting.fold(0, snapshots, self.alerts.get, self.users.get)
        changes = self._ledger.fold(snapshots, self.users.get)
        self.users |= {change.key: change.row for change in changes.users} | changes.rows
        self._keep(alerts.rows, alerts.told)

    def follow(self, *orders: Observed | Withdrawal) -> None:
        read = [read_order(encode(one)) for one in orders]
        alerts = self._alerting.move(0, read, self.alerts.get, self.users.get)
        changes = self._ledger.move(read, self.users.get)
        self.users |= {change.key: change.row for change in changes.users} | changes.rows
        self._keep(alerts.rows, alerts.told)

    def _keep(self, rows: dict[bytes, bytes | None], told: list[Told]) -> None:
        for key, row in rows.items():
            if row is None:
                self.alerts.pop(key, None)
            else:
                self.alerts[key] = row
        self.told += told

    def levels(self, rule: str = "gone") -> list[str]:
        return [one.alert.level for one in self.told if one.alert.rule == rule]


class Worker:
    """What one worker remembers from look to look; `passed` is how long it has gone on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.begun: Begun = {}

    def look(self, at: Connections, *, passed: float = 0.0) -> list[Observed]:
        now_ns = round((NOW_SECONDS + passed) * S)
        look = Look(self.world.rules, self.begun, at, Moment(now_ns, now_ns), self.world.alerts.get)
        for row in list(self.world.alerts.values()):
            look.see_alerts(row)
        for row in list(self.world.users.values()):
            look.see_user(row)
        self.begun = look.begun_now
        return look.orders

    def work(self, at: Connections, *, passed: float = 0.0) -> None:
        self.world.follow(*self.look(at, passed=passed))


def lost(seconds: float, **more: object) -> FeedStatus:
    """A connection that was lost so many seconds ago."""
    return status(1, state="disconnected", since=NOW_SECONDS - seconds, **more)  # type: ignore[arg-type]


def plain(
    account: str = "a", receipt: int = 5, *, sequence: int = 1, deleted: bool = False
) -> BalanceSnapshot:
    return snapshot(1, sequence, receipt, account=account, deleted=deleted)


LIVE = connections(status(1))


def test_each_level_is_told_once_and_so_is_that_it_is_live_again() -> None:
    world = World(*RULES)
    world.fold(plain())
    worker = Worker(world)
    for seconds, told in ((60, []), (61, ["warning"]), (90, ["warning"]), (601, ["breach"])):
        worker.work(connections(lost(seconds)))
        assert world.levels()[-1:] == told
    assert len(world.told) == 3
    first = world.told[0]
    assert (first.alert.user, first.alert.rule, first.alert.level) == ("sfox:a", "late", "breach")
    assert (first.alert.value, first.alert.threshold) == ("60.000", "5")
    assert first.alert.source == plain().source
    worker.work(LIVE)
    assert world.levels() == ["warning", "breach", "cleared"]
    assert world.levels("late") == ["breach", "cleared"]
    last = world.told[-1].alert
    assert (last.value, last.threshold, last.condition) == (None, None, OF_TIME)
    worker.work(LIVE)
    assert len(world.told) == 5
    assert len({one.event for one in world.told}) == 5


@pytest.mark.parametrize("ahead_seconds", [-86_400.0, 0.0, 86_400.0])
def test_no_clock_that_is_wrong_makes_it_longer_or_shorter(ahead_seconds: float) -> None:
    world = World(GONE)
    world.fold(plain())
    worker = Worker(world)
    for seconds in (50, 70):
        one = set_ahead(lost(seconds, told=NOW_SECONDS - 20), ahead_seconds)
        worker.work(connections(one, ahead_seconds=ahead_seconds))
        assert world.levels() == ["warning"] * (seconds > 60)
    assert world.told[0].alert.value == "70.000"


def test_causes_that_follow_each_other_are_one_time() -> None:
    world = World(GONE)
    world.fold(plain())
    worker = Worker(world)
    worker.work(connections(lost(50)))
    assert world.told == []
    # Connected again, of which nothing has vouched yet; before that nobody knew anything.
    worker.work(connections(known=False), passed=5)
    back = status(2, since=NOW_SECONDS + 8, confirmed=NOW_SECONDS + 9, told=NOW_SECONDS)
    worker.work(connections(back), passed=11)
    assert (world.levels(), world.told[0].alert.value) == (["warning"], "61.000")


def test_where_nobody_knows_nothing_is_told_and_nothing_taken_back() -> None:
    world = World(GONE)
    world.fold(plain())
    worker = Worker(world)
    worker.work(connections(known=False))
    worker.work(connections(status(1), is_news=False), passed=1_000)
    assert world.told == []
    worker.work(connections(lost(61)))
    worker.work(connections(known=False), passed=1_000)
    assert world.levels() == ["warning"]


def test_without_any_connection_the_time_counts_from_the_first_look() -> None:
    world = World(GONE)
    world.fold(plain())
    worker = Worker(world)
    for passed, told in ((0, []), (60, []), (61, ["warning"])):
        worker.work(connections(), passed=passed)
        assert world.levels() == told


def test_another_worker_goes_on_from_what_was_told() -> None:
    world = World(GONE)
    world.fold(plain())
    Worker(world).work(connections(lost(100)))
    # The next one hears only of a later cause.
    after = Worker(world)
    after.work(connections(lost(1)), passed=400)
    assert world.levels() == ["warning"]
    after.work(connections(lost(1)), passed=501)
    assert world.levels() == ["warning", "breach"]


def test_frames_leave_alerts_of_time_as_they_are_until_the_account_is_gone() -> None:
    world = World(GONE)
    world.fold(plain())
    Worker(world).work(connections(lost(100)))
    world.fold(plain(receipt=6, sequence=2))
    assert world.levels() == ["warning"]
    world.fold(plain(receipt=7, sequence=3, deleted=True))
    assert world.levels() == ["warning", "cleared"]
    Worker(world).work(connections(lost(100)))
    assert len(world.told) == 2


def test_an_account_that_is_given_away_is_cleared_with_its_user() -> None:
    world = World(GONE)
    world.fold(plain())
    Worker(world).work(connections(lost(100)))
    late = Worker(world).look(connections(lost(601)))
    assert [order.told for order in late] == [1]
    world.follow(Withdrawal("sfox", "a", "sfox:a", "ann", 1), *late)
    assert world.levels() == ["warning", "cleared"]
    world.follow(*late)
    assert len(world.told) == 2
    # Of one of which nothing stood nothing is told after it went, not even in the same batch.
    world = World(GONE)
    world.fold(plain())
    late = Worker(world).look(connections(lost(601)))
    world.follow(Withdrawal("sfox", "a", "sfox:a", "ann", 1), *late)
    assert (world.told, world.alerts) == ([], {})


def test_what_a_worker_with_other_rules_saw_counts_for_nothing() -> None:
    seen, world = World(GONE, LATE), World(msgspec.structs.replace(GONE, breach=None))
    for one in (seen, world):
        one.fold(plain())
    world.follow(*Worker(seen).look(connections(lost(601))))
    assert world.told == []


def test_what_comes_again_or_late_counts_for_nothing() -> None:
    world = World(GONE)
    world.fold(plain())
    worker = Worker(world)
    lasting = worker.look(connections(lost(61)))
    world.follow(*lasting, *lasting)
    worker.work(LIVE)
    assert world.levels() == ["warning", "cleared"]
    world.follow(*lasting)
    assert len(world.told) == 2
    # Nor does one that says what is known, whoever made it.
    world.follow(msgspec.structs.replace(lasting[0], level="cleared", told=2))
    assert len(world.told) == 2


def test_a_rule_that_became_milder_takes_nothing_back() -> None:
    world = World(GONE)
    world.fold(plain())
    Worker(world).work(connections(lost(601)))
    world.rules = (msgspec.structs.replace(GONE, breach=mark(6_000)),)
    Worker(world).work(connections(lost(700)))
    assert world.levels() == ["breach"]


def test_two_accounts_of_a_user_are_told_of_together() -> None:
    world = World(GONE)
    one = plain()
    world.fold(one, msgspec.structs.replace(one, account="b", receipt=6))
    Worker(world).work(connections(lost(61)))
    assert sorted(told.alert.account for told in world.told) == ["a", "b"]
    (row,) = world.alerts.values()
    assert decode(row, AlertState).count == 2


def test_a_look_makes_so_many_orders_and_the_next_one_the_others() -> None:
    world = World(GONE)
    names = [f"{number:04}" for number in range(ORDERS_MAX + 10)]
    world.fold(*(plain(name) for name in names))
    worker = Worker(world)
    for wanted in (ORDERS_MAX, len(names), len(names)):
        worker.work(connections(lost(61)))
        assert len(world.told) == wanted


def test_a_row_that_is_none_of_ours_stops_no_look() -> None:
    world = World(GONE)
    world.users[b"x"] = b'{"user":"x","version":'
    world.alerts[b"x"] = b'{"user":"gone"'
    assert Worker(world).look(connections(lost(61))) == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("follow"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("lose"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("turn"), st.sampled_from([0, 30, 61, 300, 601]), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("frame"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@MANY
@given(steps=STEPS)
def test_however_orders_come_each_alert_tells_of_a_change(
    steps: list[tuple[str, int, int]],
) -> None:
    """Three workers look, orders wait, are repeated and get lost: no level is told twice running.

    And once they work in peace, what was told last is what is so.
    """
    world = World(GONE)
    world.fold(plain())
    workers, waiting = [Worker(world) for _ in range(3)], list[Observed]()
    truth, receipt = 0, 5
    for what, number, stays in steps:
        at = connections(lost(truth)) if truth else LIVE
        if what == "look":
            waiting += workers[number].look(at)
        elif what == "follow" and waiting:
            place = number % len(waiting)
            world.follow(waiting[place] if stays else waiting.pop(place))
        elif what == "lose" and waiting:
            waiting.pop(number % len(waiting))
        elif what == "turn":
            truth = number
        elif what == "restart":
            workers[number] = Worker(world)
        elif what == "frame":
            receipt += 1
            world.fold(plain(receipt=receipt, sequence=receipt))
    told = ["cleared", *world.levels()]
    assert all(one != other for one, other in itertools.pairwise(told))
    assert len({one.event for one in world.told}) == len(world.told)  # no order counted twice
    # What was seen and is told late is taken back, and what is so is told.
    world.follow(*waiting)
    last = Worker(world)
    last.work(LIVE)
    assert ["cleared", *world.levels()][-1] == "cleared"
    last.work(connections(lost(truth)) if truth else LIVE)
    wanted = "breach" if truth > 600 else "warning" if truth > 60 else "cleared"
    assert ["cleared", *world.levels()][-1] == wanted
