"""Where a group stood among the orders that move accounts, by what the rows tell of them.

Orders are numbered, so that reading them again ends right; but on the way an account goes to its
users of before once more, and would be shown with what it held then. So none is read again that has
left all its traces.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from headroom.base.clients import Clients, Place
from headroom.operate.accounts.bindings import Binding
from headroom.operate.resume.picture import Picture
from headroom.operate.resume.told import IN_FLIGHT_MAX
from processors.ledger.moves import (
    Adoption,
    Change,
    Observed,
    Order,
    Withdrawal,
    follow,
    read_order,
)
from processors.ledger.users import UserState
from schemas.codec import NotADocument
from schemas.identity import user_for

RowOf = Callable[[str], UserState | None]
"""A user's row."""
_EVERY_MOVE: Final = 2**63


def first_unfollowed(
    clients: Clients,
    picture: Picture,
    place: Place,
    row_of: RowOf,
    bindings: Mapping[str, Binding],
    *,
    exact: bool,
) -> int:
    """The first order that is to be followed yet; the end where there is none.

    `bindings` are by the accounts' own names. Without transactions what was in flight comes again.
    """
    span = picture.spans[place]
    found = span.end
    for message in clients.read({place: (span.begin, span.end)}):
        try:
            order = read_order(message.value() or b"")
        except NotADocument:
            continue
        if not was_followed(order, row_of, bindings):
            found = message.offset()
            break
    return found if exact else max(span.begin, found - IN_FLIGHT_MAX)


def was_followed(order: Order, row_of: RowOf, bindings: Mapping[str, Binding]) -> bool:
    """Whether all that an order leads to is in the rows; where that is not sure, it is not."""
    if isinstance(order, Observed):
        return True  # it is void by now, or workers will see the same again
    key = user_for(order.venue, order.account)
    # Of an account that has not moved only doubts are told here.
    last = bindings.get(key, Binding(order.venue, order.account, order.user, 0))
    row, holder = row_of(order.user), row_of(last.user)
    given = None if row is None else row.moved.get(key)
    if isinstance(order, Withdrawal):
        if given is not None:
            return given.number >= order.number
        is_back = last.user == order.user and last.number > order.number
        return is_back and holder is not None and key in holder.accounts
    if isinstance(order, Adoption) and given is not None and given.number < order.number:
        return False
    return holder is not None and _knows(holder, key, order)


def _knows(holder: UserState, key: str, order: Change) -> bool:
    """Whether a row has all that an order brings: taking it in would change nothing."""
    if key in holder.moved:
        return False  # the last move is not done
    brought = msgspec.structs.replace(order, user=holder.user)
    if isinstance(brought, Adoption):
        brought = msgspec.structs.replace(brought, number=_EVERY_MOVE)
    return follow(holder, brought).state == holder
