"""What Kafka is and holds, and what one may do there: asked, never tried."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from headroom.base.settings import Settings
from headroom.operate.doctor.brokers import Cluster, reachable
from headroom.operate.doctor.findings import Finding, fail, named, ok, warn
from headroom.operate.doctor.judging import Reading, judge_clock, judge_version
from headroom.operate.generations import FIRST, app_name
from headroom.operate.topics import Difference
from headroom.operate.topics.admin import admin_of
from headroom.operate.topics.survey import brokers, check
from schemas.topics import TOPICS

_APPLY: Final = "`headroom topics apply`"
_NEEDED: Final = ("READ", "WRITE", "DESCRIBE")
_GROUPS: Final = "__consumer_offsets"
_IN_GROUPS: Final = ("READ", "DESCRIBE")
_ACLS: Final = "see `headroom topics acls`: who only reads needs no WRITE"
NOT_THERE: Final = warn("not looked at: no Kafka answers", "see `kafka`")


async def look_for_brokers(cluster: Awaitable[Cluster]) -> Sequence[Finding]:
    """Whether Kafka is there and lets this program in, address by address."""
    there = await cluster
    if not there.bootstrap:
        return [fail("it is not known where it is", "see `settings`")]
    return reachable(there)


async def look_at_versions(cluster: Awaitable[Cluster]) -> Sequence[Finding]:
    """Which release each broker is of, once for each answer."""
    there = (await cluster).answering
    if not there:
        return [NOT_THERE]
    by_level: dict[int | None, list[str]] = {}
    for one in there:
        by_level.setdefault(one.level, []).append(one.address)
    return [judge_version(named(where), level) for level, where in by_level.items()]


async def look_at_topics(settings: Settings, cluster: Awaitable[Cluster]) -> Sequence[Finding]:
    """What `headroom topics check` says."""
    if not (await cluster).is_there:
        return [NOT_THERE]
    kafka, factor = settings.kafka, settings.replication_factor
    differing, notes = await asyncio.gather(
        check(kafka, partitions=settings.partitions, replication_factor=factor),
        brokers(kafka, replication_factor=factor),
    )
    found = told_of(differing)
    found += [warn(note, "see docs/operations.md") for note in notes]
    return found or [ok(f"{len(TOPICS)} topics are as the contract says")]


def told_of(differing: Sequence[Difference]) -> list[Finding]:
    """A line for each difference, and one for all topics that `apply` would make."""
    missing = [one.topic for one in differing if one.setting is None and not one.hint]
    found = [
        fail(str(one), "" if one.hint else _APPLY) for one in differing if one.topic not in missing
    ]
    if not missing:
        return found
    are = "topic is" if len(missing) == 1 else "topics are"
    return [fail(f"{len(missing)} {are} missing: {named(missing)}", _APPLY), *found]


async def look_at_rights(settings: Settings, cluster: Awaitable[Cluster]) -> Sequence[Finding]:
    """What Kafka says that one may do with our topics and with the workers' group."""
    if not (await cluster).is_there:
        return [NOT_THERE]
    group = app_name(FIRST)
    async with admin_of(settings.kafka) as admin:
        topics = await admin.rights(list(TOPICS))
        # Whoever asks about a group has Kafka make the topic of groups where there is none yet.
        is_there = await admin.found([_GROUPS])
        in_group = await admin.rights_in(group) if is_there else None
    found = lacking(topics)
    if in_group is not None and (lacks := _without(in_group, _IN_GROUPS)):
        found.append(warn(f"no {' and '.join(lacks)} on the group {group}", _ACLS))
    if found:
        return found
    if not topics:
        return [warn("no topic of ours is there: nothing to have rights on", _APPLY)]
    said = f"{', '.join(_NEEDED)} on all topics of ours that are there"
    return [ok(said if in_group is None else f"{said}, and what workers need in their group")]


def lacking(topics: Mapping[str, frozenset[str]]) -> list[Finding]:
    """A line for each set of rights that topics lack."""
    by_lacks: dict[tuple[str, ...], list[str]] = {}
    for name, rights in topics.items():
        if lacks := _without(rights, _NEEDED):
            by_lacks.setdefault(lacks, []).append(name)
    return [
        warn(f"no {' and '.join(lacks)} on {named(names)}", _ACLS)
        for lacks, names in by_lacks.items()
    ]


def _without(rights: frozenset[str], needed: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in needed if one not in rights)


async def look_at_clocks(
    cluster: Awaitable[Cluster], registry: Awaitable[Reading | None]
) -> Sequence[Finding]:
    """This machine's clock beside those that others tell of unasked or when asked; no venue's."""
    there, of_registry = await asyncio.gather(cluster, registry)
    read = [one.clock for one in there.answering if one.clock is not None]
    # Who was answered soonest knows it best; all brokers ask the same controller.
    best = min(read, key=lambda one: one.after_ms - one.before_ms, default=None)
    found = [judge_clock(one) for one in (best, of_registry) if one is not None]
    if best is None and there.answering:
        said = "Kafka does not tell what time it is there (needs Describe on the cluster)"
        found.append(warn(said, "compare the brokers' clocks by hand, or have NTP set all"))
    return found or [NOT_THERE]
