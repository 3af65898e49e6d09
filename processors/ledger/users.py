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
from schemas.documents import BalanceSnapshot


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


class Moved(msgspec.Struct, frozen=True, gc=False):
    """An account that was given to another user, by its move of this number.

    `snapshot` is what it was given away with, to be told again if that was lost.
    """

    to: str
    number: int
    snapshot: BalanceSnapshot | None


class UserState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A user's row: the newest snapshot of each account, by `venue:account` in that order.

    `version` counts accepted changes. `assets` and `bases` name all that was ever contributed to,
    `moved` the accounts that other users have now.
    """

    user: str
    version: int
    accounts: dict[str, BalanceSnapshot]
    assets: list[str]
    bases: list[str]
    moved: dict[str, Moved] = {}

    @property
    def live(self) -> list[BalanceSnapshot]:
        """The snapshots of the accounts that are not deleted, by venue and account."""
        return [snapshot for snapshot in self.accounts.values() if not snapshot.deleted]


class Fold(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one snapshot.

    `time` is when its frame was received; `vanished` names the assets that were held and are
    missing from it.
    """

    verdict: Verdict
    before: UserState | None
    state: UserState
    time: str
    vanished: tuple[str, ...] = ()


def fold(before: UserState | None, snapshot: BalanceSnapshot) -> Fold:
    """Fold a snapshot into its user's row (None: a user never seen before)."""
    stored = None if before is None else before.accounts.get(_account_key(snapshot))
    verdict = Verdict.ACCEPTED if stored is None else _judge(stored, snapshot)
    if before is not None and verdict not in CHANGES:
        return Fold(verdict, before, before, snapshot.received_time)
    return Fold(
        verdict,
        before,
        _with(before, snapshot),
        snapshot.received_time,
        vanished=() if stored is None else _vanished(stored, snapshot),
    )


def _judge(stored: BalanceSnapshot, snapshot: BalanceSnapshot) -> Verdict:
    if snapshot.source == stored.source:
        return Verdict.REDELIVERED
    if (snapshot.epoch, snapshot.sequence) == (stored.epoch, stored.sequence):
        if _content(snapshot) == _content(stored):
            return Verdict.DUPLICATE
        return Verdict.REVISED if snapshot.receipt >= stored.receipt else Verdict.STALE
    newer = (snapshot.epoch, snapshot.sequence) > (stored.epoch, stored.sequence)
    return Verdict.ACCEPTED if newer else Verdict.STALE


def _content(snapshot: BalanceSnapshot) -> tuple[object, ...]:
    """What a snapshot says of the account, apart from when and how it came."""
    return snapshot.deleted, snapshot.assets, snapshot.unknown, snapshot.exposure


def _with(before: UserState | None, snapshot: BalanceSnapshot) -> UserState:
    accounts = {} if before is None else dict(before.accounts)
    key = _account_key(snapshot)
    added = key not in accounts
    accounts[key] = snapshot
    if added:
        accounts = dict(sorted(accounts.items(), key=lambda item: (item[1].venue, item[1].account)))
    assets = [] if before is None else before.assets
    bases = [] if before is None else before.bases
    base = snapshot.exposure.base_currency if snapshot.exposure is not None else None
    return UserState(
        user=snapshot.user,
        version=1 if before is None else before.version + 1,
        accounts=accounts,
        assets=_extended(assets, () if snapshot.deleted else snapshot.assets),
        bases=_extended(bases, () if snapshot.deleted or base is None else (base,)),
        moved={} if before is None else before.moved,
    )


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


def _account_key(snapshot: BalanceSnapshot) -> str:
    return f"{snapshot.venue}:{snapshot.account}"
