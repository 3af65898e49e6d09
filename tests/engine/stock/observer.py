"""Who judges: it reads Kafka alone, committed records only, and knows what was sent.

right   every record has its consequences, as often as it should
lost    a record was committed and its consequences are nowhere
wrong   consequences are there that should not be, or say something else
stuck   records wait, nothing stands in their way, and nobody does them
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import aiokafka
import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from headroom.base.reading import written_ends
from tests.engine.stock.jobs import PARTITIONS

Verdict = Literal["right", "lost", "wrong", "stuck"]
Pairs = Iterable[tuple[bytes, bytes]]

POLL_SECONDS: Final = 0.05


class Seen(msgspec.Struct, frozen=True):
    """A verdict, and what it was made of."""

    verdict: Verdict
    story: str
    reason: str = ""


class Observer:
    """Reads Kafka past the proxy; made from the clients of whoever runs it."""

    def __init__(self, bootstrap: str, admin: AIOKafkaAdminClient) -> None:
        self._bootstrap = bootstrap
        self._admin = admin

    async def committed(self, group: str, topic: str) -> int:
        """How many records of a topic a group has committed."""
        try:
            offsets = await self._admin.list_consumer_group_offsets(group)
        except KafkaError as error:
            if not error.retriable:
                raise
            return 0  # a new broker has no group coordinator for a second
        return sum(max(0, o.offset) for tp, o in offsets.items() if tp.topic == topic)

    async def members(self, group: str) -> int:
        """How many members of a group have partitions."""
        # The answer's shape: (error, group, state, protocol type, protocol, members, …).
        try:
            (answer,) = await self._admin.describe_consumer_groups([group])
        except KafkaError as error:
            if not error.retriable:
                raise
            return 0
        described = answer.groups[0]
        return sum(1 for member in described[5] if member[4]) if described[2] == "Stable" else 0

    async def records(self, topic: str, *, committed_only: bool = True) -> list[Any]:
        """What lies in a topic; control markers and open transactions are no records."""
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed_only else "read_uncommitted",
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            ends = await written_ends({"bootstrap_servers": self._bootstrap}, tps)
            found = []
            for tp in tps:
                while await consumer.position(tp) < ends[tp]:
                    for records in (await consumer.getmany(tp, timeout_ms=100)).values():
                        found += records
            return found
        finally:
            await consumer.stop()

    async def rows(self, changelog: str) -> dict[tuple[int, bytes], bytes]:
        """What a changelog says a table is, by partition and key."""
        rows = {(r.partition, r.key): r.value for r in await self.records(changelog)}
        return {place: row for place, row in rows.items() if row is not None}


def judge_sends(expected: Pairs, found: Pairs, *, once: bool = True) -> Seen:
    """Every expected record, and nothing else; `once`: no more often than expected."""
    wanted, there = Counter(expected), Counter(found)
    missing, more = wanted - there, there - wanted
    false = {pair for pair in more if pair not in wanted}
    if false:
        key, value = min(false)
        return Seen("wrong", f"{value!r} is said of {key!r}, which is not so")
    if missing:
        what = f"{missing.total()} of {wanted.total()} committed records have no outcome"
        return Seen("lost", what)
    if more and once:
        return Seen("wrong", f"{more.total()} outcomes too many for {wanted.total()} records")
    return Seen("right", f"{wanted.total()} records, each with its outcome")


def judge_rows(
    expected: Mapping[tuple[int, bytes], bytes], found: Mapping[tuple[int, bytes], bytes]
) -> Seen:
    """Exactly the expected rows."""
    missing = expected.keys() - found.keys()
    if missing:
        return Seen("lost", f"{len(missing)} of {len(expected)} rows are nowhere")
    false = [place for place, row in found.items() if expected.get(place) != row]
    if false:
        place = false[0]
        what = f"{len(false)} of {len(expected)} rows are false: "
        return Seen("wrong", what + f"{found[place]!r} for {expected.get(place)!r}")
    return Seen("right", f"{len(expected)} rows, all as they should be")


def both(*seen: Seen) -> Seen:
    """The first verdict that is not `right`, or the first."""
    return next((one for one in seen if one.verdict != "right"), seen[0])


async def until(condition: Any, seconds: float) -> bool:
    """Whether a condition (an async function) became true in time."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True
