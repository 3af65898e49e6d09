"""What is otherwise in Kafka than it should be, topic by topic, and what to do about it."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from headroom.base.errors import TopicsDiffer
from headroom.base.known_topics import REPLAY, RESUME, KnownTopic
from headroom.base.settings import KafkaSettings
from headroom.operate.topics.admin import Admin, Found, admin_of
from schemas.topics import TOPICS, Topic

PARTITIONS: Final = "partitions"
_PARTITIONS_HINT: Final = (
    "HEADROOM_PARTITIONS is the number for all topics; records in partitions beyond it are not "
    "read, and Kafka takes no partition away: see docs/operations.md"
)
_REPLICAS_HINT: Final = "`kafka-reassign-partitions.sh` gives it more replicas"


class Difference(msgspec.Struct, frozen=True):
    """One thing that differs; `setting` is None for a missing topic.

    `hint` says what to do where `headroom topics apply` cannot mend it without loss, and is empty
    where it can.
    """

    topic: str
    setting: str | None
    wanted: str
    found: str | None
    hint: str = ""

    def __str__(self) -> str:
        hint = f": {self.hint}" if self.hint else ""
        if self.setting is None:
            return f"topic {self.topic} is missing{hint}"
        return f"topic {self.topic}: {self.setting} is {self.found}, not {self.wanted}{hint}"


class Wanted(msgspec.Struct, frozen=True):
    """A topic as it should be.

    `known` is what was read by this name; `way` is the command that goes on where that is lost.
    `needed`: it has to be there; `made_by`: who makes it where it is not, if not `topics apply`.
    """

    topic: Topic
    known: KnownTopic | None = None
    way: str = RESUME
    needed: bool = True
    made_by: str = ""


CONTRACT: Final[Mapping[str, Wanted]] = {name: Wanted(topic) for name, topic in TOPICS.items()}


async def differences(
    admin: Admin,
    wanted: Mapping[str, Wanted],
    *,
    partitions: int,
    replication_factor: int,
    settings: bool = True,
) -> list[Difference]:
    """What differs: topics that are missing first, then numbers, identities and settings.

    Raises `KafkaUnreachable`, `Refused`.
    """
    there = await admin.found(wanted)
    missing = [_missing(name, one) for name, one in wanted.items() if name not in there]
    found = [difference for difference in missing if difference is not None]
    for name, one in there.items():
        number = partitions_of(name, partitions)
        if one.partitions != number:
            found.append(other_partitions(name, one, number))
    for name, one in there.items():
        known = wanted[name].known
        if known is not None and one.id not in (None, known.id):
            hint = f"another topic has its name: see `{wanted[name].way}`"
            found.append(Difference(name, "id", known.id, one.id, hint))
    if settings:
        found += await _settings(admin, wanted, there, replication_factor)
    return found


async def _settings(
    admin: Admin,
    wanted: Mapping[str, Wanted],
    there: Mapping[str, Found],
    replication_factor: int,
) -> list[Difference]:
    found = []
    for name, one in there.items():
        if one.replication_factor < replication_factor:
            numbers = str(replication_factor), str(one.replication_factor)
            found.append(Difference(name, "replication factor", *numbers, _REPLICAS_HINT))
    for name, values in (await admin.settings(there)).items():
        # More acknowledgements than it has replicas would stop all who write.
        replicas = min(replication_factor, there[name].replication_factor)
        for setting, value in wanted[name].topic.settings(replication_factor=replicas).items():
            if values.get(setting) != value:
                found.append(Difference(name, setting, value, values.get(setting)))
    return found


def partitions_of(name: str, partitions: int) -> int:
    """How many partitions a topic has by the contract; `partitions` is what nearly all have."""
    topic = TOPICS.get(name)
    return partitions if topic is None else topic.partitions or partitions


def other_partitions(name: str, found: Found, partitions: int) -> Difference:
    """What is said of a topic with another number of partitions than all have."""
    numbers = str(partitions), str(found.partitions)
    return Difference(name, PARTITIONS, *numbers, _PARTITIONS_HINT)


def _missing(name: str, wanted: Wanted) -> Difference | None:
    """What is said of a topic that is not there; None where nobody misses it."""
    if wanted.known is not None and wanted.way.startswith(REPLAY):
        # Of the others it is enough that their identities differ afterwards: they are made.
        hint = f"it was read before, and what it held is lost: see `{wanted.way}`"
        return Difference(name, None, "present", None, hint)
    if not wanted.needed:
        return None
    hint = f"{wanted.made_by} makes it" if wanted.made_by else ""
    return Difference(name, None, "present", None, hint)


async def create(
    kafka: KafkaSettings, wanted: Mapping[str, Topic], *, partitions: int, replication_factor: int
) -> None:
    """Create topics by these names where they are missing; raises `TopicsDiffer`."""
    async with admin_of(kafka) as admin:
        await admin.create(wanted, partitions=partitions, replication_factor=replication_factor)


async def require(kafka: KafkaSettings, *, partitions: int) -> None:
    """That the contract's topics are there with their partitions; raises `TopicsDiffer` where not.

    Settings that differ stop nobody: `headroom topics check` names them.
    """
    async with admin_of(kafka) as admin:
        await require_all(admin, CONTRACT, partitions=partitions)


async def require_all(admin: Admin, wanted: Mapping[str, Wanted], *, partitions: int) -> None:
    """The same for some topics, asked of one client."""
    found = await differences(
        admin, wanted, partitions=partitions, replication_factor=1, settings=False
    )
    refuse(found)


def refuse(found: Iterable[Difference]) -> None:
    """Raise `TopicsDiffer` where anything differs."""
    told = list(found)
    if told:
        can_be_mended = any(
            difference.setting is None and not difference.hint for difference in told
        )
        more = ["run `headroom topics apply`"] if can_be_mended else []
        raise TopicsDiffer([*_grouped(told), *more])


def _grouped(found: list[Difference]) -> list[str]:
    """One text each; what is to be done about many alike is said once, behind the last."""
    texts = []
    for number, difference in enumerate(found):
        following = found[number + 1].hint if number + 1 < len(found) else None
        repeated = difference.hint == following
        texts.append(str(msgspec.structs.replace(difference, hint="") if repeated else difference))
    return texts
