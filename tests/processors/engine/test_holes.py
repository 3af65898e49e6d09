"""A segment of a log that is gone: librdkafka reads on behind it, and says nothing."""

import asyncio
import os
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from faust.types import TP

from headroom.local.kafka import KafkaNode
from tests.processors.engine.harness import Bench, counting, until

_SEGMENT_BYTES = 1024 * 1024  # Kafka takes no less


def write(bench: Bench) -> int:
    """Three segments and more; and what a reader jumps over, though nothing is lost; the end."""
    properties = {"bootstrap.servers": bench.kafka["bootstrap_servers"]}
    plain = Producer(properties)
    for _ in range(3_500):
        plain.produce(bench.source, os.urandom(1_000), b"k", partition=0)
        plain.poll(0)
    assert plain.flush(30) == 0
    whole = Producer({**properties, "transactional.id": bench.name})
    whole.init_transactions(30)
    for is_kept in (True, False, True):
        whole.begin_transaction()
        whole.produce(bench.source, b"", b"k", partition=0)
        whole.flush(30)
        if is_kept:
            whole.commit_transaction(30)
        else:
            whole.abort_transaction(30)
    place = TopicPartition(bench.source, 0)
    reader = Consumer({**properties, "group.id": bench.name})
    end: int = reader.get_watermark_offsets(place, timeout=30)[1]
    reader.close()
    return end


async def test_offsets_at_which_nothing_lies_are_counted_and_told(
    tmp_path: Path, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    node = KafkaNode(data_dir=tmp_path / "kafka")
    await node.start()
    bench = Bench(node.bootstrap, unique, tmp_path)
    async with bench.topics():
        await bench.set(bench.source, **{"segment.bytes": str(_SEGMENT_BYTES)})
        end = await asyncio.to_thread(write, bench)
        assert await read(bench, "before", end) == {}
    assert "holds nothing" not in caplog.text
    await node.stop()
    (folder,) = (tmp_path / "kafka").rglob(f"{bench.source}-0")
    begins = sorted(int(path.stem) for path in folder.glob("*.log"))
    assert len(begins) > 3
    for path in folder.glob(f"{begins[1]:020d}.*"):
        path.unlink()
    node = KafkaNode(data_dir=tmp_path / "kafka")
    await node.start()
    try:
        found = await read(bench, "after", end)
    finally:
        await node.stop()
    assert found == {TP(bench.source, 0): begins[2] - begins[1]}
    assert f"holds nothing from offset {begins[1]} to before {begins[2]}" in caplog.text


async def read(bench: Bench, name: str, end: int) -> dict[TP, int]:
    """How many offsets are missing, by an app that reads all that is there, up to the end."""
    of = Bench(bench.kafka["bootstrap_servers"], f"{bench.name}-{name}", bench.folder / name)
    of.folder.mkdir()
    of.source, of.out = bench.source, bench.out
    app, table = of.app(unbroken=frozenset({bench.source}))
    async with of.running(app, counting(table, of.out)):
        # Not by the lag: a broker that has just come back may say that there is nothing yet.
        reached = app.consumer.flight.progress.reached
        await until(lambda: (reached(TP(bench.source, 0)) or 0) >= end)
        return dict(app.consumer.missing_offsets)
