"""Kafka as the faults want it: one node, or three of which one alone is the controller."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from headroom.kafka import KafkaNode, storage
from headroom.kafka.process import spawn
from headroom.kafka.storage import Storage


class _Follower(KafkaNode):
    """A broker of a cluster whose controller is another node."""

    def __init__(self, folder: Path, number: int, leader: Storage) -> None:
        super().__init__(data_dir=folder)
        self._number = number
        told = dict(line.split("=", 1) for line in leader.server_properties.read_text().split())
        self._voters = told["controller.quorum.voters"]
        meta = (leader.data / "meta.properties").read_text().split()
        self._cluster = next(line[11:] for line in meta if line.startswith("cluster.id="))

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        more = {
            "process.roles": "broker",
            "node.id": self._number,
            "controller.quorum.voters": self._voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{port}",
        }
        lines = "".join(f"{name}={value}\n" for name, value in more.items())
        place.server_properties.write_text(place.server_properties.read_text() + lines)

    async def _format(self, place: Storage, java: Sequence[str]) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--config", str(place.server_properties)]
        command = [*java, *tool, "--cluster-id", self._cluster]
        self._process = spawn(command, output=self.log_path)
        assert await self.wait() == 0, self.log_path.read_text()


class Ends:
    """Where the partitions of a topic end, asked for again and again."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
        self._admin = self._asking()

    def written(self) -> int:
        """How many places there are, in all partitions; 0 where nobody answers."""
        try:
            answers = self._admin.list_offsets(self._asked, request_timeout=5.0)
            return sum(answer.result(6.0).offset for answer in answers.values())
        except KafkaException:
            # One that has seen a broker come back goes on asking with what it knew before.
            self._admin = self._asking()
            return 0

    def _asking(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})


class Brokers:
    """So many nodes; the first one is the controller."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self._folder = folder
        self._count = count
        self.nodes: list[KafkaNode] = []

    def start(self) -> None:
        leader = KafkaNode(data_dir=self._folder / "kafka-1")
        self.nodes.append(leader)
        asyncio.run(leader.start())
        for number in range(2, self._count + 1):
            place = storage.Storage((self._folder / "kafka-1").absolute())
            self.nodes.append(_Follower(self._folder / f"kafka-{number}", number, place))
            asyncio.run(self.nodes[-1].start())

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    def restart(self) -> None:
        for node in self.nodes:
            asyncio.run(node.start())

    def suspend(self, *, last_only: bool = False) -> None:
        self._signal(signal.SIGSTOP, last_only=last_only)

    def resume(self) -> None:
        self._signal(signal.SIGCONT, last_only=False)

    def _signal(self, number: signal.Signals, *, last_only: bool) -> None:
        for node in self.nodes[-1:] if last_only else self.nodes:
            if node.running:
                os.kill(node.pid, number)

    def stop(self) -> None:
        self.resume()
        for node in reversed(self.nodes):
            asyncio.run(node.stop())
