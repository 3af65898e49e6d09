"""Accounts in doubt of their own, told to others: which are, and which no longer.

A doubt may be told once more than needed, and is never told of once less: what takes it away, or
casts it, is told again whenever its record is read again.
"""

from collections.abc import Iterable, Iterator

import msgspec

from processors.compiled import Account
from processors.ledger.users import Unread, UserState, place_of
from schemas.feeds import Doubt, UnconfirmedAccount
from schemas.identity import user_for


class Doubtful(msgspec.Struct, frozen=True, gc=False):
    """An account by its own name, and the frame that casts doubt on it; None: no more.

    `epoch`, `receipt` and `time` are of the frame that it was told in: that one, or the one which
    vouches for the account.
    """

    key: str
    unread: Unread | None
    epoch: int
    receipt: int
    time: str

    @property
    def event(self) -> str:
        """What tells a repetition, behind the topic's name."""
        place = f"{self.key}/{self.epoch}/{self.receipt}"
        return f"{place}/confirmed" if self.unread is None else f"{place}/{self.unread.user}"

    @property
    def document(self) -> UnconfirmedAccount | None:
        """As others are told; None: a tombstone."""
        one = self.unread
        if one is None:
            return None
        return UnconfirmedAccount(
            user=one.user,
            venue=one.venue,
            account=one.account,
            doubt=doubt_of(one),
            epoch=one.epoch,
            receipt=one.receipt,
            source=one.source,
        )


def doubt_of(unread: Unread) -> Doubt:
    """The doubt that a frame casts on its account."""
    return Doubt("unreadable", unread.reason, unread.received_time)


def doubts(before: UserState | None, state: UserState, again: Iterable[str]) -> Iterator[Doubtful]:
    """What is new of a user's accounts, and what is to be told `again` of those of these names.

    An account that was given away is the next user's to tell of.
    """
    known = {} if before is None else before.unread
    names = {*again, *known, *state.unread} if known or state.unread else set(again)
    for name in sorted(names.difference(state.moved)):
        unread = state.unread.get(name)
        if name in again or unread != known.get(name):
            yield doubtful(state, name)


def doubtful(state: UserState, name: str) -> Doubtful:
    """How an account stands, by its own name."""
    unread = state.unread.get(name)
    if unread is not None:
        return Doubtful(name, unread, unread.epoch, unread.receipt, unread.received_time)
    stored, again = state.accounts.get(name), state.confirmed.get(name)
    epoch, receipt = place_of(state, name)
    last = again if again is not None and again.place == (epoch, receipt) else stored
    return Doubtful(name, None, epoch, receipt, "" if last is None else last.received_time)


def confirmed_by(account: Account) -> Doubtful:
    """That nothing is in doubt of an account whose newest snapshot this is."""
    venue, name, epoch, receipt = account.place
    return Doubtful(user_for(venue, name), None, epoch, receipt, account.received_time)
