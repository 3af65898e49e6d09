"""An account that goes from one user to another: withdrawn here, adopted there, by whatever way.

Users lie in different partitions, and frames that are under way still name the user of before. So
whoever gave an account away remembers to whom, and passes on what comes late. Moves of an account
are numbered; a later one is never undone by an earlier one, in whatever order they are heard of:

    withdrawal n    the account leaves, and an adoption n goes to the new user with all it held
    adoption n      it is taken in, unless it was given away by a later move: then it is passed on
    a frame         it is folded, unless the account was given away: then it is passed on
"""

from typing import Final

import msgspec

from processors.ledger.users import EMITS, Moved, UserState, fold
from schemas.documents import BalanceSnapshot
from schemas.identity import user_for


class Withdrawal(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="withdrawal"):
    """An order that a user gives an account away; `number` counts the moves of this account."""

    venue: str
    account: str
    user: str
    to: str
    number: int


class Adoption(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="adoption"):
    """What a user is to take in: the account's newest snapshot, or the account alone."""

    venue: str
    account: str
    user: str
    number: int
    snapshot: BalanceSnapshot | None


Order = Withdrawal | Adoption

_DECODER: Final = msgspec.json.Decoder(Order)


class Step(msgspec.Struct, frozen=True, gc=False):
    """What follows from an order: the row, and who is to be told what.

    `time` is that of the frame which the user's documents follow from, None where the public sees
    nothing of it; `again`: all of it is told again.
    """

    state: UserState | None
    time: str | None = None
    adoption: Adoption | None = None
    again: bool = False


def read_order(data: bytes) -> Order:
    """The order of these bytes; raises msgspec's DecodeError."""
    order: Order = _DECODER.decode(data)
    return order


def follow(before: UserState | None, order: Order) -> Step:
    """Follow an order of a user (None: one never seen before)."""
    if isinstance(order, Withdrawal):
        return _withdraw(before, order)
    return _adopt(before, order)


def passed_on(state: UserState | None, snapshot: BalanceSnapshot) -> Adoption | None:
    """Where a snapshot goes of an account that was given away; None: it stays."""
    moved = None if state is None else state.moved.get(user_for(snapshot.venue, snapshot.account))
    if moved is None:
        return None
    return Adoption(snapshot.venue, snapshot.account, moved.to, moved.number, snapshot)


def _withdraw(before: UserState | None, order: Withdrawal) -> Step:
    key = user_for(order.venue, order.account)
    state = before or UserState(order.user, 0, {}, [], [])
    known = state.moved.get(key)
    if known is not None and known.number >= order.number:
        # Heard before. What followed from it may have been lost.
        held = known.snapshot if known.number == order.number else None
        return Step(before, _time(held), _adoption(order, held), again=True)
    held = state.accounts.get(key)
    accounts = {name: one for name, one in state.accounts.items() if name != key}
    moved = {**state.moved, key: Moved(order.to, order.number, held)}
    time = _time(held)
    after = msgspec.structs.replace(
        state,
        accounts=accounts,
        moved=moved,
        version=state.version + (time is not None),
    )
    return Step(after, time, _adoption(order, held))


def _adopt(before: UserState | None, order: Adoption) -> Step:
    key = user_for(order.venue, order.account)
    known = None if before is None else before.moved.get(key)
    if known is not None and known.number >= order.number:
        there = msgspec.structs.replace(order, user=known.to, number=known.number)
        return Step(before, adoption=there)
    state = before
    if before is not None and known is not None:
        moved = {name: one for name, one in before.moved.items() if name != key}
        state = msgspec.structs.replace(before, moved=moved)
    if order.snapshot is None:
        return Step(state)
    folded = fold(state, msgspec.structs.replace(order.snapshot, user=order.user))
    if folded.verdict not in EMITS:
        return Step(state)
    again = folded.state.version == (0 if state is None else state.version)
    return Step(folded.state, folded.time, again=again)


def _adoption(order: Withdrawal, held: BalanceSnapshot | None) -> Adoption:
    return Adoption(order.venue, order.account, order.to, order.number, held)


def _time(held: BalanceSnapshot | None) -> str | None:
    """When the frame was received that the public knows an account by; None: it knows of none."""
    return None if held is None or held.deleted else held.received_time
