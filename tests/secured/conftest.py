"""What a test of the secured cluster needs: the cluster, its master, and places for others."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from headroom.base.clients import Clients
from headroom.base.settings import KafkaSettings
from headroom.operate.topics.acls import Right, of_topics
from tests.operators.process import Place
from tests.secured.cluster import Cluster, Locksmith


class World:
    """The cluster, who may do everything in it, and places for who may not."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = folder, cluster
        self.smith = Locksmith(cluster.bootstrap)
        everything = {"bootstrap.servers": cluster.bootstrap, "log_level": 0}
        self.admin, self.root = AdminClient(everything), Producer(everything)
        # Unlike `admin`, they go on where a partition has another leader.
        self._clients = Clients(KafkaSettings(cluster.bootstrap))
        self.places: list[Place] = []

    def place(self, user: str, *rights: Right, mutual: bool = False, **more: object) -> Place:
        self.smith.user(user)
        self.smith.give(user, rights)
        folder = self.folder / user
        own = {"DATA_DIR": folder / "data", "SPOOL_DIR": folder / "spool"}
        access = self.cluster.access(user, mutual=mutual)
        made = Place(folder, **{**access, **own, **more})
        self.places.append(made)
        return made

    def ends(self, topic: str) -> int:
        """How many places there are, in all partitions."""
        return sum(self._clients.ends([topic], 8, committed=False).values())

    def all_in_sync(self) -> bool:
        """Whether every partition has all its replicas again."""
        try:
            topics = self.admin.list_topics(timeout=5).topics.values()
        except KafkaException:
            return False
        parts = [part for topic in topics for part in topic.partitions.values()]
        return all(len(part.isrs) == len(part.replicas) for part in parts)

    def has_more(self, topic: str) -> Callable[[], bool]:
        before = self.ends(topic)
        return lambda: self.ends(topic) > before

    def unused(self, user: str, *rights: Right) -> set[Right]:
        """Which of these rights the authorizer has not seen used."""
        allowed = self.cluster.judged(user).allowed
        return {
            right
            for right in rights
            if not any(
                (one.kind, one.operation) == (right.kind, right.operation)
                and (one.name == right.name or (right.prefixed and one.name.startswith(right.name)))
                for one in allowed
            )
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("secured")
    cluster = Cluster(folder / "cluster")
    made = None
    try:
        asyncio.run(cluster.start())
        made = World(folder, cluster)
        # The first one makes the topics that the others work on.
        applied = made.place("apply", *of_topics()).run("topics", "apply")
        assert applied.status == 0, applied.output
        yield made
    finally:
        for place in [] if made is None else made.places:
            place.end()
        asyncio.run(cluster.stop())
