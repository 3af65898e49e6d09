"""A batch of snapshots folded at once: each user's row is read, summed and told of once."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from processors import compiled
from processors.compiled import Account, Folded, Row
from processors.ledger.contributions import Share, bundles, keyed
from processors.ledger.doubts import Doubtful, confirmed_by, doubts
from processors.ledger.moves import Adoption, Change, Observed, Order, follow, passed_on
from processors.ledger.rows import RowNotRead, reading
from processors.ledger.users import EMITS, Unread, UserState, Verdict, fold
from processors.ledger.views import NOWHERE, Venues, View
from schemas.codec import decode, decode_snapshot, encode
from schemas.documents import BalanceSnapshot
from schemas.identity import user_for

Snapshot = BalanceSnapshot | Account
ReadRow = Callable[[bytes], bytes | None]

REMEMBERED_BYTES_MAX: Final = 16 * 1024 * 1024


class UserChange(msgspec.Struct, frozen=True, gc=False):
    """What is new of one user: the row and the documents, or None for a tombstone.

    `key` is the user's in every topic and table; `time` is that of the last frame that led to it.
    """

    key: bytes
    user: str
    version: int
    time: str
    row: bytes
    balances: bytes | None
    exposure: bytes | None


class UserChanges(msgspec.Struct, gc=False):
    """What a run of snapshots changes.

    `shares` are what the sums have to be told, `onward` what other users have to be. `rows` are
    those of which the public sees nothing, by their keys; `doubtful` the accounts of which it has
    to know that they are in doubt, or no longer. `verdicts` counts snapshots by venue and verdict,
    `vanished` by venue the held assets that a snapshot no longer named.
    """

    users: list[UserChange] = []
    shares: list[Share] = []
    verdicts: Counter[tuple[str, Verdict]] = msgspec.field(default_factory=Counter)
    vanished: Counter[str] = msgspec.field(default_factory=Counter)
    rows: dict[bytes, bytes] = {}
    onward: list[Adoption | Unread] = []
    doubtful: list[Doubtful] = []

    def tally(self, venue: str, folded: list[Folded]) -> None:
        """Count what became of snapshots that went the short way."""
        for verdict, count in (
            (Verdict.ACCEPTED, sum([one.accepted for one in folded])),
            (Verdict.DUPLICATE, sum([one.duplicate for one in folded])),
            (Verdict.STALE, sum([one.stale for one in folded])),
            (Verdict.REDELIVERED, sum([one.redelivered for one in folded])),
        ):
            if count:
                self.verdicts[venue, verdict] += count
        if vanished := sum([one.vanished for one in folded]):
            self.vanished[venue] += vanished

    @property
    def contributions(self) -> list[tuple[bytes, bytes]]:
        """The shares as records, key and value."""
        return bundles(self.shares)


class UserLedger:
    """Folds snapshots into rows; it remembers the rows that it wrote, to read them without work.

    `with_shares`: whether the sums over all users are wanted at all; `in_assets`: see `View`.
    """

    def __init__(
        self,
        remembered_bytes_max: int = REMEMBERED_BYTES_MAX,
        *,
        with_shares: bool = True,
        in_assets: Venues = NOWHERE,
    ) -> None:
        self._remembered = _Remembered(remembered_bytes_max, in_assets)
        self._in_assets = in_assets
        self._with_shares = with_shares

    def fold(self, snapshots: Iterable[Snapshot], read: ReadRow) -> UserChanges:
        """Fold snapshots in, in their order; `read` reads the table's rows as they were before.

        Versions count every accepted change; documents and contributions tell where they led to,
        the latter in comparison with the row before the batch. A redelivery tells of everything
        again.
        """
        by_user: dict[str, list[Snapshot]] = {}
        for snapshot in snapshots:
            of_user = by_user.get(snapshot.user)
            if of_user is None:
                by_user[snapshot.user] = [snapshot]
            else:
                of_user.append(snapshot)
        changes = UserChanges()
        folded_of: dict[str, list[Folded]] = {}
        for user, of_user in by_user.items():
            key = user.encode()
            row = read(key)
            folded = self._fold_compiled(key, row, of_user)
            if folded is None:
                self._fold(key, row, of_user, changes)
                continue
            folded_of.setdefault(folded.venue, []).append(folded)
            if folded.time is not None:
                changes.users.append(self._change(key, user, folded, folded.time))
                changes.shares += folded.shares
            if folded.redelivered:
                # A plain row has no doubt; but that may not have been told.
                changes.doubtful.append(confirmed_by(folded.state.newest))
        for venue, folded_there in folded_of.items():
            changes.tally(venue, folded_there)
        return changes

    def move(self, orders: Iterable[Order], read: ReadRow) -> UserChanges:
        """Follow orders about accounts, in their order; the rest is as with `fold`."""
        by_user: dict[bytes, list[Change]] = {}
        for order in orders:
            if not isinstance(order, Observed):
                by_user.setdefault(order.user.encode(), []).append(order)
        changes = UserChanges()
        for key, of_user in by_user.items():
            row = read(key)
            before = None if row is None else self._remembered.view(key, row)
            state, time, again = None if before is None else before.state, None, before is None
            retold = set[str]()
            for order in of_user:
                step = follow(state, order)
                state, time, again = step.state, step.time or time, again or step.again
                if step.onward is not None:
                    changes.onward.append(step.onward)
                if step.doubtful is not None:
                    retold.add(step.doubtful)
            self._follows(key, before, state, None if again else before, time, changes)
            if state is not None:
                changes.doubtful += doubts(None if before is None else before.state, state, retold)
        return changes

    def fold_one(self, snapshot: Snapshot, read: ReadRow) -> UserChange | None:
        """Fold one snapshot into its user's row, nothing counted; None where nothing follows."""
        user = snapshot.user
        key = user.encode()
        row = read(key)
        folded = self._fold_compiled(key, row, [snapshot])
        if folded is not None:
            return None if folded.time is None else self._change(key, user, folded, folded.time)
        changes = UserChanges()
        self._fold(key, row, [snapshot], changes)
        return changes.users[0] if changes.users else None

    def _fold_compiled(
        self, key: bytes, row: bytes | None, snapshots: list[Snapshot]
    ) -> Folded | None:
        """Fold a user's snapshots the short way; None where they have to go the long one."""
        before = None if row is None else self._remembered.row(key, row)
        if before is None and row is not None:
            return None
        return compiled.fold(before, snapshots, self._with_shares)

    def _change(self, key: bytes, user: str, folded: Folded, time: str) -> UserChange:
        """What follows from a user's snapshots that went the short way."""
        self._remembered.put(key, folded.row, folded.state)
        return UserChange(
            key,
            user,
            folded.state.version,
            time,
            folded.row,
            folded.balances,
            folded.exposure,
        )

    def _fold(
        self, key: bytes, row: bytes | None, snapshots: list[Snapshot], changes: UserChanges
    ) -> None:
        """Fold a user's snapshots whatever they are."""
        before = None if row is None else self._remembered.view(key, row)
        state, time, again = None if before is None else before.state, None, before is None
        retold = set[str]()
        for told in snapshots:
            snapshot = decode_snapshot(told.document) if isinstance(told, Account) else told
            elsewhere = passed_on(state, snapshot)
            if elsewhere is not None:
                changes.verdicts[snapshot.venue, Verdict.MOVED] += 1
                changes.onward.append(elsewhere)
                continue
            folded = fold(state, snapshot)
            changes.verdicts[snapshot.venue, folded.verdict] += 1
            if folded.vanished:
                changes.vanished[snapshot.venue] += len(folded.vanished)
            state = folded.state
            if folded.verdict in EMITS:
                time = folded.time
                again = again or folded.verdict is Verdict.REDELIVERED
            if folded.is_again:
                retold.add(user_for(snapshot.venue, snapshot.account))
        self._follows(key, before, state, None if again else before, time, changes)
        if state is not None:
            changes.doubtful += doubts(None if before is None else before.state, state, retold)

    def _follows(
        self,
        key: bytes,
        before: View | None,
        state: UserState | None,
        since: View | None,
        time: str | None,
        changes: UserChanges,
    ) -> None:
        """What follows from a user's new state; of the private row alone where `time` is None."""
        if state is not None and time is not None:
            self._tell(key, View(state, self._in_assets), time, since, changes)
        elif state is not None and (before is None or state != before.state):
            changes.rows[key] = encode(state)

    def _tell(
        self, key: bytes, view: View, time: str, since: View | None, changes: UserChanges
    ) -> None:
        """What follows from a user's new state; `since` is what the sums were told before."""
        state, balances, exposure = view.state, view.balances(), view.exposure()
        change = UserChange(
            key=key,
            user=state.user,
            version=state.version,
            time=time,
            row=encode(state),
            balances=None if balances is None else encode(balances),
            exposure=None if exposure is None else encode(exposure),
        )
        changes.users.append(change)
        if self._with_shares:
            changes.shares += keyed(view.shares(time, since=since))
        self._remembered.put(key, change.row, view)


