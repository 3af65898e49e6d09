"""I2: every raw record has all its outcomes, the right ones, each account's in their order."""

from functools import lru_cache
from typing import Any

import msgspec

from headroom.audit.findings import Findings
from headroom.audit.fold import Fold
from headroom.audit.frames import Reading, read_parts
from headroom.audit.incarnations import incarnation_of, split
from headroom.audit.numbers import without_sign_of_zero
from headroom.audit.origins import (
    ADDED,
    ERRORS,
    PARTS,
    Corrections,
    Identity,
    Key,
    event_key,
    letter_key,
)
from headroom.audit.raw import order_of
from headroom.audit.text import read_document
from headroom.audit.times import is_time
from headroom.audit.world import Record, World
from schemas.topics import BALANCES, DEAD_LETTERS

# The outcomes of a record of many accounts do not lie side by side.
_reading = lru_cache(64)(read_parts)


class Outcomes(msgspec.Struct):
    """What became of the raw records; `fold` is what the sound balances lead to.

    `corrections` are outcomes that a generation of tables put in the place of earlier ones. `parts`
    says of how many accounts a raw record tells, where those are several.
    """

    raw: dict[Identity, tuple[str, Record]]
    corrections: Corrections
    balances: dict[Key, Record] = {}
    letters: dict[Key, Record] = {}
    parts: dict[Identity, int] = {}
    repeated: int = 0
    fold: Fold = msgspec.field(default_factory=Fold)

    def keys_of(self, identity: Identity) -> list[Key]:
        """What the outcomes of a raw record must be known by."""
        parts = self.parts.get(identity)
        return [(identity, part) for part in ([None] if parts is None else range(parts))]

    @property
    def without(self) -> int:
        """How many raw records lack an outcome."""
        there = self.balances.keys() | self.letters.keys()
        return sum(1 for identity in self.raw if not there.issuperset(self.keys_of(identity)))

    @property
    def dead_lettered(self) -> set[Identity]:
        """Raw records that could not be read, or of which an account could not."""
        return {identity for identity, _ in self.letters} & self.raw.keys()

    @property
    def normalised(self) -> set[Identity]:
        """Raw records that were read, all their accounts."""
        broken = {identity for identity, part in self.letters if part is not None}
        return ({identity for identity, _ in self.balances} & self.raw.keys()) - broken


def check_outcomes(world: World, findings: Findings) -> Outcomes:
    """Check I2 and the order of balances, folding them on the way."""
    outcomes = Outcomes(
        {world.identity(record): (venue, record) for venue, record in world.raw()},
        Corrections(world),
    )
    # A correction makes tables count on from what the public has seen before.
    outcomes.fold.counts_on = bool(outcomes.corrections)
    # Who has given an account away, or got one, counts what he saw of it.
    outcomes.fold.movers = {user for users in world.owners.values() for user in users}
    _check_balances(world, outcomes, findings)
    _check_letters(world, outcomes, findings)
    for identity, (_, record) in outcomes.raw.items():
        for key in outcomes.keys_of(identity):
            _check_count(key, record, outcomes, findings)
    if world.is_cut(world.of(BALANCES)):
        findings.add("I3", BALANCES, "retention took its beginning: the fold is not whole")
    return outcomes


def _check_count(key: Key, raw: Record, outcomes: Outcomes, findings: Findings) -> None:
    count = (key in outcomes.balances) + (key in outcomes.letters)
    of = "" if key[1] is None else f" for account {key[1]}"
    if count == 0:
        findings.add("I2", raw.place, f"has no outcome{of}")
    elif count > 1:
        findings.add("I2", raw.place, f"lies in {BALANCES} and in {DEAD_LETTERS}{of}")


