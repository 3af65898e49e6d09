"""Offsets that a reader jumped over: whether something lay there that is not there any more.

librdkafka shows neither the control markers of transactions nor what was aborted, so that a jump
alone says nothing. But a topic that is not compacted holds a batch for each of its offsets: Kafka
is asked for them as they lie.
"""

from typing import Any, Final

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.types import TP

Offsets = tuple[int, int]
"""From the first one to before the second one."""
LOST: Final = "%s[%d] holds nothing from offset %d to before %d: lost"
_WAIT_MS: Final = 500
_BYTES_MAX: Final = 4 * 1024 * 1024
_READ_UNCOMMITTED: Final = 0


async def hole_in(client: Any, tp: TP, offsets: Offsets) -> Offsets | None:  # noqa: ANN401 - aiokafka has no types
    """The first offsets of these of which no batch is there; `client` is aiokafka's own.

    Raises KafkaError where Kafka does not say.
    """
    position, end = offsets
    while position < end:
        batches = await _batches(client, tp, position)
        if not batches:
            return position, end
        for begin, behind in batches:
            if begin > position:
                return position, min(begin, end)
            position = max(position, behind)
    return None


def place_of(tp: TP, offset: int) -> dict[str, str | int]:
    """What a line of the log that tells of a record has beside its words (its `extra`)."""
    return {"topic": tp.topic, "partition": tp.partition, "offset": offset}


async def _batches(client: Any, tp: TP, offset: int) -> list[Offsets]:  # noqa: ANN401 - as above
    """The batches that lie from an offset on, a few of them."""
    leader = client.cluster.leader_for_partition(TopicPartition(*tp))
    asked = [(tp.topic, [(tp.partition, offset, _BYTES_MAX)])]
    request = FetchRequest(_WAIT_MS, 1, _BYTES_MAX, _READ_UNCOMMITTED, asked)
    answer = await client.send(leader, request)
    found: list[Offsets] = []
    for _, partitions in answer.topics:
        for _, code, *_, data in partitions:
            error: type[KafkaError] = for_code(code)
            if code:
                raise error(f"cannot look at {tp.topic}[{tp.partition}] from {offset}")
            records = MemoryRecords(bytes(data or b""))
            while records.has_next():
                batch = records.next_batch()
                found.append((batch.base_offset, batch.next_offset))
    return found
