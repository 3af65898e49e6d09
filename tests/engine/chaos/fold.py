"""What must come out of a raw topic: a pure fold, written down a second time.

Part of the oracle: nothing here is shared with what is judged, so the two can disagree.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class Seen(NamedTuple):
    """A record as it lies in a topic; `source` names the raw record that it comes from."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    source: str = ""


class Owner(NamedTuple):
    """An owner's state; `source` is the offset of the last raw record, accepted or not."""

    sequence: int = -1
    version: int = 0
    count: int = 0
    sum: int = 0
    source: int = -1
    group: str = ""


class Expected(NamedTuple):
    """Everything that must be there, as bytes.

    `mid` and `dead` are keyed by source, `out` and `shares` by owner and version, tables by row
    key; `last` holds every owner's last version, `sums` each group's sum and its versions.
    """

    mid: dict[str, tuple[bytes, bytes]]
    dead: dict[str, tuple[bytes, bytes | None]]
    out: dict[tuple[bytes, int], bytes]
    shares: dict[tuple[bytes, int], tuple[bytes, bytes]]
    last: dict[bytes, int]
    tables: dict[str, dict[str, str]]
    sums: dict[str, tuple[int, int]]


def expected(raws: Iterable[Seen]) -> Expected:
    """Fold raw records, those of a partition in their order."""
    result = Expected({}, {}, {}, {}, {}, {"rows": {}, "shares": {}, "counts": {}}, {})
    owners: dict[bytes, Owner] = defaultdict(Owner)
    for raw in raws:
        source = f"{raw.partition}/{raw.offset}"
        fields = _sound(raw.value)
        if fields is None:
            result.dead[source] = (raw.key, raw.value)
            continue
        sequence, amount, group = fields
        owner = bytes(reversed(raw.key))
        passed_on = {"sequence": sequence, "amount": amount, "group": group}
        result.mid[source] = (owner, _json(passed_on))
        before = owners[owner]
        state = before._replace(count=before.count + 1, source=raw.offset, group=group)
        if sequence > before.sequence:
            total = before.sum + int(amount)
            state = state._replace(sequence=sequence, version=before.version + 1, sum=total)
            _publish(result, owner, state)
        owners[owner] = state
    for owner, state in owners.items():
        _keep(result, owner, state)
    return result


def _sound(value: bytes | None) -> tuple[int, str, str] | None:
    try:
        found = json.loads((value or b"").decode())
    except ValueError:
        return None
    sequence, amount, group = (found.get(name) for name in ("sequence", "amount", "group"))
    sound = isinstance(sequence, int) and isinstance(amount, str) and isinstance(group, str)
    if not sound or not amount.removeprefix("-").isdecimal():
        return None
    return sequence, amount, group


def _publish(result: Expected, owner: bytes, state: Owner) -> None:
    document = {"version": state.version, "sequence": state.sequence, "sum": str(state.sum)}
    share = {"owner": owner.decode(), "version": state.version, "sum": str(state.sum)}
    result.out[owner, state.version] = _json(document)
    result.shares[owner, state.version] = (state.group.encode(), _json(share))


def _keep(result: Expected, owner: bytes, state: Owner) -> None:
    """An owner's rows at the end, and its part of the sums."""
    name = owner.decode()
    row = {
        "sequence": state.sequence,
        "version": state.version,
        "count": state.count,
        "sum": str(state.sum),
        "source": state.source,
    }
    result.tables["rows"][name] = _json(row).decode()
    result.tables["counts"][name] = str(state.count)
    if state.version:
        result.last[owner] = state.version
        share = {"version": state.version, "sum": str(state.sum)}
        result.tables["shares"][f"{state.group}/{name}"] = _json(share).decode()
        total, versions = result.sums.get(state.group, (0, 0))
        result.sums[state.group] = (total + state.sum, versions + state.version)


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
