from collections.abc import Sequence

from processors.compiled.rows import Row

class Folded:
    venue: str
    accepted: int
    duplicate: int
    stale: int
    redelivered: int
    vanished: int
    state: Row
    time: str | None
    row: bytes
    balances: bytes
    exposure: bytes
    shares: list[tuple[bytes, bytes]]

def fold(before: Row | None, snapshots: Sequence[object], with_shares: bool) -> Folded | None: ...
