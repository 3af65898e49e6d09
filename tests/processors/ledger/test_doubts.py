"""Frames that could not be read: what they do to their account, whenever the row hears of them."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from processors.ledger.moves import Adoption, Withdrawal, follow, read_order
from processors.ledger.user_ledger import UserChanges, UserLedger
from processors.ledger.users import Confirmed, Unread, UserState, Verdict, fold
from schemas.codec import decode, encode
from schemas.documents import BalanceSnapshot
from schemas.feeds import Doubt
from tests.processors.ledger.doubted import OWN, unread
from tests.processors.ledger.snapshots import last, snapshot
from tests.schemas.strategies import MANY

ONE, TWO = {"BTC": "1"}, {"BTC": "2"}


class World:
    """Rows, and what others were last told of each account."""

    def __init__(self) -> None:
        self.ledger = UserLedger()
        self.rows: dict[bytes, bytes] = {}
        self.told: dict[str, Any] = {}
        self.tellings = 0

    def take(self, what: BalanceSnapshot | Unread | Withdrawal | Adoption) -> UserChanges:
        if isinstance(what, BalanceSnapshot):
            changes = self.ledger.fold([compiled.read(encode(what)) or what], self.rows.get)
        else:
            changes = self.ledger.move([read_order(encode(what))], self.rows.get)
        self.rows |= {change.key: change.row for change in changes.users} | changes.rows
        for one in changes.doubtful:
            self.told[one.key] = one
            self.tellings += 1
        return changes

    def state(self, user: str = OWN) -> UserState:
        return decode(self.rows[user.encode()], UserState)


# -- what each does


def test_a_frame_that_cannot_be_read_casts_doubt_and_the_next_one_takes_it_away() -> None:
    world = World()
    world.take(snapshot(1, 1, 1, assets=ONE))
    changes = world.take(unread(2))
    assert (changes.users, changes.contributions) == ([], [])
    assert world.state().unread == {OWN: unread(2)}
    assert world.state().version == 1
    (told,) = changes.doubtful
    document = told.document
    assert document is not None
    assert (document.user, document.venue, document.account) == (OWN, "sfox", "a")
    assert document.doubt == Doubt("unreadable", "unreadable frame", unread(2).received_time)
    assert (document.epoch, document.receipt, document.source) == (1, 2, unread(2).source)
    assert told.event == f"{OWN}/1/2/{OWN}"
    (told,) = world.take(snapshot(1, 2, 3, assets=ONE)).doubtful
    assert (told.document, told.event) == (None, f"{OWN}/1/3/confirmed")
    assert told.time == snapshot(1, 2, 3).received_time
    assert (
        world.state() == last([snapshot(1, 1, 1, assets=ONE), snapshot(1, 2, 3, assets=ONE)]).state
    )


def test_one_that_is_older_than_what_is_stored_says_nothing() -> None:
    for order in ((1, 9, 2), (2, 1, 1)):
        world = World()
        world.take(snapshot(*order, assets=ONE))
        before = dict(world.rows)
        changes = world.take(unread(2))
        assert (world.rows, changes.rows, changes.doubtful) == (before, {}, [])


@pytest.mark.parametrize("assets", [ONE, {"BTC": "1", "ETH": "-1"}])
def test_the_same_snapshot_once_more_confirms_the_account_and_tells_nobody(assets) -> None:
    """Before the order is heard of, or behind it: the row ends the same, its version stays."""
    rows = []
    for sent in (
        [unread(2), snapshot(1, 1, 3, assets=assets)],
        [snapshot(1, 1, 3, assets=assets), unread(2)],
    ):
        world = World()
        world.take(snapshot(1, 1, 1, assets=assets))
        for what in sent:
            assert world.take(what).users == []
        assert world.state().version == 1
        assert world.state().unread == {}
        assert world.state().confirmed[OWN].place == (1, 3)
        assert world.told == {} or world.told[OWN].document is None
        rows.append(world.rows)
    assert rows[0] == rows[1]


def test_what_came_again_is_never_taken_back_by_an_earlier_one() -> None:
    world = World()
    for receipt in (1, 3, 2):
        world.take(snapshot(1, 1, receipt, assets=ONE))
    assert world.state().confirmed[OWN].place == (1, 3)


def test_the_next_snapshot_makes_a_row_plain_again() -> None:
    world = World()
    for what in (snapshot(1, 1, 1, assets=ONE), snapshot(1, 1, 2, assets=ONE), unread(3)):
        world.take(what)
    if compiled.IS_COMPILED:
        assert compiled.read_row(world.rows[OWN.encode()]) is None
    world.take(snapshot(1, 2, 4, assets=ONE))
    plain = encode(last([snapshot(1, 1, 1, assets=ONE), snapshot(1, 2, 4, assets=ONE)]).state)
    assert world.rows[OWN.encode()] == plain
    assert (compiled.read_row(plain) is not None) == compiled.IS_COMPILED


def test_a_stale_snapshot_confirms_nothing() -> None:
    world = World()
    for what in (snapshot(1, 5, 1, assets=ONE), unread(2), snapshot(1, 4, 3, assets=TWO)):
        world.take(what)
    assert world.state().unread == {OWN: unread(2)}


def test_one_that_was_sent_again_and_read_then_takes_its_own_doubt_away() -> None:
    """`headroom deadletters retry`: the same epoch and receipt."""
    world = World()
    for what in (snapshot(1, 1, 1, assets=ONE), unread(2), snapshot(1, 2, 2, assets=TWO)):
        world.take(what)
    assert world.state().unread == {}
    assert world.told[OWN].event == f"{OWN}/1/2/confirmed"


def test_another_account_of_the_user_is_left_alone() -> None:
    world = World()
    world.take(snapshot(1, 1, 1, assets=ONE, user="u"))
    world.take(snapshot(1, 1, 2, assets=ONE, user="u", account="b"))
    world.take(unread(3, user="u"))
    world.take(snapshot(1, 2, 4, assets=ONE, user="u", account="b"))
    assert world.state("u").unread == {OWN: unread(3, user="u")}


def test_what_was_lost_is_told_again() -> None:
    """A crash may keep a row and lose what followed from it, a doubt or its end."""
    for assets in (ONE, {"BTC": "-1"}):  # the short way, and the long one
        world = World()
        confirming = snapshot(1, 2, 3, assets=assets)
        for what in (snapshot(1, 1, 1, assets=assets), unread(2)):
            world.take(what)
        assert world.take(unread(2)).doubtful == [world.told[OWN]]
        world.take(confirming)
        world.ledger = UserLedger()  # as after the crash: nothing is remembered
        assert world.take(confirming).doubtful == [world.told[OWN]]
        assert world.told[OWN].document is None
    duplicate = snapshot(1, 2, 5, assets=ONE)
    world = World()
    for what in (snapshot(1, 2, 3, assets=ONE), unread(4), duplicate):
        world.take(what)
    assert world.take(duplicate).doubtful == [world.told[OWN]]


def test_an_account_that_nobody_knows_yet_is_remembered_until_it_is_known() -> None:
    world = World()
    world.take(unread(5))
    assert (world.state().accounts, world.state().version) == ({}, 0)
    world.take(snapshot(1, 1, 4, assets=ONE))
    assert world.state().unread == {OWN: unread(5)}
    assert world.state().version == 1


# -- whatever the order


@st.composite
def raws(draw: st.DrawFn) -> list[BalanceSnapshot | Unread]:
    """What became of one account's raw records: sequences grow, stand still, or fall."""
    found: list[BalanceSnapshot | Unread] = []
    epoch, receipt, sequence = 1, 0, 1
    for _ in range(draw(st.integers(1, 10))):
        receipt += 1
        if draw(st.integers(0, 6)) == 0:
            epoch, receipt = epoch + 1, 1
        if draw(st.integers(0, 2)) == 0:
            found.append(unread(receipt, epoch=epoch))
            continue
        sequence += draw(st.sampled_from([1, 1, 0, 0, -1]))
        assets = draw(st.sampled_from([ONE, ONE, TWO, {"BTC": "-1"}]))
        found.append(snapshot(epoch, max(0, sequence), receipt, assets=assets))
    return found