def _check_balances(world: World, outcomes: Outcomes, findings: Findings) -> None:
    newest: dict[tuple[Any, Any], tuple[int, Identity]] = {}
    for record in world.of(BALANCES):
        key = event_key(record)
        if key is None:
            findings.add("I2", record.place, f"ce_id names no record: {record.header('ce_id')!r}")
            continue
        if outcomes.corrections.stand_for(key, record):
            continue
        first = outcomes.balances.setdefault(key, record)
        if first is not record:
            outcomes.repeated += 1
            if (first.key, first.value) != (record.key, record.value):
                where = f"{first.place} and {record.place}"
                findings.add("I2", where, "the same ce_id with other bytes")
                continue
        try:
            document = read_document(record.value or b"")
            own = f"{document['venue']}:{document['account']}"
            in_order = key not in outcomes.corrections and own not in world.owners
            if first is record and in_order:
                _check_order(record, key[0], document, newest, findings)
            if first is record:
                _check_snapshot(world, record, key, document, outcomes, findings)
            owner = world.owners.get(own, [document["user"]])[-1]
            outcomes.fold.take({**document, "user": owner})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            findings.add("I2", record.place, f"is no snapshot: {error!r}")


def _check_order(
    record: Record,
    identity: Identity,
    document: dict[str, Any],
    newest: dict[tuple[Any, Any], tuple[int, Identity]],
    findings: Findings,
) -> None:
    account = document["venue"], document["account"]
    before = newest.get(account)
    newest[account] = record.partition, identity
    if before is None:
        return
    partition, earlier = before
    if partition != record.partition:
        findings.add("order", record.place, f"{account} lies in partition {partition} too")
    elif earlier[:2] == identity[:2] and earlier[2] > identity[2]:
        findings.add("order", record.place, f"{identity} comes after {earlier}")


def _check_snapshot(
    world: World,
    record: Record,
    key: Key,
    document: dict[str, Any],
    outcomes: Outcomes,
    findings: Findings,
) -> None:
    found = outcomes.raw.get(key[0])
    if found is None:
        _check_origin(world, record, key[0], findings)
        return
    venue, raw = found
    reading = _part(record, key, venue, raw, outcomes, findings)
    if reading is None:
        return
    if reading.reason is not None:
        findings.add("I2", raw.place, f"was normalised, must be a dead letter: {reading.reason}")
        return
    expected = expected_snapshot(venue, raw, key[0], reading)
    if document.get("user") in world.owners.get(expected["user"], ()):
        expected["user"] = document["user"]
    if not is_time(expected["received_time"]):
        # Nothing says what time a record without one was received.
        expected["received_time"] = document.get("received_time")
    elif record.header("ce_time") != expected["received_time"]:
        findings.add("I2", record.place, f"ce_time is {record.header('ce_time')}")
    if _told(document) != _told(expected):
        findings.add("I2", raw.place, difference(_told(expected), _told(document)))
    if record.key != expected["user"].encode():
        findings.add("I2", record.place, f"has the key {record.key!r}, not {expected['user']!r}")
    # Who tells of several accounts has the first one's key.
    first = _reading(venue, raw.value or b"")[0].account.encode()
    if order_of(raw) is not None and first and raw.key != first:
        findings.add("I1", raw.place, f"has the key {raw.key!r}, not {first!r}")


def _check_origin(world: World, record: Record, identity: Identity, findings: Findings) -> None:
    """Find an outcome of a record that nobody has seen, unless that was taken away.

    Retention takes records, and so does whoever makes a topic again or cuts its end off.
    """
    topic, number = split(identity[0]) or (identity[0], 1)
    identity = topic, *identity[1:]
    if identity in world.unread:
        return  # that is a finding of its own
    now = incarnation_of(world.incarnations, *identity)
    if number < now:
        return
    if number > now:
        findings.add("I2", record.place, f"{topic} has no incarnation {number} there")
    elif identity[2] >= world.starts.get(identity[:2], 0):
        findings.add("I2", record.place, f"its raw record {identity} is not there")


