"""A venue's count of time as the contract's text."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from headroom.audit.numbers import Number

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE: Final = re.compile(r"[0-9]{1,19}")
_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z")
_NS_PER_SECOND: Final = 10**9
_UNITS: Final = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""From which count on how many nanoseconds one step is: what lies there is of our time."""


def is_time(text: str | None) -> bool:
    """Say whether a text is a time as the contract writes it."""
    if text is None or not _RFC3339.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True


def venue_time(stamp: object) -> str | None:
    """Write sFOX's `timestamp`; None where there is none that can be read."""
    if not isinstance(stamp, Number) or not _WHOLE.fullmatch(stamp):
        return None
    count = int(stamp)
    ns = count * next(step for least, step in _UNITS if count >= least)
    seconds, rest = divmod(ns, _NS_PER_SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return f"{moment.isoformat()[:19]}.{rest:09d}Z"
