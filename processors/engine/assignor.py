"""Faust's assignor, with topics that belong together kept together.

Faust groups topics by the members that subscribe to them, but takes those members in the order of
a set, which may differ from topic to topic: a table's changelog then ends up in another group than
its source, and the partitions of the two on different workers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from faust.assignor.partition_assignor import PartitionAssignor as FaustAssignor


class PartitionAssignor(FaustAssignor):  # type: ignore[misc]
    """Sticky, and partitions of the same number go to the same worker."""

    @classmethod
    def _group_co_subscribed(
        cls, topics: set[str], subscriptions: Mapping[str, list[str]]
    ) -> Iterable[set[str]]:
        groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for topic in topics:
            members = tuple(
                sorted(m for m, topics_of in subscriptions.items() if topic in topics_of)
            )
            groups[members].add(topic)
        return groups.values()
