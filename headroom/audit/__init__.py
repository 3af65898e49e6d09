"""An independent reader: what lies in Kafka, judged by the contract alone.

It shares no code with the producers and the processors, so that a mistake of theirs is not made
again here. `audit` reads and judges; `check` judges what was read; `check_answers` compares what
HTTP said.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from headroom.audit.findings import Audit, Finding, Findings
from headroom.audit.identities import check_identities, check_secrets
from headroom.audit.outcomes import check_outcomes
from headroom.audit.raw import check_raw
from headroom.audit.reading import read_journals, read_world
from headroom.audit.tables import check_tables, compare_answers
from headroom.audit.world import Record, Sent, World

__all__ = [
    "Audit",
    "Finding",
    "Record",
    "Sent",
    "World",
    "audit",
    "check",
    "check_answers",
    "read_journals",
    "read_world",
]


async def audit(
    kafka: Mapping[str, Any],
    *,
    journals: Sequence[Path] = (),
    canaries: Sequence[bytes] = (),
    topic_prefix: str = "",
    read_committed: bool = True,
    owners: Mapping[str, Sequence[str]] = {},
    in_assets: Collection[str] = (),
) -> Audit:
    """Read all that lies in Kafka and check the invariants I1 to I6.

    `kafka` are aiokafka's own settings. `owners` names the users that an account (`venue:account`)
    has had, the present one last, where that is not the account itself; `in_assets` the venues
    whose limits of assets are amounts of the assets. Without journals nothing is said of what was
    sent. The outcomes of what is in raw must already be there: wait for the worker's lag to be
    nought.
    """
    world = await read_world(
        kafka,
        journals=journals,
        canaries=canaries,
        topic_prefix=topic_prefix,
        read_committed=read_committed,
    )
    world = msgspec.structs.replace(world, owners=owners, in_assets=in_assets)
    return await asyncio.to_thread(check, world)


def check(world: World) -> Audit:
    """Check the invariants I1 to I6 of what was read."""
    findings = Findings()
    frames, not_in_raw = check_raw(world, findings)
    outcomes = check_outcomes(world, findings)
    tables = check_tables(world, outcomes.fold, findings)
    check_identities(world, findings)
    check_secrets(world, findings)
    for topic, partition, offset in sorted(world.unread):
        place = f"{topic}/{partition}/{offset}"
        findings.add("unread", place, "cannot be read: a header's name is not UTF-8")
    return Audit(
        frames=frames,
        raw=len(outcomes.raw),
        normalised=len(outcomes.normalised),
        dead_lettered=len(outcomes.dead_lettered),
        repeated=outcomes.repeated,
        users=sum(1 for user in outcomes.fold.users.values() if user.live),
        assets=tables.assets,
        lost=not_in_raw + outcomes.without + tables.wrong,
        findings_total=findings.total,
        findings=findings.kept,
    )


def check_answers(
    world: World,
    *,
    balances: Mapping[str, Mapping[str, Any] | None],
    exposures: Mapping[str, Mapping[str, Any] | None] | None = None,
) -> list[Finding]:
    """Compare what HTTP answered with the fold of the world, document for document.

    Both map a user to the answer's JSON, or to None where it was a 404; `freshness` is left
    aside. A user who is alive must be in a mapping that has any user at all.
    """
    fold = check_outcomes(world, Findings()).fold
    findings = Findings()
    compare_answers(world, fold, balances, exposures or {}, findings)
    return findings.kept
