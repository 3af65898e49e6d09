"""Orders that move accounts, where the group's commits are lost: none is followed a second time."""

from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headroom.operate.accounts.bindings import Binding
from headroom.operate.resume.orders import first_unfollowed, was_followed
from processors.ledger.moves import Adoption, Observed, Order, Withdrawal, follow, passed_on
from processors.ledger.users import Unread, UserState, fold
from schemas.codec import encode
from tests.headroom.operate.resume.stopped import partition_of
from tests.headroom.operate.resume.test_told import Log, of
from tests.processors.ledger.doubted import unread

OWN, OTHERS = "sfox:a", ("ann", "bob")


class Ledgers:
    """Users' rows and the orders on their way, one account; a queue of each user for each kind."""

    def __init__(self) -> None:
        self.rows: dict[str, UserState] = {}
        self.queues: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self.read: dict[tuple[str, str], int] = defaultdict(int)
        self.binding = Binding("sfox", "a", OWN, 0)
        self.receipt = 0

    @property
    def bindings(self) -> dict[str, Binding]:
        return {OWN: self.binding} if self.binding.number else {}

    def frame(self) -> None:
        """A frame, that names whoever has the account now by the record."""
        self.receipt += 1
        one = of("a", 1, self.receipt, at=(0, self.receipt))
        user = self.binding.user
        onward = passed_on(self.rows.get(user), one)
        if onward is None:
            self.rows[user] = fold(self.rows.get(user), _named(one, user)).state
        else:
            self.send(onward)

    def cannot_be_read(self) -> None:
        self.receipt += 1
        self.send(unread(self.receipt, user=self.binding.user))

    def move(self, to: str) -> None:
        before, number = self.binding.user, self.binding.number + 1
        if to != before:
            self.binding = Binding("sfox", "a", to, number)
            self.queues["moves", before].append(Withdrawal("sfox", "a", before, to, number))

    def observe(self) -> None:
        """What a worker saw of the account: it changes no user's row."""
        user = self.binding.user
        self.send(Observed("sfox", "a", user, "gone", "warning", "1970-01-01T00:00:00Z", 0))

    def send(self, order: Adoption | Unread | Observed) -> None:
        self.queues["adoptions", order.user].append(order)

    def step(self, queue: tuple[str, str]) -> None:
        """Follow one order, if there is one."""
        if self.read[queue] < len(self.queues[queue]):
            order = self.queues[queue][self.read[queue]]
            self.read[queue] += 1
            if isinstance(order, Observed):
                return
            step = follow(self.rows.get(queue[1]), order)
            if step.state is not None:
                self.rows[queue[1]] = step.state
            if step.onward is not None:
                self.send(step.onward)

    def end(self) -> None:
        while left := [q for q, found in self.queues.items() if self.read[q] < len(found)]:
            for queue in left:
                self.step(queue)

    def forget_commits(self) -> None:
        """Stand where the rows say."""
        for queue, found in self.queues.items():
            todo = (
                at
                for at, order in enumerate(found)
                if not was_followed(order, self.rows.get, self.bindings)
            )
            self.read[queue] = next(todo, len(found))

    def held(self) -> dict[str, Any]:
        """Who holds the account, with what, and what is doubtful of it."""
        return {
            user: (row.accounts[OWN].receipt, row.unread.get(OWN))
            for user, row in self.rows.items()
            if OWN in row.accounts
        }


def _named(one: Any, user: str) -> Any:
    return msgspec.structs.replace(one, user=user)


users = st.sampled_from((OWN, *OTHERS))
acts = st.one_of(
    st.just(("frame",)),
    st.just(("cannot_be_read",)),
    st.just(("observe",)),
    st.tuples(st.just("move"), users),
    st.tuples(st.just("step"), st.tuples(st.sampled_from(("moves", "adoptions")), users)),
)


@given(before=st.lists(acts, max_size=30), after=st.lists(acts, max_size=8))
def test_going_on_from_what_the_rows_tell_ends_as_if_nothing_had_been_lost(
    before: list[Any], after: list[Any]
) -> None:
    """Whenever the commits are lost: the account ends with its last user, and its last frame."""
    lost, kept = Ledgers(), Ledgers()
    for ledgers in (lost, kept):
        for name, *more in before:
            getattr(ledgers, name)(*more)
        if ledgers is lost:
            ledgers.forget_commits()
        for name, *more in after:
            getattr(ledgers, name)(*more)
        ledgers.end()
    assert lost.held() == kept.held()
    assert set(lost.held()) <= {lost.binding.user}


@given(before=st.lists(acts, max_size=30))
def test_orders_that_have_all_been_followed_are_not_followed_again(before: list[Any]) -> None:
    """Nobody sees an account go back to a user of before, if only for a moment."""
    ledgers = Ledgers()
    for name, *more in before:
        getattr(ledgers, name)(*more)
    ledgers.end()
    if ledgers.receipt == 0:
        return  # an account that nobody has seen leaves no trace with its last user
    ledgers.frame()
    ledgers.end()
    read = dict(ledgers.read)
    ledgers.forget_commits()
    assert {queue: at for queue, at in ledgers.read.items() if at} == {
        queue: at for queue, at in read.items() if at
    }


def test_the_first_order_that_the_rows_do_not_know() -> None:
    log, rows = Log(), {OWN: fold(None, of("a", 1, 1, at=(0, 1))).state}
    first, second = (
        Withdrawal("sfox", "a", OWN, "ann", 1),
        Withdrawal("sfox", "a", OWN, "bob", 3),
    )
    log.append("orders", OWN, b"no order")
    log.append("orders", OWN, encode(first))
    log.append("orders", OWN, encode(second))
    bindings = {OWN: Binding("sfox", "a", "bob", 3)}
    place, clients = ("orders", partition_of(OWN)), log

    def found(*, exact: bool = True) -> int:
        return first_unfollowed(
            clients,  # type: ignore[arg-type]
            log.picture(),
            place,
            rows.get,
            bindings,
            exact=exact,
        )

    assert found() == 1
    step = follow(rows[OWN], first)
    assert step.state is not None
    rows[OWN] = step.state
    assert found() == 2
    last = follow(follow(rows[OWN], Adoption("sfox", "a", OWN, 2, None)).state, second).state
    assert last is not None
    rows[OWN] = last
    assert found() == 3
    assert found(exact=False) == 0


def test_a_doubt_is_not_done_before_its_account_has_come_back() -> None:
    """The last move is on its way: what is told of the account meanwhile goes after it."""
    gave = follow(
        fold(None, of("a", 1, 1, at=(0, 1))).state, Withdrawal("sfox", "a", OWN, "ann", 1)
    )
    assert gave.state is not None
    rows = {OWN: gave.state}
    bindings = {OWN: Binding("sfox", "a", OWN, 2)}
    assert not was_followed(unread(5, user=OWN), rows.get, bindings)
