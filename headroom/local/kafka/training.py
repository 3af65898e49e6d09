"""A broker that works once for what others may know before they start: see `aot`."""

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Final

import click
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from headroom.local.kafka.aot import first_metadata, place
from headroom.local.kafka.jars import ensure
from headroom.local.kafka.java import find_java, major_version
from headroom.local.kafka.node import KafkaNode

MAJOR_MIN: Final = 25
WRITING_SECONDS_MAX: Final = 180.0
"""For the end of the JVM that has learned: it writes what it knows, with all processors."""
_TOPICS: Final = 24
_PARTITIONS: Final = 8
_RECORDS: Final = 2_000


async def train(cache: Path | None = None) -> Path | None:
    """Have a broker do some work, and keep what its JVM has learned; None: not with this Java."""
    java, jars = find_java(), ensure(cache=cache)
    path, metadata = place(java, jars, cache), first_metadata(java, jars, cache)
    if path.is_file() and metadata.is_file():
        return path
    if (major_version(java) or 0) < MAJOR_MIN:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # without the other: a JVM that has one learns none
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(prefix="headroom-kafka-") as folder:
            await _learn(Path(folder), unfinished)
            if unfinished.is_file():
                first = unfinished.with_name(f"{unfinished.name}.checkpoint")
                shutil.copyfile(Path(folder) / "data/bootstrap.checkpoint", first)
                first.replace(metadata)
                unfinished.replace(path)
    finally:
        for left in path.parent.glob(f"{unfinished.name}*"):
            left.unlink()
    return path if path.is_file() else None


async def _learn(folder: Path, output: Path) -> None:
    """A node's whole life; its JVM writes what it has learned at its end."""
    async with KafkaNode(data_dir=folder, java_options=[f"-XX:AOTCacheOutput={output}"]) as node:
        await asyncio.to_thread(_work, node.bootstrap)
        os.kill(node.pid, signal.SIGTERM)
        async with asyncio.timeout(WRITING_SECONDS_MAX):
            await node.wait()


def _work(bootstrap: str) -> None:
    """What brokers do in a test: topics, transactions, a group that reads and commits."""
    server = {"bootstrap.servers": bootstrap, "log_level": 0}
    admin = AdminClient(server)
    names = [f"t{number}" for number in range(_TOPICS)]
    made = admin.create_topics([NewTopic(name, _PARTITIONS, 1) for name in names])
    for done in made.values():
        done.result(60)
    producer = Producer({**server, "transactional.id": "t", "compression.type": "lz4"})
    producer.init_transactions(60)
    for _ in range(3):
        producer.begin_transaction()
        for number in range(_RECORDS):
            producer.produce(names[number % _TOPICS], b"v" * 400, key=b"k%d" % number)
            producer.poll(0)
        producer.commit_transaction(60)
    settings = {"group.id": "t", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    reader = Consumer({**server, **settings})
    reader.subscribe(names)
    seen = 0
    while seen < _RECORDS:
        seen += len(reader.consume(500, 1.0))
    reader.commit(asynchronous=False)
    reader.close()
    for gone in admin.delete_topics(names).values():
        gone.result(60)


def main() -> None:
    """Train, and say what came of it."""
    path = asyncio.run(train())
    click.echo("Kafka starts as always" if path is None else f"Kafka starts sooner: {path}")


if __name__ == "__main__":
    main()
