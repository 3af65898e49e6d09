"""One user's accounts, folded from snapshots: which snapshot wins, and what the user then holds.

The state is the row of the private table. It remembers what public topics must not: the order of
deleted accounts, so that a late frame cannot bring them back, and every asset and base currency
that the user ever contributed to, so that a redelivery can withdraw what is no longer held.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from schemas.amounts import is_zero
from schemas.documents import BalanceSnapshot, Source, Time
from schemas.identity import user_for


class Verdict(StrEnum):
    """What became of a snapshot."""

    ACCEPTED = "accepted"
    REVISED = "revised"
    """Accepted with the sequence of the stored snapshot, but another content."""
    DUPLICATE = "duplicate"
    STALE = "stale"
    REDELIVERED = "redelivered"
    """The very record that the stored snapshot came from: everything is emitted again."""
    MOVED = "moved"
    """Of an account that another user has by now: it is passed on to that one."""


CHANGES: Final = frozenset({Verdict.ACCEPTED, Verdict.REVISED})
EMITS: Final = frozenset({Verdict.ACCEPTED, Verdict.REVISED, Verdict.REDELIVERED})


class Unread(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="unread"):
    """A frame of an account that could not be read; `reason` is for a person.

    It is a user's order, and stands in the row while nothing later confirms the account.
    """

    venue: str
    account: str
    user: str
    epoch: int
    receipt: int
    received_time: Time
    reason: str
    source: Source

    @property
    def place(self) -> tuple[int, int]:
        """Where the frame stands in the order of its venue."""
        return self.epoch, self.receipt


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """The last frame that told an account's newest snapshot once more, word for word."""

    epoch: int
    receipt: int
    received_time: Time

    @property
    def place(self) -> tuple[int, int]:
        """Where the frame stands in the order of its venue."""
        return self.epoch, self.receipt


