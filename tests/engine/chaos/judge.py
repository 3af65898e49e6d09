"""Comparing what lies in the topics and the tables with what must be there. Pure.

Part of the oracle. A record is repeated where the very same one is there again; lost where it is
nowhere, or a state stands at an earlier version; anything else that is not as it must be is wrong.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.engine.chaos.fold import Expected, Seen

TOLD_MAX = 12


class Found(NamedTuple):
    """The topics, record by record; the changelogs, by table; what the workers answer."""

    mid: list[Seen]
    dead: list[Seen]
    out: list[Seen]
    shares: list[Seen]
    sums: list[Seen]
    changelogs: Mapping[str, list[Seen]]
    answers: list[dict[str, Any]]


class Verdict:
    """Counts, and sentences about the first things that are not right."""

    def __init__(self, *, once: bool) -> None:
        self.once = once
        self.repeated = 0
        self.lost = 0
        self.wrong = 0
        self.told: list[str] = []

    @property
    def sound(self) -> bool:
        """Whether everything is as it must be."""
        return not (self.lost or self.wrong or (self.once and self.repeated))

    def repeats(self, sentence: str) -> None:
        self.repeated += 1
        if self.once:
            self._tell("repeated", sentence)

    def loses(self, sentence: str) -> None:
        self.lost += 1
        self._tell("lost", sentence)

    def errs(self, sentence: str) -> None:
        self.wrong += 1
        self._tell("wrong", sentence)

    def _tell(self, kind: str, sentence: str) -> None:
        if len(self.told) < TOLD_MAX:
            self.told.append(f"{kind}: {sentence}")


def judge(must: Expected, found: Found, *, once: bool) -> Verdict:
    """I2 to I5; with `once` nothing may be there twice, and no version may be missing."""
    verdict = Verdict(once=once)
    _outcomes(verdict, "mid", must.mid, found.mid)
    _outcomes(verdict, "dead", must.dead, found.dead)
    _order(verdict, found.mid)
    out = [(seen, (seen.key, _field(seen, "version")), seen.value) for seen in found.out]
    _versions(verdict, "out", must, out, must.out)
    shares = [
        (seen, (_owner(seen), _field(seen, "version")), (seen.key, seen.value))
        for seen in found.shares
    ]
    _versions(verdict, "shares", must, shares, must.shares, all_of_them=once)
    _sums(verdict, must, found.sums)
    tables = {name: rows for name, rows in must.tables.items() if once or name != "counts"}
    for name, rows in tables.items():
        _rows(verdict, f"changelog of {name}", rows, _last_rows(found.changelogs[name]))
        _rows(verdict, f"answers of {name}", rows, _answered(verdict, name, found.answers))
    answered = _answered_sums(verdict, found.answers)
    for group, (total, versions) in must.sums.items():
        if answered.get(group) != [str(total), versions]:
            verdict.errs(f"answered sum of {group}: {answered.get(group)}, not {total}")
    return verdict


def _outcomes(
    verdict: Verdict, topic: str, must: Mapping[str, tuple[Any, Any]], seens: Iterable[Seen]
) -> None:
    """Every raw record has its outcome, the same bytes, and none but its own."""
    met: set[str] = set()
    for seen in seens:
        if must.get(seen.source) != (seen.key, seen.value):
            verdict.errs(f"{topic} has {seen}, must be {must.get(seen.source)}")
        elif seen.source in met:
            verdict.repeats(f"{topic} has {seen.source} again at {seen.partition}/{seen.offset}")
        met.add(seen.source)
    for source in must.keys() - met:
        verdict.loses(f"{topic} lacks the outcome of raw {source}, key {must[source][0]!r}")


def _order(verdict: Verdict, seens: Iterable[Seen]) -> None:
    """Records of a key come in the order of raw, in one partition; repeated ones do not count."""
    at: dict[bytes, tuple[int, int]] = {}
    met: set[str] = set()
    for seen in seens:
        offset = int(seen.source.split("/")[1])
        partition, before = at.get(seen.key, (seen.partition, -1))
        if partition != seen.partition or (offset < before and seen.source not in met):
            verdict.errs(f"mid has {seen} after raw offset {before}")
        at[seen.key] = (partition, max(before, offset))
        met.add(seen.source)


def _versions(
    verdict: Verdict,
    topic: str,
    must: Expected,
    seens: Iterable[tuple[Seen, tuple[bytes, int], Any]],
    content: Mapping[tuple[bytes, int], Any],
    *,
    all_of_them: bool = False,
) -> None:
    """Versions never go back, each says what it must, and the last one is there at the end."""
    highest: dict[bytes, int] = defaultdict(int)
    last: dict[bytes, int] = {}
    met = set()
    for seen, identity, value in seens:
        owner, version = identity
        if content.get(identity) != value:
            verdict.errs(f"{topic} has {seen}, must be {content.get(identity)}")
        elif version <= highest[owner]:
            verdict.repeats(f"{topic} has {owner!r} at {version} after {highest[owner]}")
        highest[owner] = max(highest[owner], version)
        last[owner] = version
        met.add(identity)
    for owner, version in must.last.items():
        if last.get(owner) != version:
            verdict.loses(f"{topic} ends with {owner!r} at {last.get(owner)}, not at {version}")
    for owner, version in content.keys() - met if all_of_them else ():
        verdict.loses(f"{topic} lacks {owner!r} at {version}")


def _sums(verdict: Verdict, must: Expected, seens: Iterable[Seen]) -> None:
    """The last sums are exact, and no group ever goes back."""
    last: dict[str, tuple[int, int]] = {}
    for seen in seens:
        group, versions = seen.key.decode(), _field(seen, "versions")
        if versions <= last.get(group, (0, 0))[1]:
            verdict.repeats(f"sums has {group} at {versions} after {last[group][1]}")
        last[group] = (int(json.loads(seen.value or b"")["sum"]), versions)
    for group, (total, versions) in must.sums.items():
        found = last.get(group, (0, 0))
        if found[1] < versions:
            verdict.loses(f"sums ends with {group} at {found[1]}, not at {versions}")
        elif found != (total, versions):
            verdict.errs(f"sums ends with {group}: {found}, must be {(total, versions)}")


def _rows(verdict: Verdict, what: str, must: dict[str, str], found: dict[str, str]) -> None:
    for key, row in must.items():
        if key not in found:
            verdict.loses(f"{what} lacks {key}")
        elif found[key] != row:
            verdict.errs(f"{what} has {key}: {found[key]}, must be {row}")
    for key in found.keys() - must.keys():
        verdict.errs(f"{what} has {key}, which must not be there")


def _last_rows(seens: Iterable[Seen]) -> dict[str, str]:
    rows: dict[str, str] = {}
    for seen in seens:
        if seen.value is None:
            rows.pop(seen.key.decode(), None)
        else:
            rows[seen.key.decode()] = seen.value.decode()
    return rows


def _answered(verdict: Verdict, table: str, answers: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The rows of all workers; a partition or a key at two of them is wrong."""
    rows: dict[str, str] = {}
    held: set[str] = set()
    for answer in answers:
        for partition, of_partition in answer["tables"][table].items():
            if partition in held:
                verdict.errs(f"{table}[{partition}] is held twice")
            held.add(partition)
            if twice := rows.keys() & of_partition.keys():
                verdict.errs(f"{table} has keys in two partitions: {sorted(twice)}")
            rows.update(of_partition)
    return rows


def _answered_sums(verdict: Verdict, answers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for answer in answers:
        for of_partition in answer["sums"].values():
            if twice := sums.keys() & of_partition.keys():
                verdict.errs(f"sums of two workers: {sorted(twice)}")
            sums.update(of_partition)
    return sums


def _field(seen: Seen, name: str) -> int:
    number: int = json.loads(seen.value or b"")[name]
    return number


def _owner(seen: Seen) -> bytes:
    owner: str = json.loads(seen.value or b"")["owner"]
    return owner.encode()
