"""What numbers mean: a broker's version, two clocks, a disk, a certificate. Pure."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from headroom.operate.doctor.findings import Finding, fail, ok, warn

_MIB: Final = 1024**2
_GIB: Final = 1024**3
_TAKE: Final = "take 4.2, which is tested (docs/operations.md)"
# The least `metadata.version` that a release brought (Kafka's MetadataVersion.java). Brokers do not
# tell of their own version otherwise, and of the last number of it not at all.
_RELEASES: Final = ((34, ""), (31, "4.4"), (30, "4.3"), (28, "4.2"), (26, "4.1"), (22, "4.0"))
_CLOCK_SECONDS_MAX: Final = 1.0
_FREE_BYTES_LEAST: Final = 64 * _MIB
_FREE_BYTES_FEW: Final = _GIB
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_CERTIFICATE_DAYS: Final = 14


def judge_version(where: str, level: int | None) -> Finding:
    """A broker's release by the newest `metadata.version` that it supports."""
    if level is None:
        return warn(f"{where} does not tell its version", f"look it up: {_TAKE}")
    release = next((name for least, name in _RELEASES if level >= least), "3.x")
    of = f"{where} is of Kafka {release}" if release else f"{where} is newer than Kafka 4.4"
    if release == "4.2":
        return ok(f"{of} (metadata.version {level})")
    if release == "4.3":
        return fail(f"{of}, which loses the ends of transactions (KAFKA-20734)", _TAKE)
    if release == "4.4":
        return warn(f"{of}: 4.4.0 loses the ends of transactions (KAFKA-20734)", _TAKE)
    return warn(f"{of}, with which nothing was tested", _TAKE)


class Reading(msgspec.Struct, frozen=True):
    """Another clock, read between two looks at ours; all in milliseconds since 1970.

    `coarse_ms` is how much later than that it may have been: a second where it tells no parts.
    """

    of: str
    how: str
    theirs_ms: int
    before_ms: int
    after_ms: int
    coarse_ms: int = 0


def apart_seconds(reading: Reading) -> float:
    """How far the two clocks are apart at least; above 0 where the other one is ahead."""
    if reading.theirs_ms > reading.after_ms:
        return (reading.theirs_ms - reading.after_ms) / 1000
    latest_ms = reading.theirs_ms + reading.coarse_ms
    return min(0, latest_ms - reading.before_ms) / 1000


def judge_clock(reading: Reading) -> Finding:
    """Whether this machine's clock goes as another one does."""
    apart = apart_seconds(reading)
    if abs(apart) <= _CLOCK_SECONDS_MAX:
        exact = (reading.after_ms - reading.before_ms + reading.coarse_ms) / 1000
        return ok(f"as {reading.of}'s, to {exact:.3f} s ({reading.how})")
    which = "behind" if apart > 0 else "ahead of"
    return warn(
        f"this machine's clock is {abs(apart):.1f} s {which} {reading.of}'s ({reading.how})",
        "times of receipt and the ends of tokens go by it: have both set by NTP",
    )


class Room(msgspec.Struct, frozen=True):
    """A folder's file system: `problem` where nothing could be written there."""

    setting: str
    path: str
    free_bytes: int
    kind: str
    problem: str | None = None


def judge_room(room: Room, *, wanted_bytes: int = _FREE_BYTES_FEW) -> list[Finding]:
    """Whether there is room in a folder, and whether it stays there."""
    where = f"{room.setting} {room.path}"
    if room.problem is not None:
        return [fail(f"{where} cannot be written to: {room.problem}", "mend it, or name another")]
    free = f"{room.free_bytes / _GIB:.1f} GiB free"
    found = [ok(f"{where}: {free}")]
    if room.free_bytes < _FREE_BYTES_LEAST:
        found = [fail(f"{where}: {room.free_bytes / _MIB:.0f} MiB free", "make room")]
    elif room.free_bytes < wanted_bytes:
        found = [warn(f"{where}: {free}, less than {wanted_bytes / _GIB:.1f} GiB", "make room")]
    if room.kind in _IN_MEMORY:
        found.append(warn(f"{where} is in memory ({room.kind})", "a restart loses it: take a disk"))
    return found


def filesystem_of(path: str, mounts: str) -> str:
    """The kind of file system that a path is on, by the text of /proc/self/mounts."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, place, one, *_ = [*line.split(" "), "", "", ""]
        place = place.replace("\\040", " ")
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        # Of two at one place the later one lies on top.
        if inside and len(place) >= len(best):
            best, kind = place, one
    return kind


def judge_certificate(where: str, not_after: str, *, now: datetime) -> Finding:
    """How long a certificate that was accepted will be; `not_after` as `ssl` tells it."""
    end = datetime.strptime(not_after, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    days = (end - now).days
    said = f"{where}: its certificate ends on {end:%Y-%m-%d}, in {days} days"
    return warn(said, "whoever serves it has to renew it") if days < _CERTIFICATE_DAYS else ok(said)
