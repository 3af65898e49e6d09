"""Whether compacted topics still hold all that was said in them.

A topic that is compacted and nothing else begins at its first offset for ever: where one begins
later, somebody deleted records, and what they said is lost in silence. The book of generations says
up to where that is known and was made good (`KnownTopic.begins`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from headroom.base.errors import OperatorError
from headroom.base.known_topics import KnownTopic
from headroom.base.reading import reader
from processors.engine.marks import read_commit

log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 0.2
RESTORE_BOOK: Final = "headroom resume --generation NAME"


class TopicCut(OperatorError):
    """A topic whose every record counts has lost some; `way` is the command that goes on."""

    def __init__(self, topic: str, partition: int, begin: int, way: str) -> None:
        super().__init__(
            f"{topic}[{partition}] begins at offset {begin}: records were deleted from it, and "
            f"what they said is lost: see `{way}`"
        )
        self.topic = topic
        self.partition = partition
        self.begin = begin


class BookLost(OperatorError):
    """The book of generations is another one than that with which a group has worked."""

    def __init__(self, topic: str, group: str) -> None:
        super().__init__(
            f"{topic} was deleted and made again: it knows nothing of the work of the group "
            f"{group}, and which generation is live is lost: see `{RESTORE_BOOK}`"
        )
        self.topic = topic
        self.group = group


async def begins_of(kafka: Mapping[str, Any], topic: str, *, partitions: int) -> tuple[int, ...]:
    """The first offsets of a topic's partitions; raises KafkaError."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    async with reader(kafka) as consumer:
        found = await consumer.beginning_offsets(places)
    return tuple(found[place] for place in places)


def cut(begins: Sequence[int], known: KnownTopic | None) -> tuple[int, int] | None:
    """The first partition that begins later than is known, and where; None: the topic is whole."""
    accepted = () if known is None else known.begins
    for number, begin in enumerate(begins):
        if begin > (accepted[number] if number < len(accepted) else 0):
            return number, begin
    return None


def check(topic: str, begins: Sequence[int], known: KnownTopic | None, way: str) -> None:
    """Raise `TopicCut` where a topic begins later than is known."""
    found = cut(begins, known)
    if found is not None:
        raise TopicCut(topic, *found, way)


async def worked_as(kafka: Mapping[str, Any], is_ours: Callable[[str], bool]) -> str | None:
    """A consumer group of ours that has commits with our mark, if there is one."""
    patient_until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await _worked_as(kafka, is_ours)
        except KafkaError as error:
            # A broker that has just come may still be reading what it knows of groups.
            if not error.retriable or time.monotonic() > patient_until:
                raise
            log.info("asking for groups again: %r", error)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _worked_as(kafka: Mapping[str, Any], is_ours: Callable[[str], bool]) -> str | None:
    admin: Any = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        groups: set[str] = {name for name, *_ in await admin.list_consumer_groups()}
        for group in sorted(groups):
            if is_ours(group) and await _is_marked(admin, group):
                return group
    finally:
        await admin.close()
    return None


async def _is_marked(admin: Any, group: str) -> bool:  # noqa: ANN401 - aiokafka has no types
    try:
        found: Collection[Any] = (await admin.list_consumer_group_offsets(group)).values()
    except GroupAuthorizationFailedError:
        return False
    return any(read_commit(*said).ours for said in found)
