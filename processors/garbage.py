"""Python's search for cycles, made rare: what a batch leaves behind has none, and there is much."""

import gc
from typing import Final

# By default it searches after every 700 new objects; a single record's headers are a dozen.
_THRESHOLDS: Final = (50_000, 20, 50)


def collect_rarely() -> None:
    """Search rarely in this process, and never in what is there now: modules live until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
