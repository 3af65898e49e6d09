"""How long a venue wants us to stay away, by its own words: `Retry-After`, and close codes. Pure.

Source: RFC 9110, section 10.2.3; the registry of WebSocket close codes (RFC 6455, section 11.7).
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from websockets.frames import CloseCode

RETRY_AFTER_SECONDS_MAX: Final = 3_600.0
"""A longer wish is kept for this long: nobody is left blind for a day by a slip in a header."""
RETRY_AFTER_UNCLEAR_SECONDS: Final = 30.0
"""What a `Retry-After` that cannot be read is taken for."""
RESTART_SECONDS: Final = 5.0
"""The registry asks for a random delay of 5 to 30 s after 1012."""
OVERLOAD_SECONDS: Final = 30.0
_DIGITS_MAX: Final = 9
_APPLICATIONS_OWN: Final = range(3_000, 5_000)
_NOT_TO_HURRY: Final = frozenset(
    {CloseCode.POLICY_VIOLATION, CloseCode.SERVICE_RESTART, CloseCode.TRY_AGAIN_LATER}
)


def retry_after_seconds(wish: str | None, date: str | None) -> float:
    """How long a response asks us to wait by `Retry-After`; 0 where it does not.

    A wish that is a date is counted from the response's own `Date`: both are told by the venue's
    clock, and ours is not asked.
    """
    if wish is None:
        return 0.0
    wish = wish.strip()
    if wish.isascii() and wish.isdigit():
        seconds = float(wish[:_DIGITS_MAX]) if len(wish) <= _DIGITS_MAX else RETRY_AFTER_SECONDS_MAX
        return min(seconds, RETRY_AFTER_SECONDS_MAX)
    then, now = _date(wish), _date(date or "")
    if then is None or now is None:
        return RETRY_AFTER_UNCLEAR_SECONDS
    return min(max(0.0, (then - now).total_seconds()), RETRY_AFTER_SECONDS_MAX)


def asks_for_patience(code: int) -> bool:
    """Whether a venue that closes with this code is not to be dialled again in a hurry.

    What an application's own codes (3000 to 4999) mean nobody knows: they may say that we are too
    many, or not wanted.
    """
    return code in _NOT_TO_HURRY or code in _APPLICATIONS_OWN


def seconds_after(code: int) -> float:
    """How long to stay away at least after a close with this code."""
    waits: dict[int, float] = {
        CloseCode.SERVICE_RESTART: RESTART_SECONDS,
        CloseCode.TRY_AGAIN_LATER: OVERLOAD_SECONDS,
    }
    return waits.get(code, 0.0)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # One without a zone cannot be compared with one that has it.
    return found if found.tzinfo is not None else None
