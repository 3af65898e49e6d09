"""What a worker and a producer answer at `/metrics`: their own collectors, a bit of everything.

No Kafka and no venue: what the engine would tell is made up, how it is told is the product's.
"""

from types import SimpleNamespace
from typing import cast

from faust.types import TP
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from processors.engine.app import EngineApp
from processors.metrics import (
    AccountCollector,
    EngineCollector,
    KeysCollector,
    Metrics,
    SchemaIdCollector,
)
from processors.schema_ids import SchemaIds
from producers.condition import Condition
from producers.metrics import ProducerMetrics
from schemas.rejections import Reason

_TP = TP("raw.sfox.balances.v1", 0)


class Exposed:
    """A worker and a producer that are asked for their metrics; `time_s` is the clock of both."""

    def __init__(self, *, time_s: float) -> None:
        self._time_s = time_s
        self.worker = Metrics(CollectorRegistry())
        self._flight = SimpleNamespace(
            progress=SimpleNamespace(records=7),
            committed_count=0,
            refused_count=0,
            commit_seconds=0.0,
        )
        for collector in (
            EngineCollector(_engine(self._flight)),
            KeysCollector(lambda: 1, lambda: 12.5),
            SchemaIdCollector(SchemaIds(["balances.v1"])),
            AccountCollector(lambda: {"sfox": {"live": 9, "stale": 1}}),
        ):
            self.worker.registry.register(collector)
        ProcessCollector(registry=self.worker.registry)
        self.of_producers = CollectorRegistry()
        ProcessCollector(registry=self.of_producers)
        self.producer = ProducerMetrics.of(self.of_producers)
        self.producer.begin("sfox")
        self._line = _line(time_s)
        self.producer.lines.follow([self._line])

    def work(self) -> None:
        """Something happens, of each kind."""
        worker, producer = self.worker, self.producer
        self._flight.committed_count += 1
        self._flight.commit_seconds += 0.05
        worker.normalised.labels("sfox").inc()
        worker.dead_letters.labels("sfox", Reason.AMOUNT).inc()
        worker.foreign_records.labels("balances.v1").inc()
        worker.socket_to_table.observe(0.02)
        worker.connections_dropped.labels("slow").inc()
        worker.event_readers_cut.labels("slow").inc()
        worker.event_resets.labels("moved").inc()
        producer.frames_received.labels("sfox").inc()
        producer.frames_published.labels("sfox").inc()
        producer.messages_counted.labels("sfox", "pong").inc()
        producer.reconnects.labels("sfox", "closed").inc()
        producer.doubts.labels("sfox", "gap").inc()
        producer.send_seconds.labels("sfox").observe(0.02)
        for gauge, value in (
            (producer.spool_frames, 3),
            (producer.spool_bytes, 3_000),
            (producer.spool_seconds, 0.5),
            (producer.spool_on_disk, 1),
            (producer.active, 1),
            (producer.connected, 1),
            (producer.last_heard_seconds, self._time_s),
        ):
            gauge.labels("sfox").set(value)

    def texts(self) -> tuple[str, str]:
        """What the worker shows, and what the producer."""
        registries = (self.worker.registry, self.of_producers)
        worker, producer = (generate_latest(each).decode() for each in registries)
        return worker, producer


def _engine(flight: SimpleNamespace) -> EngineApp:
    consumer = SimpleNamespace(lag=lambda: {_TP: 3}, missing_offsets={_TP: 0}, flight=flight)
    engine = SimpleNamespace(
        consumer=consumer,
        serving=True,
        not_serving_seconds=lambda: 0.0,
        tables=SimpleNamespace(restored_records=11),
    )
    return cast("EngineApp", engine)


def _line(time_s: float) -> Condition:
    line = Condition(
        *("sfox", "socket", "producer-0"),
        vouches_when_heard=True,
        accounts=None,
        clock_ns=lambda: int(time_s * 1_000_000_000),
        monotonic=lambda: time_s,
    )
    line.begin_epoch(1, "connection_lost", "a new connection")
    line.established()
    line.heard()
    line.received(int(time_s * 1_000_000_000))
    return line
