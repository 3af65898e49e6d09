"""Snapshots that this worker wrote a moment ago: their readers need not decode them again."""

from collections import OrderedDict
from typing import Final

from processors.compiled import Account, read
from schemas.codec import decode_snapshot
from schemas.documents import BalanceSnapshot

WRITTEN_MAX: Final = 8_192
WRITTEN_BYTES_MAX: Final = 16 * 1024 * 1024


class WrittenSnapshots:
    """Snapshots by the bytes that were made of them, until they are read; the oldest go first.

    A worker mostly reads what it wrote itself, and what is plain needs no decoding anyway. It
    cannot be misled: only the very same bytes find a snapshot, and from the same bytes the same
    snapshot would be decoded.
    """

    def __init__(
        self, written_max: int = WRITTEN_MAX, written_bytes_max: int = WRITTEN_BYTES_MAX
    ) -> None:
        self._written: OrderedDict[bytes, BalanceSnapshot] = OrderedDict()
        self._bytes = 0
        self._written_max = written_max
        self._written_bytes_max = written_bytes_max

    def put(self, value: bytes, snapshot: BalanceSnapshot) -> None:
        """Remember a snapshot by the bytes that were made of it."""
        if value not in self._written:
            self._bytes += len(value)
        self._written[value] = snapshot
        while len(self._written) > self._written_max or self._bytes > self._written_bytes_max:
            oldest, _ = self._written.popitem(last=False)
            self._bytes -= len(oldest)

    def of(self, value: bytes) -> BalanceSnapshot | Account:
        """The snapshot of these bytes; raises `NotADocument` where they are none."""
        account = read(value)
        if account is not None:
            return account
        snapshot = self._written.pop(value, None)
        if snapshot is None:
            return decode_snapshot(value)
        self._bytes -= len(value)
        return snapshot
