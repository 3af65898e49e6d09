"""`headroom seek`: a stopped consumer group stands at another time."""

import asyncio
import sys
from collections.abc import Sequence

from headroom.base.clients import CALL_SECONDS, Clients, InUse, Place
from headroom.base.errors import OperatorError
from headroom.base.printable import printable
from headroom.base.settings import Settings
from headroom.operate.generations import FIRST, app_name
from schemas.times import record_time_ns, rfc3339


class OwnGroup(OperatorError):
    """A group of Headroom's own."""


class NoSuchPlace(OperatorError):
    """A group or topic that is not there, or a time that it does not hold."""


async def run_seek(
    settings: Settings, group: str, topics: Sequence[str], to_ms: int, *, dry_run: bool
) -> None:
    """Move a group that nobody is in; raises `InUse`, `OwnGroup`, `NoSuchPlace`."""
    own = app_name(FIRST)
    if group == own or group.startswith(f"{own}-generation."):
        problem = f"{group} is Headroom's own: frames would be missed or counted in order"
        raise OwnGroup(f"{problem}; `headroom replay` reads them again")
    await asyncio.to_thread(_seek, Clients(settings.kafka), group, topics, to_ms, dry_run)


def _seek(
    clients: Clients,
    group: str,
    topics: Sequence[str],
    to_ms: int,
    dry_run: bool,  # noqa: FBT001 - called here alone
) -> None:
    if clients.group(group).members:
        raise InUse(f"the group {group} has members: stop them first")
    stands = _stands(clients, group)
    meant = list(topics) or sorted({topic for topic, _ in stands})
    if not meant:
        raise NoSuchPlace(f"the group {group} has never read anything: name it a --topic")
    moved: dict[Place, int] = {}
    for topic in meant:
        moved |= _moved(clients, topic, to_ms)
    for (topic, number), offset in sorted(moved.items()):
        before = stands.get((topic, number))
        said = "nowhere" if before is None else str(before)
        sys.stdout.write(f"{printable(topic)}/{number}  {said} -> {offset}\n")
    if not dry_run:
        clients.move(group, moved)


def _moved(clients: Clients, topic: str, to_ms: int) -> dict[Place, int]:
    """Where a topic's partitions are at a time."""
    known = clients.admin.list_topics(timeout=CALL_SECONDS).topics
    if topic not in known:
        raise NoSuchPlace(f"there is no topic {topic}")
    partitions = len(known[topic].partitions)
    held = clients.times_ms([topic], partitions)
    if held is None or not held[0] <= to_ms <= held[1]:
        span = "nothing" if held is None else f"{_time(held[0])} to {_time(held[1])}"
        raise NoSuchPlace(f"{topic} holds {span}, and not {_time(to_ms)}")
    ends = clients.ends([topic], partitions)
    found = clients.at([topic], partitions, to_ms)
    return {place: ends[place] if at is None else at for place, at in found.items()}


def _stands(clients: Clients, group: str) -> dict[Place, int]:
    return {place: commit.offset for place, commit in clients.all_commits(group).items()}


def _time(time_ms: int) -> str:
    return rfc3339(record_time_ns(time_ms))