def check_row(key: bytes, row: bytes) -> None:
    """That a row of the table is one of ours, by how it begins and ends; raises `RowNotRead`.

    Tables of any size go through here; who reads a row finds what is wrong within.
    """
    name = msgspec.json.encode(key.decode("utf-8", "replace"))
    if row.startswith(b'{"user":%b,"version":' % name) and row.endswith(b"}"):
        return
    with reading(key):
        user = decode(row, UserState).user
    if user.encode() != key:
        raise RowNotRead(key, "it is another user's")


class _Remembered:
    """What rows say, by their key, the oldest forgotten first.

    It is never ahead of the table: what is remembered counts only for the very bytes that the
    table holds.
    """

    def __init__(self, bytes_max: int, in_assets: Venues) -> None:
        self._bytes_max = bytes_max
        self._in_assets = in_assets
        self._bytes = 0
        self._rows: dict[bytes, tuple[bytes, View | Row]] = {}

    def view(self, key: bytes, row: bytes) -> View:
        """What a row says."""
        found = self._rows.get(key)
        if found is not None and found[0] == row and isinstance(found[1], View):
            return found[1]
        with reading(key):
            return View(decode(row, UserState), self._in_assets)

    def row(self, key: bytes, row: bytes) -> Row | None:
        """The same of a plain one; None if it is not plain."""
        found = self._rows.get(key)
        if found is not None and found[0] == row:
            return found[1] if isinstance(found[1], Row) else None
        return compiled.read_row(row)

    def put(self, key: bytes, row: bytes, said: View | Row) -> None:
        """Remember what a row says."""
        rows = self._rows
        before = rows.pop(key, None)
        rows[key] = row, said
        self._bytes += len(row) - (0 if before is None else len(before[0]))
        while self._bytes > self._bytes_max:
            oldest, _ = rows.pop(next(iter(rows)))
            self._bytes -= len(oldest)
