"""The rows: what is injected, and what either side makes of it.

A row is played alike on both sides: the same records, the same agent, the same fault; then, where
the fault ended a worker, a sound one that finishes. The observer has the last word.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tests.engine.stock.bench import Bench
from tests.engine.stock.observer import Seen, Verdict

NAMES: Final = [b"a%d" % number for number in range(8)]
"""Records without trouble, where a row needs some."""


class Row(msgspec.Struct, frozen=True):
    """One defect of stock Faust.

    `stops` is a word of the reason with which our worker must have stopped before it committed;
    empty where it has to go on.
    """

    name: str
    injected: str
    play: Callable[[Bench], Awaitable[Seen]]
    stock: Verdict
    stops: str = ""
