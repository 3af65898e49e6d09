"""What must become of a frame: the contract's reading of every venue, written a second time."""

import json
from importlib import import_module
from typing import Any, Final

import msgspec

from headroom.audit.fields import Fields, worst
from headroom.audit.text import read_bytes
from schemas.venues import VENUES

BYTES_MAX: Final = 1024 * 1024
SOCKET_BYTES_MAX: Final = 16 * BYTES_MAX
# What names may take in a user's limits, each of which tells them again.
REPEATED_BYTES_MAX: Final = 4 * 1024 * 1024
_READERS: Final = {venue: import_module(f"headroom.audit.venue.{venue}") for venue in VENUES}


class Reading(msgspec.Struct, frozen=True):
    """Either the `reason` why a frame has no snapshot, or what its snapshot must say."""

    reason: str | None = None
    account: str = ""
    snapshot: dict[str, Any] = {}


def read_parts(venue: str, frame: bytes) -> list[Reading]:
    """Say what must become of a frame of a venue: one thing, or one for each of its accounts."""
    if len(frame) > BYTES_MAX:
        return [Reading("too_large")]
    parsed = read_bytes(frame)
    if not parsed.readable:
        return [Reading(worst(parsed.problems))]
    reader = _READERS[venue]
    if hasattr(reader, "snapshots"):
        told: list[tuple[dict[str, Any], Fields]] = reader.snapshots(parsed)
        return [_judged(snapshot, fields) for snapshot, fields in told]
    if parsed.problems:
        # Of a key that stands twice nobody knows which is meant: what is below it is not read.
        return [Reading(worst(parsed.problems))]
    fields = Fields()
    return [_judged(reader.snapshot(parsed, fields), fields)]


def _judged(snapshot: dict[str, Any], fields: Fields) -> Reading:
    reason = worst(fields.problems)
    if reason is not None:
        return Reading(reason)
    if _repeated_bytes(snapshot) > REPEATED_BYTES_MAX:
        return Reading("too_large")
    return Reading(None, snapshot["account"], snapshot)


def _repeated_bytes(snapshot: dict[str, Any]) -> int:
    """Count the bytes of account and base currency, which every limit of a user tells again."""
    exposures = [snapshot["exposure"] or {}]
    exposures += [asset["exposure"] or {} for asset in snapshot["assets"].values()]
    base = exposures[0].get("base_currency") or ""
    names = json.dumps([snapshot["account"], base], ensure_ascii=False, separators=(",", ":"))
    told = [e for e in exposures[1:] if e.get("current") is not None or e.get("max") is not None]
    return (1 + len(told)) * len(names.encode())


def belongs_in_raw(venue: str, frame: bytes) -> bool:
    """Say whether a producer keeps a frame: all but what can be told to be something else."""
    if len(frame) > SOCKET_BYTES_MAX:
        return False
    parsed = read_bytes(frame)
    value = parsed.value
    if parsed.problems or not isinstance(value, dict):
        return True
    may_be: bool = _READERS[venue].may_be_balances(value)
    return may_be
