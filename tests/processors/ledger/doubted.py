"""Frames that could not be read, made short: of the places that `snapshot` gives to frames."""

from processors.ledger.users import Unread
from schemas.documents import Source
from schemas.times import rfc3339

OWN = "sfox:a"


def unread(receipt: int, *, epoch: int = 1, user: str = OWN, account: str = "a") -> Unread:
    source = Source("raw.sfox.balances.v1", 0, epoch * 10**6 + receipt)
    time = rfc3339(epoch * 10**12 + receipt)
    return Unread("sfox", account, user, epoch, receipt, time, "unreadable frame", source)
