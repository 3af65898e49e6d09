"""I1: every frame that a venue sent lies in its raw topic, and the receipts have no holes."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import blake2b

from headroom.audit.findings import Findings
from headroom.audit.frames import belongs_in_raw
from headroom.audit.world import Record, Sent, World
from schemas.headers import RETRY_OF

DECIMAL_DIGITS_MAX = 30
REDACTED = "headroom.redacted"
SECRET_FAULTS = frozenset({"key-in-message"})
"""The faults of a simulated venue whose frames hold a key."""


def check_raw(world: World, findings: Findings) -> tuple[int, int]:
    """Check I1; returns how many frames were sent and how many of them are not in raw."""
    for venue, records in _by_venue(world).items():
        _check_receipts(venue, records, findings, is_cut=world.is_cut(records))
        _check_retries(world, records, findings)
    return _check_journals(world, findings)


def order_of(record: Record) -> tuple[int, int] | None:
    """Read `epoch` and `receipt`; None where one is missing or no decimal text."""
    epoch, receipt = _natural(record.header("epoch")), _natural(record.header("receipt"))
    return None if epoch is None or receipt is None else (epoch, receipt)


def _check_retries(world: World, records: list[Record], findings: Findings) -> None:
    """What was sent again is what could not be read, byte for byte, and once."""
    by_place = {"/".join(map(str, world.identity(record))): record for record in records}
    again: dict[str, Record] = {}
    for record in records:
        origin = record.header(RETRY_OF)
        if origin is None:
            continue
        first = again.setdefault(origin, record)
        if first is not record:
            findings.add("I1", record.place, f"{origin} was sent again twice: {first.place}")
        before = by_place.get(origin)
        if before is not None and (before.key, before.value) != (record.key, record.value):
            findings.add("I1", record.place, f"is not what lies at {origin}")


def _natural(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > DECIMAL_DIGITS_MAX:
        return None
    return int(text)


def _by_venue(world: World) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for venue, record in world.raw():
        found[venue].append(record)
    return found


def _check_receipts(venue: str, records: list[Record], findings: Findings, *, is_cut: bool) -> None:
    epochs: dict[int, dict[int, Record]] = defaultdict(dict)
    for record in records:
        order = order_of(record)
        if order is None or record.header(RETRY_OF) is not None:
            # What was sent again keeps its receipt: `_check_retries` looks at it.
            continue
        epoch, receipt = order
        first = epochs[epoch].setdefault(receipt, record)
        if first is not record and not _is_again(first, record):
            where = f"{venue} epoch {epoch} receipt {receipt}"
            findings.add("I1", where, f"lies twice: {first.place} and {record.place}")
    if is_cut:
        # Partitions lose their beginnings at different times: a hole would say nothing.
        return
    for epoch, receipts in epochs.items():
        missing = max(receipts) - len(receipts.keys() - {0})
        if missing > 0:
            hole = next(n for n in range(1, max(receipts)) if n not in receipts)
            findings.add(
                "I1", f"{venue} epoch {epoch}", f"{missing} receipts are missing, first {hole}"
            )
        if min(receipts) < 1:
            findings.add("I1", f"{venue} epoch {epoch}", "a receipt is below 1")


def _is_again(first: Record, second: Record) -> bool:
    """Say whether two records of one receipt are the same frame: its producer sent it again.

    It does so where it could not know whether Kafka had it: it was killed, or its client gave up.
    """
    return (first.key, first.value, first.headers) == (second.key, second.value, second.headers)


def _once(world: World) -> Iterator[tuple[str, Record]]:
    """Every frame in raw, without what lies there again."""
    known: dict[tuple[str, tuple[int, int]], Record] = {}
    for venue, record in world.raw():
        order = order_of(record)
        first = record if order is None else known.setdefault((venue, order), record)
        is_again = first is not record and _is_again(first, record)
        if record.header(RETRY_OF) is None and not is_again:
            yield venue, record


def _check_journals(world: World, findings: Findings) -> tuple[int, int]:
    frames = 0
    wanted: dict[str, Counter[bytes]] = defaultdict(Counter)
    places: dict[bytes, str] = {}
    secret: dict[str, list[str]] = defaultdict(list)
    for sent in world.sent:
        kept = belongs_in_raw(sent.venue, sent.frame)
        frames += kept
        if kept and _carries_secret(world, sent):
            secret[sent.venue].append(sent.place)
            continue
        wanted[sent.venue][_digest(sent.frame)] += kept
        places.setdefault(_digest(sent.frame), sent.place)
    there: dict[str, Counter[bytes]] = defaultdict(Counter)
    redacted: Counter[str] = Counter()
    for venue, record in _once(world):
        if record.header(REDACTED) is not None:
            redacted[venue] += 1
            continue
        digest = _digest(record.value or b"")
        there[venue][digest] += 1
        places.setdefault(digest, record.place)
    lost = _check_secrets(secret, redacted, findings)
    for venue, sent_counts in wanted.items():
        for digest, count in (sent_counts - there[venue]).items():
            lost += count
            findings.add("I1", places[digest], f"{count} frame(s) like this are not in raw")
        for digest, count in (there[venue] - sent_counts).items():
            where = places[digest]
            findings.add("I1", where, f"in raw {count} time(s) more than {venue} sent it")
    return frames, lost


def _carries_secret(world: World, sent: Sent) -> bool:
    """Say whether a frame holds a key of ours: it lies in raw with the key hidden."""
    return sent.fault in SECRET_FAULTS or any(
        canary in sent.frame for canary in world.canaries if canary
    )


def _check_secrets(secret: dict[str, list[str]], redacted: Counter[str], findings: Findings) -> int:
    """Compare how many frames with a key were sent with how many lie in raw without it.

    Their bytes are others, so that they can only be counted. Returns how many are lost.
    """
    lost = 0
    for venue in sorted(secret.keys() | redacted.keys()):
        places, count = secret[venue], redacted[venue]
        missing = max(0, len(places) - count)
        lost += missing
        if missing:
            problem = f"{missing} frame(s) with a key are not in raw, redacted"
            findings.add("I1", places[-missing], problem)
        elif count > len(places):
            problem = f"{count} redacted in raw, {len(places)} sent with a key"
            findings.add("I1", venue, problem)
    return lost


def _digest(frame: bytes) -> bytes:
    return blake2b(frame, digest_size=16).digest()
