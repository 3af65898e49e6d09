"""I2: every raw record has one outcome, the right one, and each account's come in its order."""

from typing import Any

import msgspec

from headroom.audit.findings import Findings
from headroom.audit.fold import Fold
from headroom.audit.frames import Reading, read_frame
from headroom.audit.numbers import without_sign_of_zero
from headroom.audit.raw import order_of
from headroom.audit.text import read_document
from headroom.audit.times import is_time
from headroom.audit.world import RAW, Record, World
from schemas.topics import BALANCES, DEAD_LETTERS

Identity = tuple[str, int, int]
_ERRORS = "__connect.errors."
_ADDED = ("headroom.reason", "headroom.version", "headroom.generation")


class Outcomes(msgspec.Struct):
    """What became of the raw records; `fold` is what the sound balances lead to.

    `corrections` are outcomes that a generation of tables put in the place of earlier ones.
    """

    raw: dict[Identity, tuple[str, Record]]
    corrections: dict[Identity, Record] = {}
    balances: dict[Identity, Record] = {}
    letters: dict[Identity, Record] = {}
    repeated: int = 0
    fold: Fold = msgspec.field(default_factory=Fold)

    @property
    def without(self) -> int:
        """How many raw records came to nothing."""
        return sum(1 for key in self.raw if key not in self.balances and key not in self.letters)


def check_outcomes(world: World, findings: Findings) -> Outcomes:
    """Check I2 and the order of balances, folding them on the way."""
    outcomes = Outcomes(
        {record.identity: (venue, record) for venue, record in world.raw()}, _corrections(world)
    )
    # A correction makes tables count on from what the public has seen before.
    outcomes.fold.counts_on = bool(outcomes.corrections)
    # Who has given an account away, or got one, counts what he saw of it.
    outcomes.fold.movers = {user for users in world.owners.values() for user in users}
    _check_balances(world, outcomes, findings)
    _check_letters(world, outcomes, findings)
    for identity, (_, record) in outcomes.raw.items():
        count = (identity in outcomes.balances) + (identity in outcomes.letters)
        if count == 0:
            findings.add("I2", record.place, "has no outcome")
        elif count > 1:  # pragma: no branch - there are two topics
            findings.add("I2", record.place, f"lies in {BALANCES} and in {DEAD_LETTERS}")
    if world.is_cut(world.of(BALANCES)):
        findings.add("I3", BALANCES, "retention took its beginning: the fold is not whole")
    return outcomes


def _corrections(world: World) -> dict[Identity, Record]:
    """The last outcome of each raw record that was told again with another one."""
    found = {}
    for topic, name in ((BALANCES, _event), (DEAD_LETTERS, _origin)):
        for record in world.of(topic):
            identity = name(record) if record.header("headroom.generation") is not None else None
            if identity is not None:
                found[identity] = record
    return found


def _event(record: Record) -> Identity | None:
    return parse_identity(record.header("ce_id"))


def _origin(record: Record) -> Identity | None:
    where = [record.header(_ERRORS + part) for part in ("topic", "partition", "offset")]
    return parse_identity("/".join(str(part) for part in where))


def _check_balances(world: World, outcomes: Outcomes, findings: Findings) -> None:
    newest: dict[tuple[Any, Any], tuple[int, Identity]] = {}
    for record in world.of(BALANCES):
        identity = _event(record)
        if identity is None:
            findings.add("I2", record.place, f"ce_id names no record: {record.header('ce_id')!r}")
            continue
        correction = outcomes.corrections.get(identity, record)
        if correction is not record:
            continue
        first = outcomes.balances.setdefault(identity, record)
        if first is not record:
            outcomes.repeated += 1
            if (first.key, first.value) != (record.key, record.value):
                where = f"{first.place} and {record.place}"
                findings.add("I2", where, "the same ce_id with other bytes")
                continue
        try:
            document = read_document(record.value or b"")
            own = f"{document['venue']}:{document['account']}"
            in_order = identity not in outcomes.corrections and own not in world.owners
            if first is record and in_order:
                _check_order(record, identity, document, newest, findings)
            if first is record:
                _check_snapshot(world, record, identity, document, outcomes, findings)
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
    identity: Identity,
    document: dict[str, Any],
    outcomes: Outcomes,
    findings: Findings,
) -> None:
    found = outcomes.raw.get(identity)
    if found is None:
        if identity[2] >= world.starts.get(identity[:2], 0):
            findings.add("I2", record.place, f"its raw record {identity} is not there")
        return
    venue, raw = found
    reading = read_frame(venue, raw.value or b"")
    if reading.reason is not None:
        findings.add("I2", raw.place, f"was normalised, must be a dead letter: {reading.reason}")
        return
    expected = expected_snapshot(venue, raw, reading)
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
    if order_of(raw) is not None and raw.key != reading.account.encode():
        findings.add("I1", raw.place, f"has the key {raw.key!r}, not {reading.account!r}")


def expected_snapshot(venue: str, raw: Record, reading: Reading) -> dict[str, Any]:
    """Put together the whole snapshot that a raw record must lead to."""
    epoch, receipt = order_of(raw) or (0, raw.offset)
    return {
        "user": f"{venue}:{reading.account}",
        "venue": venue,
        "epoch": epoch,
        "receipt": receipt,
        "received_time": raw.header("received_time"),
        "source": {"topic": raw.topic, "partition": raw.partition, "offset": raw.offset},
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
        identity = _origin(record)
        if identity is None:
            findings.add("I2", record.place, "its headers name no raw record")
            continue
        if outcomes.corrections.get(identity, record) is not record:
            continue
        first = outcomes.letters.setdefault(identity, record)
        if first is not record:
            outcomes.repeated += 1
        found = outcomes.raw.get(identity)
        if found is not None:
            _check_letter(record, *found, findings)
        elif identity[2] >= world.starts.get(identity[:2], 0):
            findings.add("I2", record.place, f"its raw record {identity} is not there")


def _check_letter(record: Record, venue: str, raw: Record, findings: Findings) -> None:
    if (record.key, record.value) != (raw.key, raw.value):
        findings.add("I2", record.place, f"has other bytes or another key than {raw.place}")
    if _own_headers(record) != _own_headers(raw):
        findings.add("I2", record.place, f"has not kept the headers of {raw.place}")
    expected = read_frame(venue, raw.value or b"").reason
    given = record.header("headroom.reason")
    if expected is None:
        findings.add("I2", raw.place, f"is a dead letter ({given}), must be normalised")
    elif given != expected:
        findings.add("I2", raw.place, f"has reason {given}, must be {expected}")


def _own_headers(record: Record) -> list[tuple[str, bytes | None]]:
    return [
        (name, value)
        for name, value in record.headers
        if not name.startswith(_ERRORS) and name not in _ADDED
    ]


def parse_identity(text: str | None) -> Identity | None:
    """Read `TOPIC/PARTITION/OFFSET` of a raw topic."""
    parts = (text or "").rsplit("/", 2)
    if len(parts) != 3 or not parts[0].endswith(tuple(RAW)):  # noqa: PLR2004 - three parts
        return None
    if not all(part.isascii() and part.isdigit() for part in parts[1:]):
        return None
    return parts[0], int(parts[1]), int(parts[2])


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
