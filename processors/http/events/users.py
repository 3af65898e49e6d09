"""Events about users: what they hold, their exposure, and how fresh that is."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from processors.compiled import Row, documents, read_row
from processors.engine.table import Table, rows_in_turns
from processors.freshness import LIVE, Connections, Held, Verdict, held_of, user_freshness
from processors.http.events.log import Thing
from processors.http.events.source import Told
from processors.http.events.text import event
from processors.http.rows import beside
from processors.ledger.users import UserState
from processors.ledger.views import NOWHERE, Venues, user_balances, user_exposure
from schemas.codec import NotADocument, decode

BALANCES: Final = "balances"
EXPOSURE: Final = "exposure"
FRESHNESS: Final = "freshness"
_Fresh = tuple[Any, ...]
"""What makes freshness another one: each account's state, cause and since. Empty: all are live."""


class _Head(msgspec.Struct, frozen=True):
    version: int


class _Read(NamedTuple):
    row: bytes
    state: UserState


class UserEvents:
    """The rows of the users' table, and what `now` says of the connections.

    A row that nobody of us wrote is not told of: questions about it are 503.
    """

    kinds: tuple[str, ...] = (BALANCES, EXPOSURE, FRESHNESS)

    def __init__(
        self, table: Table, *, now: Callable[[], Connections], in_assets: Venues = NOWHERE
    ) -> None:
        self.table = table
        self._now = now
        self._in_assets = in_assets
        # By partition: the version that was last entered, and who is not wholly live.
        self._versions: dict[int, dict[bytes, int]] = {}
        self._fresh: dict[int, dict[bytes, _Fresh]] = {}
        # A user's events of all kinds are told one after the other.
        self._read: _Read | None = None

    def changed(self, partition: int, keys: Iterable[bytes]) -> Iterable[Thing]:
        """What is another one since the rows of these keys were written."""
        versions = self._versions.setdefault(partition, {})
        for key in keys:
            row = self.table.committed(partition, key)
            version = -1 if row is None else _version_of(row)
            # The row also changes where a snapshot came once more, word for word.
            if versions.get(key) != version:
                versions[key] = version
                yield Thing(BALANCES, key)
                yield Thing(EXPOSURE, key)
            if row is not None and self._is_another(partition, key, row):
                yield Thing(FRESHNESS, key)

    async def look(self, partition: int) -> AsyncIterator[Thing]:
        """Whose freshness is another one since this was last asked."""
        async for key, row in rows_in_turns(self.table, partition):
            if self._is_another(partition, key, row):
                yield Thing(FRESHNESS, key)

    def forget(self, partition: int) -> None:
        """Nobody is told of a partition any more."""
        self._versions.pop(partition, None)
        self._fresh.pop(partition, None)

    def tell(self, partition: int, kind: str, key: bytes, about: bytes = b"") -> tuple[Told, ...]:  # noqa: ARG002 - each kind has one
        """What HTTP would answer now, and for an answer of 404 that there is nothing any more."""
        row = self.table.committed(partition, key)
        if row is None:
            return ()
        plain = read_row(row)
        if plain is not None:
            return (self._of_plain(kind, plain),)
        state = self._state_of(row)
        if state is None:
            return ()
        document = self._document(kind, state)
        assets, venues = _had_by(state)
        return (Told(event(kind, msgspec.json.encode(document)), assets, venues),)

    def _of_plain(self, kind: str, row: Row) -> Told:
        """What is told of a plain row, which is not decoded for it."""
        newest = row.newest
        if kind == FRESHNESS:
            document = b'{"user":%b,"version":%d}' % (msgspec.json.encode(newest.user), row.version)
        else:
            document = documents(row)[kind == EXPOSURE]
        data = beside(document, user_freshness(newest, self._now()))
        # A plain account names all that it ever held.
        return Told(event(kind, data), frozenset(row.assets), frozenset(newest.place[:1]))

    def page(
        self, partition: int, kinds: frozenset[str], after: bytes | None, count: int
    ) -> tuple[list[tuple[str, bytes]], bytes | None]:
        """The next users of a partition, in the order of their names."""
        told = [kind for kind in self.kinds if kind in kinds]
        found: list[tuple[str, bytes]] = []
        if not told:
            return found, None
        for key, _ in self.table.committed_items(partition, start=after or b""):
            if key == after:
                continue
            if len(found) >= count:
                return found, found[-1][1]
            found += [(kind, key) for kind in told]
        return found, None

    def _document(self, kind: str, state: UserState) -> dict[str, Any]:
        if not state.live:
            return {"user": state.user, "version": state.version, "deleted": True}
        freshness = msgspec.to_builtins(user_freshness(state, self._now()))
        if kind == FRESHNESS:
            return {"user": state.user, "version": state.version, "freshness": freshness}
        view = user_balances(state) if kind == BALANCES else user_exposure(state, self._in_assets)
        return {**msgspec.to_builtins(view), "freshness": freshness}

    def _state_of(self, row: bytes) -> UserState | None:
        read = self._read
        if read is None or read.row != row:
            try:
                read = self._read = _Read(row, decode(row, UserState))
            except NotADocument:
                return None
        return read.state

    def _is_another(self, partition: int, key: bytes, row: bytes) -> bool:
        """Whether a user is not as fresh as was known; it is known from here on."""
        known = self._fresh.setdefault(partition, {})
        fresh = self._fresh_of(row)
        if known.get(key, ()) == fresh:
            return False
        if fresh:
            known[key] = fresh
        else:
            del known[key]
        return True

    def _fresh_of(self, row: bytes) -> _Fresh:
        at, plain = self._now(), read_row(row)
        if plain is not None:
            venue, account, epoch, receipt = plain.newest.place
            verdict = at.judge(venue, account, epoch, receipt)
            return () if verdict is LIVE else (_signature(venue, account, verdict),)
        state = self._state_of(row)
        helds: list[Held] = [] if state is None else held_of(state)
        found = [(one, at.verdict(one)) for one in helds]
        return tuple(_signature(h.venue, h.account, v) for h, v in found if v is not LIVE)


def _signature(venue: str, account: str, verdict: Verdict) -> tuple[Any, ...]:
    doubt = verdict.doubt
    if doubt is None:
        return venue, account, verdict.state
    # Since when nothing is told is worked out anew each time, from two clocks.
    since = None if verdict.state == "stale" else doubt.since
    return venue, account, verdict.state, doubt.cause, since


def _version_of(row: bytes) -> int:
    try:
        return msgspec.json.decode(row, type=_Head).version
    except msgspec.DecodeError:
        return -1


def _had_by(state: UserState) -> tuple[frozenset[str], frozenset[str]]:
    """The assets that a user ever held or has a limit for, and the venues of all its accounts."""
    snapshots = state.accounts.values()
    held = (asset for snapshot in snapshots for asset in snapshot.assets)
    moved = (key.partition(":")[0] for key in state.moved)
    return (
        frozenset([*state.assets, *held]),
        frozenset([*(snapshot.venue for snapshot in snapshots), *moved]),
    )