def _part(
    record: Record, key: Key, venue: str, raw: Record, outcomes: Outcomes, findings: Findings
) -> Reading | None:
    """Get what an outcome must say; None where the frame tells of no such account."""
    readings = _reading(venue, raw.value or b"")
    several = len(readings) > 1
    if several:
        outcomes.parts[key[0]] = len(readings)
    part = key[1]
    if several != (part is not None) or (part is not None and part >= len(readings)):
        which = "the whole" if part is None else f"account {part}"
        problem = f"is an outcome of {which}; {raw.place} tells of {len(readings)}"
        findings.add("I2", record.place, problem)
        return None
    told, expected = record.header(PARTS), str(len(readings)) if several else None
    if told != expected:
        findings.add("I2", record.place, f"{PARTS} is {told}, must be {expected}")
    return readings[part or 0]


def expected_snapshot(
    venue: str, raw: Record, identity: Identity, reading: Reading
) -> dict[str, Any]:
    """Put together the whole snapshot that a raw record must lead to."""
    epoch, receipt = order_of(raw) or (0, raw.offset)
    return {
        "user": f"{venue}:{reading.account}",
        "venue": venue,
        "epoch": epoch,
        "receipt": receipt,
        "received_time": raw.header("received_time"),
        "source": dict(zip(("topic", "partition", "offset"), identity, strict=True)),
        **reading.snapshot,
    }


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """Bring what the contract leaves open to one form.

    Exposures of which nothing is known may be an object of nulls or null; a total of Hercle's,
    which is added up, may or may not keep the sign of nought.
    """
    assets = {}
    for name, asset in document["assets"].items():
        told = {**asset, "exposure": _known(asset["exposure"])}
        if document["venue"] == "hercle":
            told["total"] = without_sign_of_zero(asset["total"])
        assets[name] = told
    return {**document, "assets": assets, "exposure": _known(document["exposure"])}


def _known(exposure: dict[str, Any] | None) -> dict[str, Any] | None:
    if exposure is None or all(part is None for part in exposure.values()):
        return None
    return exposure


def _check_letters(world: World, outcomes: Outcomes, findings: Findings) -> None:
    for record in world.of(DEAD_LETTERS):
        key = letter_key(record)
        if key is None:
            findings.add("I2", record.place, "its headers name no raw record")
            continue
        if outcomes.corrections.stand_for(key, record):
            continue
        first = outcomes.letters.setdefault(key, record)
        if first is not record:
            outcomes.repeated += 1
        found = outcomes.raw.get(key[0])
        if found is None:
            _check_origin(world, record, key[0], findings)
            continue
        venue, raw = found
        reading = _part(record, key, venue, raw, outcomes, findings)
        if reading is not None:
            _check_letter(record, raw, reading.reason, findings)


def _check_letter(record: Record, raw: Record, expected: str | None, findings: Findings) -> None:
    if (record.key, record.value) != (raw.key, raw.value):
        findings.add("I2", record.place, f"has other bytes or another key than {raw.place}")
    if _own_headers(record) != _own_headers(raw):
        findings.add("I2", record.place, f"has not kept the headers of {raw.place}")
    given = record.header("headroom.reason")
    if expected is None:
        findings.add("I2", raw.place, f"is a dead letter ({given}), must be normalised")
    elif given != expected:
        findings.add("I2", raw.place, f"has reason {given}, must be {expected}")


def _own_headers(record: Record) -> list[tuple[str, bytes | None]]:
    return [
        (name, value)
        for name, value in record.headers
        if not name.startswith(ERRORS) and name not in ADDED
    ]


def difference(expected: object, found: object, path: str = "") -> str:
    """Say where two documents part, first place only."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            if name not in found:
                return f"{path}.{name} is missing"
            if name not in expected:
                return f"{path}.{name} is there and must not be"
            if expected[name] != found[name]:
                return difference(expected[name], found[name], f"{path}.{name}")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (left, right) in enumerate(zip(expected, found, strict=True)):
            if left != right:
                return difference(left, right, f"{path}[{index}]")
    return f"{path or 'it'} is {found!r}, must be {expected!r}"
