"""Accounts that move between users while frames come late and orders overtake each other."""

from collections import deque
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.ledger.moves import Adoption, Withdrawal, follow, passed_on, read_order
from processors.ledger.user_ledger import UserLedger
from processors.ledger.users import Unread, UserState, Verdict
from schemas.codec import decode, encode
from schemas.documents import BalanceSnapshot, UserBalances
from tests.processors.ledger.doubted import OWN, unread
from tests.processors.ledger.snapshots import snapshot
from tests.schemas.strategies import PROPERTY


def frame(
    sequence: int, user: str, *, deleted: bool = False, receipt: int | None = None
) -> BalanceSnapshot:
    assets = {} if deleted else {"BTC": f"{sequence}"}
    order = 1, sequence, sequence if receipt is None else receipt
    return snapshot(*order, user=user, assets=assets, deleted=deleted)


def withdrawal(number: int, user: str, to: str) -> Withdrawal:
    return Withdrawal("sfox", "a", user, to, number)


class Partitions:
    """Users' rows, and what is on its way to each: in order for a user, in any order for all."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.ledger = UserLedger()
        self.rows: dict[bytes, bytes] = {}
        self.public: dict[str, UserBalances | None] = {}
        self.versions: dict[str, list[int]] = {}
        self.shares: dict[str, dict[str, str]] = {}
        self.doubts: dict[str, Unread | None] = {}
        self._ways: dict[tuple[str, str], deque[object]] = {}

    def send(self, way: str, user: str, what: object) -> None:
        self._ways.setdefault((way, user), deque()).append(what)

    def drain(self, *, again: bool = False) -> None:
        """Deliver all; `again`: now and then a second time, as after a crash."""
        while ways := [place for place, way in self._ways.items() if way]:
            way, user = place = self._random.choice(ways)
            # What is read again is followed by all that came after it.
            waiting = self._ways[place]
            what = waiting[0]
            if not again or self._random.random() < 0.7:
                waiting.popleft()
            self._deliver(way, user, what)

    def step(self) -> None:
        ways = [place for place, way in self._ways.items() if way]
        if ways:
            way, user = place = self._random.choice(ways)
            self._deliver(way, user, self._ways[place].popleft())

    @staticmethod
    def expected(doubted: Unread | None, owner: str) -> dict[str, Unread]:
        """The doubts of the last owner."""
        if doubted is None:
            return {}
        return {OWN: msgspec.structs.replace(doubted, user=owner)}

    def _deliver(self, way: str, user: str, what: object) -> None:
        if way == "balances":
            assert isinstance(what, BalanceSnapshot)
            changes = self.ledger.fold([what], self.rows.get)
        else:
            # By the very bytes that Kafka has.
            changes = self.ledger.move([read_order(encode(what))], self.rows.get)  # type: ignore[arg-type]
        for change in changes.users:
            self.rows[change.key] = change.row
            public = None if change.balances is None else decode(change.balances, UserBalances)
            self.public[change.user] = public
            self.versions.setdefault(change.user, []).append(change.version)
        self.rows.update(changes.rows)
        for key, share in changes.shares:
            told = msgspec.json.decode(share)
            if key == b'["asset","BTC"]':
                held = told["venues"].get("sfox", {"total": "0"})["total"]
                self.shares.setdefault(told["user"], {})["BTC"] = held
        self.doubts.update((one.key, one.unread) for one in changes.doubtful)
        for adoption in changes.onward:
            self.send("adoptions", adoption.user, adoption)


USERS = (OWN, "ann", "bob", "cid")


@given(
    st.lists(
        st.one_of(st.sampled_from(["frame", "unread"]), st.sampled_from(USERS), st.just("step")),
        max_size=25,
    ),
    st.integers(),
    st.booleans(),
)
@PROPERTY
def test_however_it_is_moved_and_whatever_comes_late_one_user_has_it(
    events: list[str],
    seed: int,
    again: bool,  # noqa: FBT001 - drawn
) -> None:
    """In the end the last owner has the newest snapshot, and nobody else has anything.

    The same holds of a doubt by a frame behind it that could not be read.
    """
    kafka = Partitions(Random(seed))
    owner, number, sequence, receipt, doubted = OWN, 0, 0, 0, None
    lagging = Random(seed)
    owners = [OWN]
    for event in events:
        if event == "unread":
            receipt += 1
            labelled = owners[-1 - lagging.randrange(min(3, len(owners)))]
            doubted = unread(receipt, user=labelled)
            kafka.send("adoptions", labelled, doubted)
        elif event == "frame":
            sequence, receipt, doubted = sequence + 1, receipt + 1, None
            # A normaliser may know of the last move, or of one before it.
            labelled = owners[-1 - lagging.randrange(min(3, len(owners)))]
            kafka.send("balances", labelled, frame(sequence, labelled, receipt=receipt))
        elif event == "step":
            kafka.step()
        elif event != owner:
            number += 1
            kafka.send("moves", owner, withdrawal(number, owner, event))
            owner = event
            owners.append(owner)
    kafka.drain(again=again)
    assert kafka.doubts.get(OWN) == kafka.expected(doubted, owner).get(OWN)
    for user in USERS:
        row = kafka.rows.get(user.encode())
        state = UserState(user, 0, {}, [], []) if row is None else decode(row, UserState)
        accounts = state.accounts
        if user == owner:
            assert state.moved == {}
        assert state.unread == (kafka.expected(doubted, owner) if user == owner else {})
        public = kafka.public.get(user)
        if user == owner and sequence:
            assert accounts["sfox:a"].sequence == sequence
            assert accounts["sfox:a"].user == user
            assert public is not None
            assert public.accounts == [accounts["sfox:a"]]
            assert public.version == decode(row or b"", UserState).version
            assert kafka.shares[user]["BTC"] == str(sequence)
        else:
            assert accounts == {}
            assert public is None
            assert kafka.shares.get(user, {}).get("BTC", "0") == "0"
        versions = kafka.versions.get(user, [])
        assert versions == sorted(versions)
        if not again:
            assert len(versions) == len(set(versions))


def test_a_moved_account_takes_its_last_snapshot_along() -> None:
    before = UserState(OWN, 3, {OWN: frame(7, OWN)}, ["BTC"], [])
    left = follow(before, withdrawal(1, OWN, "ann"))
    assert left.state is not None
    assert (left.state.accounts, left.state.version) == ({}, 4)
    assert left.onward == Adoption("sfox", "a", "ann", 1, frame(7, OWN))
    come = follow(None, left.onward)
    assert come.state is not None
    assert come.state.accounts == {OWN: frame(7, "ann")}
    assert (come.state.user, come.state.version) == ("ann", 1)


def test_what_was_lost_is_told_again() -> None:
    """A crash may keep a row and lose what followed from it."""
    before = UserState(OWN, 3, {OWN: frame(7, OWN)}, ["BTC"], [])
    order = withdrawal(1, OWN, "ann")
    left = follow(before, order)
    again = follow(left.state, order)
    assert (again.state, again.onward, again.time) == (left.state, left.onward, left.time)
    assert again.again
    assert left.onward is not None
    come = follow(None, left.onward)
    second = follow(come.state, left.onward)
    assert (second.state, second.time) == (come.state, come.time)
    assert second.again


def test_a_late_frame_is_passed_on_and_counted() -> None:
    ledger, rows = UserLedger(), dict[bytes, bytes]()
    changes = ledger.move([withdrawal(1, OWN, "ann")], rows.get)
    rows.update(changes.rows)
    assert changes.users == []
    late = frame(8, OWN)
    changes = ledger.fold([late], rows.get)
    assert (changes.users, changes.rows) == ([], {})
    assert changes.onward == [Adoption("sfox", "a", "ann", 1, late)]
    assert changes.verdicts["sfox", Verdict.MOVED] == 1
    other = snapshot(1, 1, 1, account="b", user=OWN, assets={"BTC": "1"})
    assert passed_on(decode(rows[OWN.encode()], UserState), other) is None


def test_what_was_lost_is_told_to_the_sums_again() -> None:
    ledger, rows = UserLedger(), dict[bytes, bytes]()
    changes = ledger.fold([frame(7, OWN)], rows.get)
    rows.update({change.key: change.row for change in changes.users})
    order = withdrawal(1, OWN, "ann")
    left = ledger.move([order], rows.get)
    rows.update({change.key: change.row for change in left.users})
    again = ledger.move([order], rows.get)
    assert again.shares == left.shares != []
    assert again.onward == left.onward
    assert again.users == left.users


def test_another_account_changes_nothing_of_what_is_remembered() -> None:
    ledger, rows = UserLedger(), dict[bytes, bytes]()
    rows.update(ledger.move([withdrawal(1, OWN, "ann")], rows.get).rows)
    other = snapshot(1, 1, 1, account="b", user=OWN, assets={"BTC": "1"})
    rows.update({change.key: change.row for change in ledger.fold([other], rows.get).users})
    changes = ledger.fold([frame(8, OWN)], rows.get)
    assert [adoption.user for adoption in changes.onward] == ["ann"]


def test_what_is_passed_on_counts_as_of_the_later_move() -> None:
    """So numbers grow along every way, and nothing goes round."""
    state = follow(None, withdrawal(5, OWN, "bob")).state
    late = follow(state, Adoption("sfox", "a", OWN, 2, frame(7, "ann")))
    assert late.onward == Adoption("sfox", "a", "bob", 5, frame(7, "ann"))
    assert (late.state, late.time) == (state, None)


def test_a_deleted_account_moves_without_a_word() -> None:
    before = UserState(OWN, 3, {OWN: frame(7, OWN, deleted=True)}, ["BTC"], [])
    left = follow(before, withdrawal(1, OWN, "ann"))
    assert left.state is not None
    assert (left.state.version, left.time) == (3, None)
    assert left.onward is not None
    assert left.onward.snapshot == frame(7, OWN, deleted=True)


def test_a_row_without_moves_says_nothing_of_them() -> None:
    assert b"moved" not in encode(UserState(OWN, 3, {OWN: frame(7, OWN)}, ["BTC"], []))
