"""A batch of snapshots folded at once: each user's row is read, summed and told of once."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from processors import compiled
from processors.ledger.contributions import Contribution, bundles
from processors.ledger.users import CHANGES, EMITS, Fold, UserState, Verdict, fold
from processors.ledger.views import View
from schemas.codec import Told, decode, encode, encode_list

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


class UserChanges(msgspec.Struct, frozen=True, gc=False):
    """What a run of snapshots changes.

    `contributions` are records by the key of their sum. `verdicts` counts snapshots by venue and
    verdict, `vanished` by venue the held assets that a snapshot no longer named.
    """

    users: list[UserChange]
    contributions: list[tuple[bytes, bytes]]
    verdicts: Counter[tuple[str, Verdict]]
    vanished: Counter[str]


class _Turn:
    """One user while a batch is folded: the row as it was, and as it has become."""

    __slots__ = ("again", "before", "document", "key", "state", "time")

    def __init__(self, key: bytes, before: View | None) -> None:
        self.key = key
        self.before = before
        self.state: UserState | None = None if before is None else before.state
        self.time: str | None = None
        self.again = before is None
        # That of the newest snapshot, where it came in this batch.
        self.document: bytes | None = None

    def take(self, folded: Fold, document: bytes) -> None:
        self.state = folded.state
        self.time = folded.time
        if folded.verdict in CHANGES:
            self.document = document
        self.again = self.again or folded.verdict is Verdict.REDELIVERED


class UserLedger:
    """Folds snapshots into rows; it remembers the rows that it wrote, to read them without work."""

    def __init__(self, remembered_bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._remembered = _Remembered(remembered_bytes_max)

    def fold(self, snapshots: Iterable[Told], read: ReadRow) -> UserChanges:
        """Fold snapshots in, in their order; `read` reads the table's rows as they were before.

        Versions count every accepted change; documents and contributions tell where they led to,
        the latter in comparison with the row before the batch. A redelivery tells of everything
        again.
        """
        turns: dict[str, _Turn] = {}
        verdicts = Counter[tuple[str, Verdict]]()
        vanished = Counter[str]()
        for snapshot, document in snapshots:
            turn = turns.get(snapshot.user)
            if turn is None:
                key = snapshot.user.encode()
                turn = turns[snapshot.user] = _Turn(key, self._remembered.view(key, read(key)))
            folded = fold(turn.state, snapshot)
            verdicts[snapshot.venue, folded.verdict] += 1
            if folded.vanished:
                vanished[snapshot.venue] += len(folded.vanished)
            if folded.verdict in EMITS:
                turn.take(folded, document)
        shares: list[Contribution] = []
        users = [
            self._change(turn, turn.state, turn.time, shares)
            for turn in turns.values()
            if turn.state is not None and turn.time is not None
        ]
        return UserChanges(users, bundles(shares), verdicts, vanished)

    def _change(
        self, turn: _Turn, state: UserState, time: str, shares: list[Contribution]
    ) -> UserChange:
        """What a user's turn led to; the user's contributions are added to `shares`."""
        view = View(state)
        shares += self._shares(view, time, None if turn.again else turn.before)
        row, balances, exposure = _documents(view, turn.document)
        self._remembered.put(turn.key, row, view)
        return UserChange(turn.key, state.user, state.version, time, row, balances, exposure)

    def _shares(self, view: View, time: str, since: View | None) -> list[Contribution]:
        return view.shares(time, since=since)


def _documents(view: View, newest: bytes | None) -> tuple[bytes, bytes | None, bytes | None]:
    """A user's row, balances and exposure; `newest` is the document of the newest snapshot."""
    if newest is not None and compiled.of_one_account is not None and view.is_of_one_account:
        told = compiled.of_one_account(view.state, newest, encode_list(view.limits()))
        if told is not None:
            return told
    balances, exposure = view.balances(), view.exposure()
    return (
        encode(view.state),
        None if balances is None else encode(balances),
        None if exposure is None else encode(exposure),
    )


class _Remembered:
    """What rows say, by their key, the oldest forgotten first.

    It is never ahead of the table: what is remembered counts only for the very bytes that the
    table holds.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._rows: dict[bytes, tuple[bytes, View]] = {}

    def view(self, key: bytes, row: bytes | None) -> View | None:
        if row is None:
            return None
        found = self._rows.get(key)
        if found is not None and found[0] == row:
            return found[1]
        return View(decode(row, UserState))

    def put(self, key: bytes, row: bytes, view: View) -> None:
        self._forget(key)
        self._rows[key] = row, view
        self._bytes += len(row)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._rows)))

    def _forget(self, key: bytes) -> None:
        found = self._rows.pop(key, None)
        if found is not None:
            self._bytes -= len(found[0])
