"""Time as the documents write it: RFC 3339, UTC with a `Z`, nine decimals."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_S: Final = 1_000_000_000
# What `datetime` can write: years 1 to 9999.
_SECONDS_MIN: Final = -62_135_596_800
_SECONDS_MAX: Final = 253_402_300_799
_SECONDS_TEXT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_FRACTION_TEXT: Final = re.compile(r"\.[0-9]{9}Z")
_SECONDS_LETTERS: Final = 19
# Frames come thousands a second, so the seconds of nearly all of them were written just before.
_SECONDS_REMEMBERED: Final = 4_096
# A 19-digit timestamp counts nanoseconds, a 16-digit one microseconds, and so on down.
_UNITS: Final = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000), (0, _NS_PER_S))

# Of records' times: in milliseconds the first of these is the year 5138.
_RECORD_UNITS: Final = ((10**17, 1), (10**14, 1_000), (0, 1_000_000))
_NS_MAX: Final = 2**63 - 1


def rfc3339(time_ns: int) -> str:
    """Nanoseconds since 1970 as `2024-03-13T22:00:25.302228171Z`; ValueError beyond year 9999."""
    seconds, nanoseconds = divmod(time_ns, _NS_PER_S)
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        message = f"time out of range: {time_ns} ns"
        raise ValueError(message)
    return f"{_text_of_seconds(seconds)}.{nanoseconds:09d}Z"


def record_time_ns(timestamp: int) -> int:
    """Nanoseconds since 1970 of a Kafka record's time, whatever a stranger took it for.

    It is in milliseconds. One that is so great that it must be micro- or nanoseconds counts as
    such; one before 1970 is 1970, one beyond what 64 bits of nanoseconds hold (2262) is their last.
    """
    for threshold, factor_ns in _RECORD_UNITS:
        if timestamp >= threshold:
            return min(timestamp * factor_ns, _NS_MAX)
    return 0


def time_ns_of(text: str) -> int:
    """Nanoseconds since 1970 of a text that `rfc3339` wrote; ValueError for any other text."""
    fraction = text[_SECONDS_LETTERS:]
    if _FRACTION_TEXT.fullmatch(fraction) is None:
        raise ValueError(_not_a_time(text))
    return _seconds_of(text[:_SECONDS_LETTERS]) * _NS_PER_S + int(fraction[1:-1])


@lru_cache(_SECONDS_REMEMBERED)
def _text_of_seconds(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}".rjust(_SECONDS_LETTERS, "0")


@lru_cache(_SECONDS_REMEMBERED)
def _seconds_of(text: str) -> int:
    if _SECONDS_TEXT.fullmatch(text) is None:
        raise ValueError(_not_a_time(text))
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int((moment - _EPOCH).total_seconds())


def _not_a_time(text: str) -> str:
    return f"not an RFC 3339 time with nine decimals and a Z: {text[:40]!r}"


def venue_time(timestamp: int) -> str | None:
    """A venue's integer timestamp, its unit told by its magnitude; None where it is no time.

    Source: sFOX documents microseconds and shows nanoseconds.
    """
    for threshold, factor_ns in _UNITS:
        if timestamp >= threshold:
            try:
                return rfc3339(timestamp * factor_ns)
            except ValueError:
                return None
    return None
