"""Faust's assignor, with topics that belong together kept together, and members that come back.

Faust groups topics by the members that subscribe to them, but takes those members in the order of
a set, which may differ from topic to topic: a table's changelog then ends up in another group than
its source, and the partitions of the two on different workers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from faust.assignor.partition_assignor import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor as FaustAssignor


class PartitionAssignor(FaustAssignor):  # type: ignore[misc]
    """Sticky, and partitions of the same number go to the same worker.

    `url_is_outdated`: the group knows this member by the address of its last run, and the others
    would look for it there.
    """

    url_is_outdated = False

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

    def on_assignment(self, assignment: Any) -> None:  # noqa: ANN401 - aiokafka has no types
        """Take the assignment; of a member that came back under another address, too.

        Kafka gives such a member what it had before, with what the group's leader said at that
        time. Faust holds another address for an error.
        """
        told = ClientMetadata.loads(self._decompress(assignment.user_data)).url
        self.url_is_outdated = told != str(self._url)
        try:
            super().on_assignment(assignment)
        except AssertionError:
            # The address is the last thing that Faust asserts, and everything is taken by then.
            if not self.url_is_outdated:
                raise
