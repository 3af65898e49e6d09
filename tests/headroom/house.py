"""A Kafka of its own with the contract's topics and a worker, by a person's own commands."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from schemas.headers import Headers
from tests.headroom import commands
from tests.headroom.commands import Started, headroom, started, until


class House:
    """Where it is; `settings` are those of every command."""

    def __init__(self, bootstrap: str, folder: Path, **settings: object) -> None:
        self.bootstrap = bootstrap
        self.settings = {"KAFKA_BOOTSTRAP": bootstrap, "DATA_DIR": folder, **settings}
        self.kafka = {"bootstrap_servers": bootstrap}
        self.worker: Started
        self.url = ""

    def produce(self, topic: str, *records: tuple[bytes | None, bytes, Headers]) -> None:
        """Append records: key, value, headers."""
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for key, value, headers in records:
            producer.produce(topic, value, key=key, headers=headers)
        assert producer.flush(30) == 0


@contextmanager
def house(
    folder: Path, *, program: tuple[str, ...] = commands.HEADROOM, **settings: object
) -> Iterator[House]:
    """A house whose worker is ready; `program` is who works."""
    folder.mkdir(exist_ok=True)
    node = commands.node()
    made = House(next(node), folder, **settings)
    try:
        assert headroom("topics", "apply", **made.settings).status == 0
        words = ("work", "--port", "0")
        with started(folder / "worker", *words, program=program, **made.settings) as made.worker:
            until(lambda: "ready " in made.worker.output, why=lambda: made.worker.output)
            (made.url,) = re.findall(r"ready (\S+)", made.worker.output)
            yield made
    finally:
        node.close()
