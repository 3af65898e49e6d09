"""What the topic of statuses says of others at a venue: predecessors, rivals that came and went.

Pure: records and monotonic time go in. A producer that has ended leaves its last words, and one
that is alive repeats them every second; the difference shows within seconds.
"""

from typing import Final

import msgspec

from schemas.feeds import FeedStatus, status_of

SILENT_SECONDS: Final = 5.0
"""Who tells every second and has not for so long does not tell any more."""
GONE_SECONDS: Final = 10.0
"""Whose connection has been down for so long is not waited for by others."""


class _Known(msgspec.Struct):
    """The last word on a connection; `told_at` and `connected_at` are monotonic seconds."""

    status: FeedStatus
    told_at: float
    connected_at: float


class Neighbours:
    """The connections of one venue, as they are told of; `instance` is whoever asks."""

    def __init__(self, venue: str, instance: str) -> None:
        self._prefix = f"{venue}/".encode()
        self._instance = instance
        self._known: dict[bytes, dict[str, _Known]] = {}

    def forget(self) -> None:
        """Nobody has told anything."""
        self._known.clear()

    def take(self, key: bytes, value: bytes | None, now: float) -> None:
        """Take one record of the topic; another venue's is passed over.

        Raises `NotADocument` where nobody of us wrote it.
        """
        if not key.startswith(self._prefix):
            return
        if value is None:
            self._known.pop(key, None)
            return
        status = status_of(key, value)
        told = self._known.setdefault(key, {})
        before = told.get(status.instance)
        is_connected = status.state == "connected"
        connected_at = now if is_connected or before is None else before.connected_at
        told[status.instance] = _Known(status, now, connected_at)

    @property
    def greatest_epoch(self) -> int:
        """The greatest epoch, or number of a lease, that any connection of the venue had; or 0."""
        return max((max(one.status.epoch or 0, one.status.lease) for one in self._all()), default=0)

    @property
    def greatest_lease(self) -> int:
        """The greatest number of a lease under which any connection was told of; or 0."""
        return max((known.status.lease for known in self._all()), default=0)

    def accounts_of(self, connection: str) -> list[str] | None:
        """The accounts that a connection of this name was last said to speak for."""
        told = self._known.get(self._prefix + connection.encode(), {})
        newest = max(told.values(), key=lambda known: known.status.time, default=None)
        return None if newest is None else newest.status.accounts

    def superseding(self, own: FeedStatus, now: float) -> int | None:
        """The epoch of another connection that outranks what `own` tells, and is gone; else None.

        Its accounts' newest snapshots are of that later epoch. Whatever `own` tells of them counts
        for old until it begins a later epoch itself.
        """
        # Of ourselves another key counts: it may have told of the same user, and be refused now.
        itself = (self._instance, own.connection)
        found = [
            known.status.epoch
            for known in self._all()
            if (known.status.instance, known.status.connection) != itself
            and known.status.epoch is not None
            and known.status.epoch > (own.epoch or 0)
            and now - known.connected_at > GONE_SECONDS
            and _share_accounts(known.status, own)
        ]
        return max(found, default=None)

    def forgotten(self, connections: set[str], now: float) -> list[bytes]:
        """The keys of connections that nobody has any more: not among ours, and long silent."""
        own = {self._prefix + connection.encode() for connection in connections}
        return [
            key
            for key, told in self._known.items()
            if key not in own
            and all(now - known.told_at > SILENT_SECONDS for known in told.values())
        ]

    def _all(self) -> list[_Known]:
        return [known for told in self._known.values() for known in told.values()]


def _share_accounts(one: FeedStatus, other: FeedStatus) -> bool:
    """Whether two connections speak for an account in common; None is for all."""
    if one.accounts is None or other.accounts is None:
        return True
    return not set(one.accounts).isdisjoint(other.accounts)
