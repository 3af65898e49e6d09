"""An account that goes from one user to another: withdrawn here, adopted there, by whatever way.

Users lie in different partitions, and frames that are under way still name the user of before. So
whoever gave an account away remembers to whom, and passes on what comes late. Moves of an account
are numbered; a later one is never undone by an earlier one, in whatever order they are heard of:

    withdrawal n    the account leaves, and an adoption n goes to the new user with all it held
    adoption n      it is taken in, unless it was given away by a later move: then it is passed on
    a frame         it is folded, unless the account was given away: then it is passed on

What casts doubt on an account (a frame that could not be read) goes the same ways as the frames do.
"""

from typing import Final, Literal, TypeVar

import msgspec

from processors.ledger.users import (
    EMITS,
    Confirmed,
    Moved,
    Unread,
    UserState,
    confirm,
    doubt,
    fold,
)
from schemas.amounts import Amount
from schemas.codec import NotADocument, decode_by
from schemas.documents import BalanceSnapshot, Time
from schemas.forms import is_well_formed
from schemas.identity import user_for


class Withdrawal(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="withdrawal"):
    """An order that a user gives an account away; `number` counts the moves of this account."""

    venue: str
    account: str
    user: str
    to: str
    number: int


class Adoption(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="adoption"):
    """What a user is to take in: the account's newest snapshot, or the account alone.

    `unread` and `confirmed` are what the giver's row had of it.
    """

    venue: str
    account: str
    user: str
    number: int
    snapshot: BalanceSnapshot | None
    unread: Unread | None = None
    confirmed: Confirmed | None = None


class Observed(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="observed"):
    """How an account stands by a rule that looks at time: a worker saw it, no frame tells it.

    `time` is when, `seconds` for how long the account had not been live by then, `since` from when
    on; null both where it is live again. `told` is how many alerts the user had been told: the
    order counts only while the rule has told nothing of the account since.
    """

    venue: str
    account: str
    user: str
    rule: str
    level: Literal["warning", "breach", "cleared"]
    time: Time
    told: int
    seconds: Amount | None = None
    since: Time | None = None


Change = Withdrawal | Adoption | Unread
"""What changes a user's row."""
Order = Change | Observed

T = TypeVar("T")

_DECODER: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)


class Step(msgspec.Struct, frozen=True, gc=False):
    """What follows from an order: the row, and who is to be told what.

    `time` is that of the frame which the user's documents follow from, None where the public sees
    nothing of it; `again`: all of it is told again. `onward` is for another user. `doubtful` is
    the account, by its own name, whose doubts others have to be told of, or that there are none.
    """

    state: UserState | None
    time: str | None = None
    onward: Adoption | Unread | None = None
    again: bool = False
    doubtful: str | None = None


def read_order(data: bytes) -> Order:
    """The order of these bytes; raises `NotADocument` where they are none."""
    order = decode_by(data, _DECODER)
    snapshot = order.snapshot if isinstance(order, Adoption) else None
    if not is_well_formed(order) or (snapshot is not None and not snapshot.is_well_formed()):
        raise NotADocument("an amount or a time without its form")
    return order


def follow(before: UserState | None, order: Change) -> Step:
    """Follow an order of a user (None: one never seen before)."""
    if isinstance(order, Withdrawal):
        return _withdraw(before, order)
    if isinstance(order, Unread):
        return _doubt(before, order)
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
        held = known if known.number == order.number else Moved(known.to, known.number, None)
        return Step(before, _time(held), _adoption(order, held), again=True)
    held = Moved(
        order.to,
        order.number,
        state.accounts.get(key),
        unread=state.unread.get(key),
        confirmed=state.confirmed.get(key),
    )
    time = _time(held)
    after = msgspec.structs.replace(
        state,
        accounts=_without(state.accounts, key),
        moved={**state.moved, key: held},
        unread=_without(state.unread, key),
        confirmed=_without(state.confirmed, key),
        version=state.version + (time is not None),
    )
    return Step(after, time, _adoption(order, held))


def _adopt(before: UserState | None, order: Adoption) -> Step:
    key = user_for(order.venue, order.account)
    known = None if before is None else before.moved.get(key)
    if known is not None and known.number >= order.number:
        there = msgspec.structs.replace(order, user=known.to, number=known.number)
        return Step(before, onward=there)
    state = before
    if before is not None and known is not None:
        state = msgspec.structs.replace(before, moved=_without(before.moved, key))
    step = Step(state)
    if order.snapshot is not None:
        folded = fold(state, msgspec.structs.replace(order.snapshot, user=order.user))
        step = Step(folded.state)
        if folded.verdict in EMITS:
            again = folded.state.version == (0 if state is None else state.version)
            step = Step(folded.state, folded.time, again=again)
    return _with_doubts(step, order, key)


def _with_doubts(step: Step, order: Adoption, key: str) -> Step:
    """The same with what the giver knew beside the snapshot; the giver told others of a doubt."""
    state = step.state
    if order.confirmed is not None and state is not None:
        state = confirm(state, key, order.confirmed)
    if order.unread is None:
        return msgspec.structs.replace(step, state=state)
    unread = msgspec.structs.replace(order.unread, user=order.user)
    state = doubt(state or UserState(order.user, 0, {}, [], []), unread)
    return msgspec.structs.replace(step, state=state, doubtful=key)


def _doubt(before: UserState | None, order: Unread) -> Step:
    key = user_for(order.venue, order.account)
    moved = None if before is None else before.moved.get(key)
    if moved is not None:
        return Step(before, onward=msgspec.structs.replace(order, user=moved.to))
    state = doubt(before or UserState(order.user, 0, {}, [], []), order)
    # Heard before: it may not have been told of. If a later frame vouches, that told of it.
    counts = state.unread.get(key)
    return Step(state, doubtful=key if counts is not None else None)


def _adoption(order: Withdrawal, held: Moved) -> Adoption:
    return Adoption(
        order.venue,
        order.account,
        order.to,
        order.number,
        held.snapshot,
        unread=held.unread,
        confirmed=held.confirmed,
    )


def _time(held: Moved) -> str | None:
    """When the frame was received that the public knows an account by; None: it knows of none."""
    one = held.snapshot
    return None if one is None or one.deleted else one.received_time


def _without(known: dict[str, T], key: str) -> dict[str, T]:
    return {name: one for name, one in known.items() if name != key}