def expected(log: list[BalanceSnapshot | Unread]) -> UserState:
    """The row by a fold of its own: snapshots first, then what no later one vouches against."""
    state: UserState | None = None
    vouched = (-1, -1, "")
    for one in log:
        if isinstance(one, BalanceSnapshot):
            folded = fold(state, one)
            state = msgspec.structs.replace(folded.state, unread={}, confirmed={})
            if folded.verdict is not Verdict.STALE:
                vouched = max(vouched, (one.epoch, one.receipt, one.received_time))
    state = state or UserState(OWN, 0, {}, [], [])
    stored = state.accounts.get(OWN)
    if stored is not None and vouched[:2] > (stored.epoch, stored.receipt):
        state = msgspec.structs.replace(state, confirmed={OWN: Confirmed(*vouched)})
    doubts = [one for one in log if isinstance(one, Unread) and one.place > vouched[:2]]
    if doubts:
        newest = max(doubts, key=lambda one: one.place)
        state = msgspec.structs.replace(state, unread={OWN: newest})
    return state


def woven(log: list[BalanceSnapshot | Unread], random: Random, *, again: bool) -> list:
    """Both topics' records, each in its order, and now and then from further back."""
    ways = [
        [one for one in log if isinstance(one, BalanceSnapshot)],
        [one for one in log if isinstance(one, Unread)],
    ]
    at, taken = [0, 0], []
    while at[0] < len(ways[0]) or at[1] < len(ways[1]):
        way = random.choice([n for n in (0, 1) if at[n] < len(ways[n])])
        taken.append(ways[way][at[way]])
        at[way] += 1
        if again and len(taken) < 40 and random.random() < 0.2:
            at[way] -= random.randint(1, at[way])
    return taken


