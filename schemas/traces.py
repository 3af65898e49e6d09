"""A frame's trace: the header `traceparent` of raw records, and what is told of their way. No I/O.

Source: W3C Trace Context, "Traceparent Header", version 00, which OpenTelemetry's conventions for
Kafka carry as a header of this name. A raw record is no CloudEvent, so it is not `ce_traceparent`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

TRACEPARENT: Final = "traceparent"
"""On a raw record: the trace that was begun with its frame, where that is one of those sampled."""
_FORM: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")


class Spans(Protocol):
    """Who is told what was done; times are in nanoseconds since 1970."""

    def begin(
        self, name: str, *, began_ns: int, ended_ns: int, told: Mapping[str, str | int]
    ) -> str | None:
        """Begin a trace with what was done: its `traceparent`; None where it is not sampled."""

    def add(
        self,
        name: str,
        parent: bytes,
        *,
        began_ns: int,
        ended_ns: int,
        told: Mapping[str, str | int],
    ) -> None:
        """Add to the trace of a `traceparent` what was done because of it."""


def sampled(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """The `traceparent` of a record whose trace is told; None of any other record."""
    for name, value in headers:
        if name == TRACEPARENT:
            return value if value is not None and _FORM.fullmatch(value) else None
    return None
