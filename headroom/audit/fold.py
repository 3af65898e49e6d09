"""The fold of balances into users, by the contract's rules and nothing else."""

from typing import Any

import msgspec

Snapshot = dict[str, Any]


class UserState(msgspec.Struct):
    """One user: the newest snapshot of each account, deleted ones included, and the counter."""

    accounts: dict[tuple[str, str], Snapshot] = {}
    version: int = 0

    @property
    def live(self) -> list[Snapshot]:
        """The accounts that are not deleted, by venue and account."""
        return [self.accounts[key] for key in sorted(self.accounts) if not self._deleted(key)]

    def _deleted(self, key: tuple[str, str]) -> bool:
        return bool(self.accounts[key]["deleted"])


class Fold:
    """Takes snapshots one after the other and knows every user's state.

    `assets` and `bases` are all that ever stood in an accepted, living snapshot. Where tables
    `counts_on` from others, versions may be higher than the number of accepted snapshots; those of
    `movers`, who gave accounts away or got them, may be any.
    """

    def __init__(self) -> None:
        self.users: dict[str, UserState] = {}
        self.assets: set[str] = set()
        self.bases: set[str] = set()
        self.counts_on = False
        self.movers: set[str] = set()

    def take(self, snapshot: Snapshot) -> None:
        """Take one snapshot: accept it or, where it is nothing new, leave all as it is."""
        user = self.users.setdefault(snapshot["user"], UserState())
        account = snapshot["venue"], snapshot["account"]
        stored = user.accounts.get(account)
        if stored is not None and not is_newer(snapshot, stored):
            return
        user.accounts[account] = snapshot
        user.version += 1
        if snapshot["deleted"]:
            return
        self.assets.update(snapshot["assets"])
        base = base_of(snapshot)
        if base is not None:
            self.bases.add(base)

    def live_accounts(self) -> list[Snapshot]:
        """All accounts of all users that are not deleted."""
        return [account for user in self.users.values() for account in user.live]


def is_newer(snapshot: Snapshot, stored: Snapshot) -> bool:
    """Say whether a snapshot takes the place of the stored one."""
    if snapshot["source"] == stored["source"] and _order(snapshot) == _order(stored):
        return False
    fresh, known = _order(snapshot), _order(stored)
    if fresh[:2] == known[:2] and _content(snapshot) == _content(stored):
        return False
    return fresh >= known


def base_of(snapshot: Snapshot) -> str | None:
    """Get the currency of an account's own totals, None where it has none."""
    exposure = snapshot["exposure"]
    base = None if exposure is None else exposure["base_currency"]
    return None if base is None else str(base)


def _order(snapshot: Snapshot) -> tuple[int, int, int]:
    return snapshot["epoch"], snapshot["sequence"], snapshot["receipt"]


def _content(snapshot: Snapshot) -> tuple[Any, ...]:
    """What a snapshot says of the account: not when and where it was heard."""
    unknown = snapshot.get("unknown", [])
    return snapshot["deleted"], snapshot["assets"], unknown, snapshot["exposure"]
