"""How far behind a copy is: what Kafka is asked for that, and when nothing can be said."""

import asyncio
from collections.abc import Collection
from typing import Any

from faust.types import TP

from processors.engine.copies import Ends
from processors.engine.restore import Restorer
from processors.engine.store import MemoryStore, Position
from tests.processors.engine.test_restore import CHANGELOG, Kafka

OTHER = TP("changelog", 1)


class Asked:
    """Kafka's ends, and how often it was asked for them."""

    def __init__(self) -> None:
        self.ends = {CHANGELOG: 7}
        self.times = 0

    def ends_at_once(self, partitions: Collection[TP], *, seconds: float) -> dict[TP, int]:
        self.times += 1
        return {tp: end for tp, end in self.ends.items() if tp in partitions}


async def test_kafka_is_asked_once_for_all_who_ask_at_nearly_the_same_time() -> None:
    now, kafka = [0.0], Asked()
    ends = Ends({}, monotonic=lambda: now[0], asking=kafka)  # type: ignore[arg-type]
    found = await asyncio.gather(*(ends.of({CHANGELOG}) for _ in range(20)))
    assert (found[0], kafka.times) == ({CHANGELOG: 7}, 1)
    # Another partition is asked for; and that Kafka said nothing is told to all as well.
    assert await ends.of({CHANGELOG, OTHER}) == {CHANGELOG: 7}
    assert await ends.of({OTHER}) == {CHANGELOG: 7}
    assert kafka.times == 2
    kafka.ends = {}
    now[0] += 0.5
    assert await ends.of({CHANGELOG}) == {}
    assert await ends.of({CHANGELOG}) == {}
    assert kafka.times == 3


def test_what_lies_in_a_folder_is_no_copy_before_the_changelog_was_looked_at() -> None:
    """It may hold rows whose deletion the changelog has forgotten."""
    restorer = Restorer({}, group="g", tombstones_ms=1, clock_ms=lambda: 0)
    kafka: Any = Kafka()
    restorer._asking = kafka
    store = MemoryStore()
    store.write({b"a": b"1"}, Position(4, 0))
    assert restorer.reached(CHANGELOG, store) is None
    positions = restorer._begin({CHANGELOG: store}, {CHANGELOG: 5}, frozenset())
    assert restorer.reached(CHANGELOG, store) == 5
    # A control marker was read over, or rows were written here since.
    positions[CHANGELOG] = 6
    assert restorer.reached(CHANGELOG, store) == 6
    store.write({}, Position(8, 0))
    assert restorer.reached(CHANGELOG, store) == 9
    assert restorer.reached(CHANGELOG, MemoryStore()) is None
