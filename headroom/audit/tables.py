"""I3 and I4: the tables' topics end with what the fold says, to the last digit."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from headroom.audit.exposures import (
    asset_exposures,
    base_exposures,
    user_balances,
    user_exposure,
)
from headroom.audit.findings import Findings
from headroom.audit.fold import Fold
from headroom.audit.numbers import without_sign_of_zero
from headroom.audit.outcomes import difference
from headroom.audit.text import read_document
from headroom.audit.world import Record, World
from schemas.topics import BALANCES_LATEST, EXPOSURE_ASSET, EXPOSURE_BASE, EXPOSURE_USER


class Tables(msgspec.Struct, frozen=True):
    """How many users, assets and base currencies end wrongly, and how many assets are there."""

    wrong: int
    assets: int


def check_tables(world: World, fold: Fold, findings: Findings) -> Tables:
    """Check I3 and I4."""
    users = {name: user_balances(name, user) for name, user in fold.users.items()}
    exposed = {
        name: user_exposure(name, user, world.in_assets) for name, user in fold.users.items()
    }
    versions = {name: user.version for name, user in fold.users.items()}
    latest, assets = _last(world, BALANCES_LATEST), _last(world, EXPOSURE_ASSET)
    exposures = _last(world, EXPOSURE_USER)
    if fold.counts_on or fold.movers:
        _count_on(latest, users, versions, fold)
        _count_on(exposures, exposed, versions, fold)
    wrong_users = _check_users("I3", latest, users, versions, findings)
    wrong_users |= _check_users("I4", exposures, exposed, versions, findings)
    wrong = len(wrong_users)
    wrong += _check_sums(assets, asset_exposures(fold), findings)
    wrong += _check_sums(_last(world, EXPOSURE_BASE), base_exposures(fold), findings)
    return Tables(wrong, sum(1 for record in assets.values() if record.value is not None))


def _count_on(
    last: Mapping[str, Record],
    wanted: dict[str, dict[str, Any] | None],
    versions: dict[str, int],
    fold: Fold,
) -> None:
    """Take the versions that are there for right, where they are not lower than they must be.

    Whom a correction or a move left without any account is a tombstone.
    """
    for name, record in last.items():
        given = (record.header("ce_id") or "").rpartition("/")[2]
        if name not in versions and record.value is None and given.isdecimal():
            versions[name], wanted[name] = int(given), None
        if name not in versions or not given.isdecimal():
            continue
        if name not in fold.movers and not (fold.counts_on and int(given) >= versions[name]):
            continue
        versions[name] = int(given)
        document = wanted.get(name)
        if document is not None:
            wanted[name] = {**document, "version": int(given)}


def compare_answers(
    world: World,
    fold: Fold,
    balances: Mapping[str, Mapping[str, Any] | None],
    exposures: Mapping[str, Mapping[str, Any] | None],
    findings: Findings,
) -> None:
    """Compare what HTTP answered, by user (None for a 404), `freshness` left aside."""
    for invariant, answers, make in (
        ("I3", balances, user_balances),
        ("I4", exposures, partial(user_exposure, in_assets=world.in_assets)),
    ):
        wanted = {name: make(name, user) for name, user in fold.users.items()}
        for name in answers.keys() | (wanted.keys() if answers else set()):
            answer, expected = answers.get(name), wanted.get(name)
            where = f"HTTP {name}"
            if answer is None or expected is None:
                if answer is not None:
                    findings.add(invariant, where, "is answered and must not be there")
                elif expected is not None:
                    findings.add(invariant, where, "is not answered")
                continue
            plain = {key: value for key, value in answer.items() if key != "freshness"}
            problem = _difference(plain, expected)
            if problem is not None:
                findings.add(invariant, where, problem)


def _last(world: World, topic: str) -> dict[str, Record]:
    found = {}
    for record in world.of(topic):
        found[(record.key or b"").decode("utf-8", "replace")] = record
    return found


def _check_users(
    invariant: str,
    last: Mapping[str, Record],
    wanted: Mapping[str, dict[str, Any] | None],
    versions: Mapping[str, int],
    findings: Findings,
) -> set[str]:
    wrong = set()
    for name in last.keys() | wanted.keys():
        record = last.get(name)
        problem = _user_problem(record, wanted.get(name), versions.get(name))
        if problem is not None:
            where = name if record is None else f"{name} at {record.place}"
            findings.add(invariant, where, problem)
            wrong.add(name)
    return wrong


def _user_problem(
    record: Record | None, wanted: dict[str, Any] | None, version: int | None
) -> str | None:
    if record is None:
        # A tombstone may have been compacted away, and who was never there needs none.
        return None if wanted is None else "has no record"
    if version is None:
        return "is a user whom no frame made"
    if record.value is None:
        if wanted is not None:
            return "ends with a tombstone and is alive"
        given = (record.header("ce_id") or "").rpartition("/")[2]
        return None if given == str(version) else f"tombstone of version {given}, not {version}"
    if wanted is None:
        return "has no living account and no tombstone"
    return _document_problem(record, wanted)


def _document_problem(record: Record, wanted: dict[str, Any]) -> str | None:
    try:
        return _difference(read_document(record.value or b""), wanted)
    except ValueError as error:
        return f"cannot be read: {error}"


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    try:
        told = _told(found)
    except (KeyError, TypeError, AttributeError) as error:
        return f"is no such document: {error!r}"
    return None if told == _told(wanted) else difference(_told(wanted), told)


def _check_sums(
    last: Mapping[str, Record], wanted: Mapping[str, dict[str, Any]], findings: Findings
) -> int:
    wrong = 0
    for name in last.keys() | wanted.keys():
        record, expected = last.get(name), wanted.get(name)
        problem: str | None
        if record is None:
            problem = "has no record"
        elif expected is None:
            problem = "is there and no frame made it"
        elif record.value is None:
            problem = "ends with a tombstone and must stay"
        else:
            problem = _document_problem(record, expected)
        if problem is not None:
            where = name if record is None else f"{name} at {record.place}"
            findings.add("I4", where, problem)
            wrong += 1
    return wrong


def _told(document: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what the contract leaves open to one form.

    The sign of a nought that was added up, the order of limits, limits of which nothing is known,
    and the versions of sums. Snapshots within a user's balances stay as they are.
    """
    told: dict[str, Any] = {
        name: value if name == "accounts" else without_sign_of_zero(value)
        for name, value in document.items()
    }
    if "user" not in told:
        told.pop("version", None)
    if "limits" in told:
        known = [x for x in told["limits"] if x["current"] is not None or x["max"] is not None]
        told["limits"] = sorted(known, key=_limit_order)
    return told


def _limit_order(limit: Mapping[str, Any]) -> tuple[str, str, bool, str]:
    asset = limit["asset"]
    return limit["venue"], limit["account"], asset is not None, asset or ""
