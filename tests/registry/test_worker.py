"""A worker whose registry is down, hangs, refuses: it starts, says so, and has the ids later."""

import urllib.request
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas.export.examples import RAW, SOURCE, examples
from schemas.headers import VALUE_SCHEMA_ID
from tests.headroom.commands import until
from tests.headroom.house import House, house
from tests.registry.standin import StandIn, beside

CANARY = "canary-0123456789"


def test_a_worker_starts_without_its_registry_and_has_the_ids_once_it_is_up(
    tmp_path: Path,
) -> None:
    registry = StandIn("read-only")
    with beside(registry) as url:
        pass
    signed = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": CANARY}
    with house(tmp_path, SCHEMA_REGISTRY_URL=url, **signed) as its:
        host = url.removeprefix("http://")
        assert f"schema registry at {host}: it cannot be reached" in its.worker.output
        assert measured(its, "ids") == 0
        assert measured(its, "failures_total") > 0
        before = told(its, 1)
        assert VALUE_SCHEMA_ID not in dict(before[0].headers())
        with beside(registry, port=int(host.rpartition(":")[2])):
            until(lambda: "read-only mode" in its.worker.output, why=lambda: its.worker.output)
            registry.fault = ""
            until(lambda: measured(its, "ids_missing") == 0, why=lambda: its.worker.output)
        first, second = told(its, 2)
        assert first.offset() == before[0].offset()
        assert dict(second.headers())[VALUE_SCHEMA_ID].startswith(b"\x00")
        assert its.worker.output.count("schema registry at") == 2
        assert CANARY not in its.worker.output


def measured(its: House, name: str) -> float:
    with urllib.request.urlopen(f"{its.url}/metrics", timeout=20) as answer:  # noqa: S310 - our own
        for line in answer.read().decode().splitlines():
            if line.startswith(f"headroom_schema_registry_{name} "):
                return float(line.split()[1])
    raise AssertionError(name)


def told(its: House, count: int) -> list[Any]:
    """One more snapshot goes in: the `count` that have come out so far, the oldest first."""
    frame = examples()[SOURCE.topic].value.encode()
    its.produce(SOURCE.topic, (b"user-123", frame, RAW.encode()))
    consumer = Consumer({"bootstrap.servers": its.bootstrap, "group.id": "r"})
    partitions = consumer.list_topics("balances.v1", 20).topics["balances.v1"].partitions
    consumer.assign([TopicPartition("balances.v1", each, OFFSET_BEGINNING) for each in partitions])
    found: list[Any] = []

    def all_read() -> bool:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) == count

    until(all_read, why=lambda: its.worker.output)
    consumer.close()
    return found
