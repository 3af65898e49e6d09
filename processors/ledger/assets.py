"""All users' sums in one place: rows and versions in a table, the sums themselves in memory."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, cast

import msgspec

from processors.compiled import Moved, PlainShare
from processors.ledger.contributions import (
    AssetContribution,
    Contribution,
    are_well_formed,
    decode,
    encode,
    key_of,
    row_key,
)
from processors.ledger.rows import RowNotRead, reading
from processors.ledger.sums import AssetSum, BaseSum, new_sum
from schemas.codec import decode_by
from schemas.documents import AssetExposure, BaseExposure

ReadRows = Callable[[list[bytes]], list[bytes | None]]
Share = Contribution | PlainShare
SumDocument = AssetExposure | BaseExposure
Sums = dict[bytes, AssetSum | BaseSum]


class Head(msgspec.Struct, frozen=True, gc=False):
    """The row of a sum itself: its version, and what was published with it.

    `document` is what the questions answer; the sums that the folds go on from are never taken
    from it, but worked out from the rows.
    """

    version: int
    document: msgspec.Raw


_HEAD: Final = msgspec.json.Decoder(Head)
_KEY: Final = msgspec.json.Decoder(list[str])
_ROWS_AT_ONCE: Final = 1_000


class Emission(msgspec.Struct, frozen=True, gc=False):
    """A sum's new document, and the time of the frame that led to it."""

    document: SumDocument
    time: str


class Changes(msgspec.Struct, frozen=True, gc=False):
    """What a run of contributions changes: rows to write, documents to publish, stale ones."""

    rows: dict[bytes, bytes]
    emissions: list[Emission]
    stale: int


class SumLedger:
    """The sums of the partitions that a worker holds."""

    def __init__(self) -> None:
        self._sums: dict[int, Sums] = {}

    def load(self, partition: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Work out the sums of a partition anew from its rows; raises `RowNotRead`."""
        sums: Sums = {}
        left = iter(rows)
        while some := list(islice(left, _ROWS_AT_ONCE)):
            for contribution in _contributions(some):
                _exchange(sums, key_of(contribution), None, contribution)
        self._sums[partition] = sums

    def drop(self, partition: int) -> None:
        """Forget the sums of a partition that was taken away."""
        self._sums.pop(partition, None)

    def fold(self, partition: int, shares: Iterable[Share], read: ReadRows) -> Changes:
        """Fold contributions in; `read` reads rows of the table as they were before, many at once.

        Every sum that a contribution reaches gets a new version and is published, also where the
        contribution was already there: a crash may have kept the row and lost the publication. Of
        several contributions of one user to one sum the newest alone is folded.
        """
        sums = self._sums[partition]  # a partition that was never loaded would sum from nothing
        rows: dict[bytes, bytes] = {}
        touched: dict[bytes, Share] = {}
        exchange = _Exchange(sums)
        newest, stale = _newest(shares)
        for (row, new), stored in zip(newest.items(), read(list(newest)), strict=True):
            if isinstance(new, PlainShare):
                key, is_new = new.key, not new.stands_in(stored)
                told = new.data if is_new else b""
            else:
                key, told = key_of(new), encode(new)
                is_new = told != stored
            if is_new:
                if not exchange(row, key, stored, new):
                    stale += 1
                    continue
                rows[row] = told
            touched[key] = new
        exchange.end()
        emissions = []
        for (key, last), head in zip(touched.items(), read(list(touched)), strict=True):
            document = sums[key].document(_version(key, head) + 1)
            rows[key] = msgspec.json.encode(
                Head(document.version, msgspec.Raw(msgspec.json.encode(document)))
            )
            emissions.append(Emission(document, last.time))
        return Changes(rows, emissions, stale)

    def assets(self, partition: int) -> list[str]:
        """The names of the assets that a partition holds sums of."""
        return [
            found.asset
            for found in self._sums.get(partition, {}).values()
            if isinstance(found, AssetSum)
        ]


def published(head: bytes) -> bytes:
    """The JSON text of a sum's document, given its head's row; raises `NotADocument`."""
    return bytes(decode_by(head, _HEAD).document)


class _Exchange:
    """Exchanges shares in sums; what plain ones move is summed up first, and moved at the end."""

    def __init__(self, sums: Sums) -> None:
        self._sums = sums
        self._moved: dict[bytes, Moved] = {}

    def __call__(self, row: bytes, key: bytes, stored: bytes | None, new: Share) -> bool:
        """Take out what a row says, and the new share in; False where the row is newer."""
        if isinstance(new, PlainShare):
            moved = self._moved.get(key)
            if moved is None:
                moved = self._moved[key] = Moved()
                if key not in self._sums:
                    self._sums[key] = AssetSum(new.asset)
            done = moved.exchange(new, stored)
            if done is not None:
                return done
            new = decode(new.data)
        self._move(key)
        with reading(row):
            old = None if stored is None else decode(stored)
        if old is not None and old.version > new.version:
            return False
        _exchange(self._sums, key, old, new)
        return True

    def end(self) -> None:
        """Move what has not been moved yet."""
        for key in list(self._moved):
            self._move(key)

    def _move(self, key: bytes) -> None:
        moved = self._moved.pop(key, None)
        if moved is not None:
            cast("AssetSum", self._sums[key]).move(moved)


def _newest(shares: Iterable[Share]) -> tuple[dict[bytes, Share], int]:
    """The newest contribution to each row, in the order in which they came; how many came late."""
    newest: dict[bytes, Share] = {}
    stale = 0
    for one in shares:
        row = one.row if isinstance(one, PlainShare) else row_key(key_of(one), one.user)
        before = newest.get(row)
        if before is not None and before.version > one.version:
            stale += 1
            continue
        newest.pop(row, None)
        newest[row] = one
    return newest, stale


def _version(key: bytes, head: bytes | None) -> int:
    if head is None:
        return 0
    with reading(key):
        return decode_by(head, _HEAD).version


def check_row(key: bytes, row: bytes) -> None:
    """That a row of the table is one of ours, by how it begins and ends; raises `RowNotRead`.

    `SumLedger.load` looks at all of it.
    """
    with reading(key):
        is_head = len(decode_by(key, _KEY)) == 2  # noqa: PLR2004 - kind and name
    if row.startswith(b'{"version":' if is_head else b'{"kind":"') and row.endswith(b"}"):
        return
    _contributions([(key, row)])


def _contributions(rows: Sequence[tuple[bytes, bytes]]) -> list[Contribution]:
    """What these rows add to the sums; a sum's own row, its head, adds nothing."""
    found: list[Contribution] = []
    for key, row in rows:
        with reading(key):
            # A head's key is the kind and the name; a share's the user, too.
            if len(decode_by(key, _KEY)) == 2:  # noqa: PLR2004 - see above
                decode_by(row, _HEAD)
            else:
                found.append(decode(row))
    if not are_well_formed(found):
        if len(rows) == 1:
            raise RowNotRead(rows[0][0], "an amount without its form")
        for one in rows:
            _contributions([one])
    return found


def _exchange(sums: Sums, key: bytes, old: Contribution | None, new: Contribution) -> None:
    found = sums.get(key)
    if found is None:
        found = sums[key] = new_sum(new)
    if isinstance(found, AssetSum):
        found.exchange(cast("AssetContribution | None", old), cast("AssetContribution", new))
    else:
        found.exchange(old, new)  # type: ignore[arg-type]