@given(raws(), st.integers(), st.booleans())
@MANY
def test_in_whatever_order_the_topics_are_read_the_row_ends_the_same(
    log: list[BalanceSnapshot | Unread],
    seed: int,
    again: bool,  # noqa: FBT001 - drawn
) -> None:
    """And the last that was told of the account is what the row says."""
    world = World()
    for what in woven(log, Random(seed), again=again):
        world.take(what)
    assert world.rows.get(OWN.encode()) == (encode(expected(log)) if world.rows else None)
    doubted = world.state().unread.get(OWN) if world.rows else None
    told = world.told.get(OWN)
    assert (None if told is None else told.unread) == doubted


# -- an account that moves


def test_a_doubt_goes_with_its_account() -> None:
    stored = snapshot(1, 1, 1, assets=ONE)
    again = Confirmed(1, 2, stored.received_time)
    before = UserState(
        OWN, 1, {OWN: stored}, ["BTC"], [], unread={OWN: unread(3)}, confirmed={OWN: again}
    )
    left = follow(before, Withdrawal("sfox", "a", OWN, "ann", 1))
    assert left.state is not None
    assert (left.state.unread, left.state.confirmed) == ({}, {})
    assert isinstance(left.onward, Adoption)
    assert (left.onward.unread, left.onward.confirmed) == (unread(3), again)
    # What was lost on the way is told again.
    assert follow(left.state, Withdrawal("sfox", "a", OWN, "ann", 1)).onward == left.onward
    come = follow(None, left.onward)
    assert come.state is not None
    assert come.state.unread == {OWN: unread(3, user="ann")}
    assert come.state.confirmed == {OWN: again}
    assert come.doubtful == OWN


def test_what_comes_late_to_the_former_user_is_passed_on() -> None:
    state = follow(None, Withdrawal("sfox", "a", OWN, "ann", 1)).state
    late = follow(state, unread(3))
    assert (late.state, late.onward, late.doubtful) == (state, unread(3, user="ann"), None)


def test_a_doubt_that_a_later_frame_took_away_at_the_new_user_is_told_to_be_gone() -> None:
    """The former user told of it; nobody else would ever take that back."""
    world = World()
    world.take(snapshot(1, 1, 1, assets=ONE))
    world.take(unread(2))
    world.take(snapshot(1, 2, 3, assets=ONE, user="ann"))
    (adoption,) = world.take(Withdrawal("sfox", "a", OWN, "ann", 1)).onward
    assert world.told[OWN].document is not None
    world.take(adoption)
    assert world.told[OWN].document is None
    assert world.state("ann").unread == {}
