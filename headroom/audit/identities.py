"""I5 and I6: versions only grow, an identity has one content, and no secret lies anywhere."""

from collections.abc import Iterable

import msgspec

from headroom.audit.findings import Findings
from headroom.audit.world import TABLES, Record, World
from schemas.topics import ALERTS, BALANCES

CLOUD_EVENT = (
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_subject",
    "ce_dataschema",
    "content-type",
)


class _Versioned(msgspec.Struct):
    version: int


def check_identities(world: World, findings: Findings) -> None:
    """Check I5, and that each event carries the headers of one."""
    contents: dict[str, Record] = {}
    for topic in (*TABLES, ALERTS):
        versions: dict[bytes | None, tuple[int, int]] = {}
        for record in world.of(topic):
            _check_content(record, contents, findings)
            _check_headers(record, findings)
            if topic in TABLES:
                _check_version(record, versions, findings)
    for record in world.of(BALANCES):
        _check_headers(record, findings)


def check_secrets(world: World, findings: Findings) -> None:
    """Check I6; a finding names the canary by its number, never by its text."""
    canaries = [canary for canary in world.canaries if canary]
    if not canaries:
        return
    for records in (*world.records.values(), world.others):
        for record in records:
            for part, text in _parts(record):
                for number, canary in enumerate(canaries, 1):
                    if canary in text:
                        findings.add("I6", record.place, f"canary {number} stands in its {part}")


def _check_content(record: Record, contents: dict[str, Record], findings: Findings) -> None:
    identity = record.header("ce_id")
    if identity is None:
        return
    first = contents.setdefault(identity, record)
    if (first.topic, first.key, first.value) != (record.topic, record.key, record.value):
        where = f"{first.place} and {record.place}"
        findings.add("I5", where, f"the same ce_id {identity} with other bytes")


def _check_headers(record: Record, findings: Findings) -> None:
    given = {name for name, value in record.headers if value is not None}
    missing = [name for name in CLOUD_EVENT if name not in given]
    if record.value is None and "content-type" in missing:
        # A tombstone has no content.
        missing.remove("content-type")
    if missing:
        findings.add("headers", record.place, f"is without {', '.join(missing)}")


def _check_version(
    record: Record, versions: dict[bytes | None, tuple[int, int]], findings: Findings
) -> None:
    key = (record.key or b"").decode("utf-8", "replace")
    given = (record.header("ce_id") or "").rpartition("/")[2]
    version = int(given) if given.isascii() and given.isdigit() else -1
    if record.header("ce_id") != f"{record.topic}/{key}/{version}":
        findings.add("I5", record.place, f"ce_id is {record.header('ce_id')!r}")
        return
    if record.value is not None:
        try:
            inside = msgspec.json.decode(record.value, type=_Versioned).version
        except msgspec.DecodeError as error:
            findings.add("I5", record.place, f"cannot be read: {error}")
            return
        if inside != version:
            findings.add("I5", record.place, f"ce_id says version {version}, it is {inside}")
    before, partition = versions.get(record.key, (version, record.partition))
    if partition != record.partition:
        findings.add("I5", record.place, f"its key lies in partition {partition} too")
    if version < before:
        findings.add("I5", record.place, f"version {version} comes after {before}")
    versions[record.key] = max(before, version), record.partition


def _parts(record: Record) -> Iterable[tuple[str, bytes]]:
    yield "key", record.key or b""
    yield "value", record.value or b""
    for name, value in record.headers:
        yield "headers", name.encode() + b"=" + (value or b"")
