"""What our commits say beside their offsets: that they are ours, and whether rows were left: pure.

Kafka's own tools say nothing there. A mark names the offset that it was made for, so that it
vouches for no other one, wherever it is copied to.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from faust.types import TP

LEFT_ROWS: Final = "rows"
"""What it begins with once records before the offset have left rows in a table."""
# The dot: what reads further than the text's end, as confluent-kafka does, finds where it ends.
_MARK: Final = re.compile(rf"({LEFT_ROWS})? ?(?:headroom ([0-9]{{1,19}})\.)?")


class Commit(NamedTuple):
    """A commit: where the group stands, whether rows were left, and whether one of us made it.

    `ours` is not said by commits of versions before marks were.
    """

    offset: int
    left_rows: bool
    ours: bool


Vouch = Callable[[Mapping["TP", Commit]], Awaitable[None]]
"""Finds out whether commits without a mark of ours are right; raises `PositionsMoved`."""


def mark(offset: int, *, left_rows: bool) -> str:
    """What a commit of ours says."""
    return f"{LEFT_ROWS} headroom {offset}." if left_rows else f"headroom {offset}."


def read_commit(offset: int, said: str | None) -> Commit:
    """A commit from what Kafka has of it."""
    found = _MARK.match(said or "")
    if found is None:
        return Commit(offset, left_rows=False, ours=False)
    return Commit(offset, left_rows=found[1] is not None, ours=found[2] == str(offset))
