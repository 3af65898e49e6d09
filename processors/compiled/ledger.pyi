from collections.abc import Sequence

from processors.compiled.account import Account

class Row:
    version: int
    newest: Account

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

def read_row(data: bytes) -> Row | None: ...
def fold(before: Row | None, snapshots: Sequence[object], with_shares: bool) -> Folded | None: ...