class Moved(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An account that was given to another user, by its move of this number.

    `snapshot`, `unread` and `confirmed` are what it was given away with, to be told again if that
    was lost.
    """

    to: str
    number: int
    snapshot: BalanceSnapshot | None
    unread: Unread | None = None
    confirmed: Confirmed | None = None


class UserState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A user's row: the newest snapshot of each account, by `venue:account` in that order.

    `version` counts accepted changes. `assets` and `bases` name all that was ever contributed to,
    `moved` the accounts that other users have now. `unread` are the accounts of which a later frame
    than any that was read could not be, `confirmed` those whose snapshot came again (`unread.py`).
    """

    user: str
    version: int
    accounts: dict[str, BalanceSnapshot]
    assets: list[str]
    bases: list[str]
    moved: dict[str, Moved] = {}
    unread: dict[str, Unread] = {}
    confirmed: dict[str, Confirmed] = {}

    @property
    def live(self) -> list[BalanceSnapshot]:
        """The snapshots of the accounts that are not deleted, by venue and account."""
        return [snapshot for snapshot in self.accounts.values() if not snapshot.deleted]


class Fold(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one snapshot.

    `time` is when its frame was received; `vanished` names the assets that were held and are
    missing from it; `is_again`: it is the frame that last vouched for the account, read again.
    """

    verdict: Verdict
    before: UserState | None
    state: UserState
    time: str
    vanished: tuple[str, ...] = ()
    is_again: bool = False


def fold(before: UserState | None, snapshot: BalanceSnapshot) -> Fold:
    """Fold a snapshot into its user's row (None: a user never seen before).

    A duplicate leaves all that others are told as it is; but the row knows that it came.
    """
    key = user_for(snapshot.venue, snapshot.account)
    stored = None if before is None else before.accounts.get(key)
    verdict = Verdict.ACCEPTED if stored is None else _judge(stored, snapshot)
    if before is not None and verdict not in CHANGES:
        state = confirm(before, key, snapshot) if verdict is Verdict.DUPLICATE else before
        again = (snapshot.epoch, snapshot.receipt) == place_of(before, key)
        return Fold(verdict, before, state, snapshot.received_time, is_again=again)
    return Fold(
        verdict,
        before,
        _with(before, snapshot),
        snapshot.received_time,
        vanished=() if stored is None else _vanished(stored, snapshot),
    )


def place_of(state: UserState, key: str) -> tuple[int, int]:
    """The epoch and receipt of the last frame that vouches for what is stored of an account."""
    stored, again = state.accounts.get(key), state.confirmed.get(key)
    place = (-1, -1) if stored is None else (stored.epoch, stored.receipt)
    return place if again is None else max(place, again.place)


def confirm(state: UserState, key: str, by: Confirmed | BalanceSnapshot) -> UserState:
    """The row once a frame told an account's stored snapshot again; the same if that is older."""
    if (by.epoch, by.receipt) <= place_of(state, key):
        return state
    confirmed = {**state.confirmed, key: Confirmed(by.epoch, by.receipt, by.received_time)}
    return settled(msgspec.structs.replace(state, confirmed=confirmed), key)


def doubt(state: UserState, unread: Unread) -> UserState:
    """The row once a frame of an account could not be read; the same if a later one vouches."""
    key = user_for(unread.venue, unread.account)
    known = state.unread.get(key)
    last = place_of(state, key) if known is None else known.place
    if unread.place <= last:
        return state
    return msgspec.structs.replace(state, unread={**state.unread, key: unread})


def settled(state: UserState, key: str) -> UserState:
    """The row without what an account's newest frame leaves behind."""
    place = place_of(state, key)
    unread, again = state.unread.get(key), state.confirmed.get(key)
    if unread is not None and unread.place <= place:
        rest = {name: one for name, one in state.unread.items() if name != key}
        state = msgspec.structs.replace(state, unread=rest)
    stored = state.accounts.get(key)
    if again is not None and (stored is None or again.place <= (stored.epoch, stored.receipt)):
        others = {name: one for name, one in state.confirmed.items() if name != key}
        state = msgspec.structs.replace(state, confirmed=others)
    return state


def _judge(stored: BalanceSnapshot, snapshot: BalanceSnapshot) -> Verdict:
    if _record_of(snapshot) == _record_of(stored):
        return Verdict.REDELIVERED
    if (snapshot.epoch, snapshot.sequence) == (stored.epoch, stored.sequence):
        if _content(snapshot) == _content(stored):
            return Verdict.DUPLICATE
        return Verdict.REVISED if snapshot.receipt >= stored.receipt else Verdict.STALE
    newer = (snapshot.epoch, snapshot.sequence) > (stored.epoch, stored.sequence)
    return Verdict.ACCEPTED if newer else Verdict.STALE


def _record_of(snapshot: BalanceSnapshot) -> tuple[object, ...]:
    """What no other frame has: a topic that is made anew has other frames in the same places."""
    return snapshot.source, snapshot.epoch, snapshot.receipt


def _content(snapshot: BalanceSnapshot) -> tuple[object, ...]:
    """What a snapshot says of the account, apart from when and how it came."""
    return snapshot.deleted, snapshot.assets, snapshot.unknown, snapshot.exposure


def _with(before: UserState | None, snapshot: BalanceSnapshot) -> UserState:
    accounts = {} if before is None else dict(before.accounts)
    key = user_for(snapshot.venue, snapshot.account)
    added = key not in accounts
    accounts[key] = snapshot
    if added:
        accounts = dict(sorted(accounts.items(), key=lambda item: (item[1].venue, item[1].account)))
    assets = [] if before is None else before.assets
    bases = [] if before is None else before.bases
    base = snapshot.exposure.base_currency if snapshot.exposure is not None else None
    state = UserState(
        user=snapshot.user,
        version=1 if before is None else before.version + 1,
        accounts=accounts,
        assets=_extended(assets, () if snapshot.deleted else snapshot.assets),
        bases=_extended(bases, () if snapshot.deleted or base is None else (base,)),
        moved={} if before is None else before.moved,
        unread={} if before is None else before.unread,
        confirmed={} if before is None else before.confirmed,
    )
    return settled(state, key) if state.unread or state.confirmed else state


def _extended(known: list[str], names: Iterable[str]) -> list[str]:
    new = set(names).difference(known)
    return sorted(new.union(known)) if new else known


def _vanished(stored: BalanceSnapshot, snapshot: BalanceSnapshot) -> tuple[str, ...]:
    if stored.deleted or snapshot.deleted:
        return ()
    return tuple(
        asset
        for asset, balance in stored.assets.items()
        if asset not in snapshot.assets
        and asset not in snapshot.unknown
        and not is_zero(balance.total)
    )
