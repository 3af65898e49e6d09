"""`headroom`, with a normaliser that is wrong of three kinds of accounts, deliberately."""

import sys
from typing import Any

import processors.agents
from headroom.cli import main
from processors.normalise import tell
from schemas.codec import Told
from schemas.rejections import Reason, Rejected

MISREAD, UNREAD, STRAY = "misread-", "unread-", "stray-"


def wrong(venue: str, topic: str, partition: int, record: Any, *more: Any) -> Told | Rejected:
    """Some amounts are other ones, some frames cannot be read, some belong to another user."""
    told = tell(venue, topic, partition, record, *more)
    account = (record.key or b"").decode()
    if isinstance(told, Rejected):
        return told
    if account.startswith(MISREAD):
        document = told.document.replace(b'"held":"0"', b'"held":"0.5"')
        return Told(told.user, document, told.received_time)
    if account.startswith(UNREAD):
        return Rejected(Reason.AMOUNT, "deliberately")
    if account.startswith(STRAY):
        user = f"{told.user}-ghost"
        document = told.document.replace(told.user.encode(), user.encode(), 1)
        return Told(user, document, told.received_time)
    return told


if __name__ == "__main__":
    processors.agents.tell = wrong  # type: ignore[attr-defined]
    sys.argv[0] = "headroom"
    main()
