"""Kafka as the faults want it: one node, or three of which one alone is the controller."""

import asyncio
import os
import signal
import threading
from collections.abc import Collection, Coroutine, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from headroom.local.kafka import KafkaNode, storage
from headroom.local.kafka.probe import free_port
from headroom.local.kafka.process import spawn
from headroom.local.kafka.storage import Storage
from tests.operators.process import Place, until
from tests.producers_chaos.relay import Relay


class Gates:
    """A relay for each of so many nodes, all that their clients know; in a thread of their own."""

    def __init__(self, count: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._relays = [Relay(free_port(), keeps=False) for _ in range(count)]
        for relay in self._relays:
            self._do(relay.__aenter__())

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{relay.port}" for relay in self._relays)

    def ports(self, number: int) -> tuple[int, int]:
        """Where a node is to listen for what comes from its relay, and where that listens."""
        relay = self._relays[number - 1]
        return relay.target, relay.port

    def hold(self, numbers: Collection[int]) -> None:
        """Let nothing pass to or from these nodes; connections stand."""
        for number in numbers:
            self._loop.call_soon_threadsafe(self._relays[number - 1].hold)

    def release(self) -> None:
        for relay in self._relays:
            self._loop.call_soon_threadsafe(relay.release)

    def stop(self) -> None:
        for relay in self._relays:
            self._do(relay.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, doing: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(10)


class _Node(KafkaNode):
    """One that tells its clients another address than it tells other nodes."""

    def __init__(self, folder: Path, number: int, gates: Gates | None) -> None:
        super().__init__(data_dir=folder)
        self._number = number
        self._gates = gates

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        text = place.server_properties.read_text()
        told = dict(line.split("=", 1) for line in text.split())
        more = self._more(port)
        if self._gates is not None:
            own, relay = self._gates.ports(self._number)
            listeners = more.get("listeners", told["listeners"])
            more["listeners"] = f"{listeners},CLIENT://127.0.0.1:{own}"
            advertised = told["advertised.listeners"]
            more["advertised.listeners"] = f"{advertised},CLIENT://127.0.0.1:{relay}"
            protocols = told["listener.security.protocol.map"]
            more["listener.security.protocol.map"] = f"{protocols},CLIENT:PLAINTEXT"
        lines = "".join(f"{name}={value}\n" for name, value in more.items())
        place.server_properties.write_text(text + lines)

    def _more(self, port: int) -> dict[str, object]:
        """What is not as one node alone has it."""
        del port
        return {}


class _Follower(_Node):
    """A broker of a cluster whose controller is another node."""

    def __init__(self, folder: Path, number: int, gates: Gates | None, leader: Storage) -> None:
        super().__init__(folder, number, gates)
        told = dict(line.split("=", 1) for line in leader.server_properties.read_text().split())
        self._voters = told["controller.quorum.voters"]
        meta = (leader.data / "meta.properties").read_text().split()
        self._cluster = next(line[11:] for line in meta if line.startswith("cluster.id="))

    def _more(self, port: int) -> dict[str, object]:
        return {
            "process.roles": "broker",
            "node.id": self._number,
            "controller.quorum.voters": self._voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{port}",
        }

    async def _format(self, place: Storage, java: Sequence[str], learned: Path) -> None:
        del learned  # a cluster's nodes have one identity of it
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
        # Topics that were made a moment ago have no leader yet.
        assert until(self._ask, 30)
        self.begun = self._ask()
        """Where they ended when this was made."""

    def written(self) -> int:
        """How many places there are, in all partitions; 0 where nobody answers."""
        return sum(self._ask().values())

    def _ask(self) -> dict[int, int]:
        try:
            answers = self._admin.list_offsets(self._asked, request_timeout=5.0)
            return {place.partition: one.result(6).offset for place, one in answers.items()}
        except KafkaException:
            # One that has seen a broker come back goes on asking with what it knew before.
            self._admin = self._asking()
            return {}

    def _asking(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})


class Brokers:
    """So many nodes, numbered from 1; the first one is the controller.

    With `gated` clients reach each of them by way of a relay, and nodes reach each other without.
    """

    def __init__(self, folder: Path, count: int = 1, *, gated: bool = False) -> None:
        self._folder = folder
        self._count = count
        self.gates = Gates(count) if gated else None
        self.nodes: list[KafkaNode] = []
        self.has_topics = False

    def start(self) -> None:
        asyncio.run(self.start_here())

    async def start_here(self) -> None:
        first = self._folder / "kafka-1"
        leader = _Node(first, 1, self.gates)
        self.nodes.append(leader)
        await leader.start()
        for number in range(2, self._count + 1):
            place = storage.Storage(first.absolute())
            folder = self._folder / f"kafka-{number}"
            self.nodes.append(_Follower(folder, number, self.gates, place))
        await _start(self.nodes[1:])

    @property
    def bootstrap(self) -> str:
        """Without relays, for who counts."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def client_bootstrap(self) -> str:
        """For who is to be hurt."""
        return self.bootstrap if self.gates is None else self.gates.bootstrap

    def make_topics(self, place: Place) -> None:
        """Make our topics, once."""
        if not self.has_topics:
            applied = place.run("topics", "apply")
            assert applied.status == 0, applied.output
            self.has_topics = True

    def kill(self, *numbers: int) -> None:
        """Kill -9, of all or some."""
        for node in self._of(numbers):
            node.kill()

    def restart(self) -> None:
        """Start those that do not run."""
        asyncio.run(_start([node for node in self.nodes if not node.running]))

    def suspend(self, *numbers: int) -> None:
        """SIGSTOP, to all or some."""
        self._signal(signal.SIGSTOP, numbers)

    def resume(self, *numbers: int) -> None:
        """SIGCONT, to all or some."""
        self._signal(signal.SIGCONT, numbers)

    def _of(self, numbers: Sequence[int]) -> list[KafkaNode]:
        return [self.nodes[number - 1] for number in numbers] or self.nodes

    def _signal(self, what: signal.Signals, numbers: Sequence[int]) -> None:
        for node in self._of(numbers):
            if node.running:
                os.kill(node.pid, what)

    def stop(self) -> None:
        asyncio.run(self.stop_here())

    async def stop_here(self) -> None:
        self.resume()
        for node in reversed(self.nodes):
            await node.stop()
        if self.gates is not None:
            self.gates.stop()


async def _start(nodes: Sequence[KafkaNode]) -> None:
    await asyncio.gather(*(node.start() for node in nodes))
