"""The Faust app over this engine: Faust's agents, tables and assignor; our way to Kafka."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import faust
import msgspec
from faust.types import TP
from yarl import URL

from processors.engine.agent import Agent
from processors.engine.assignor import PartitionAssignor
from processors.engine.store import MemoryStore, PartitionStore, RocksStore
from processors.engine.stream import BatchSchema, BatchStream
from processors.engine.table import Table
from processors.engine.tables import TableManager
from processors.engine.transport import Transport

StoreKind = Literal["rocksdb", "memory"]

COMMIT_SECONDS: Final = 0.5
SESSION_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 3.0
REBALANCE_SECONDS: Final = 60.0
STALLED_SECONDS: Final = 60.0


class EngineSettings(msgspec.Struct, frozen=True):
    """What the engine needs to know.

    `name` is the consumer group and the beginning of every changelog's name. `kafka` holds the
    keyword arguments that reach Kafka (`bootstrap_servers`, `security_protocol`, …), `data_dir`
    this worker's own folder, `url` where other workers reach it.
    """

    name: str
    kafka: Mapping[str, Any]
    data_dir: Path
    partitions: int
    url: str
    replication_factor: int = 1
    store: StoreKind = "rocksdb"
    records_at_once: int = 1_000
    session_seconds: float = SESSION_SECONDS
    stalled_after_seconds: float = STALLED_SECONDS

    def __repr__(self) -> str:
        """Without `kafka`, which may hold a password."""
        return f"EngineSettings(name={self.name!r}, data_dir={str(self.data_dir)!r})"


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app whose agents get batches and whose offsets follow Kafka's acknowledgements."""

    def __init__(self, settings: EngineSettings) -> None:
        self.kafka = settings.kafka
        self.stalled_after_seconds = settings.stalled_after_seconds
        self._engine = settings
        super().__init__(
            settings.name,
            broker="kafka://engine",  # the addresses are in `kafka`
            datadir=settings.data_dir,
            canonical_url=settings.url,
            web_enabled=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            topic_partitions=settings.partitions,
            topic_replication_factor=settings.replication_factor,
            broker_commit_interval=COMMIT_SECONDS,
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=min(HEARTBEAT_SECONDS, settings.session_seconds / 3),
            broker_rebalance_timeout=REBALANCE_SECONDS,
            broker_request_timeout=REBALANCE_SECONDS + 30.0,
            broker_max_poll_records=settings.records_at_once,
            stream_wait_empty=True,
            Agent=Agent,
            PartitionAssignor=PartitionAssignor,
            Stream=BatchStream,
            Schema=BatchSchema,
            Table=Table,
            TableManager=TableManager,
        )

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def open_store(self, table: str, partition: int) -> PartitionStore:
        """The local store of one partition of a table."""
        if self._engine.store == "memory":
            return MemoryStore()
        return RocksStore(self._engine.data_dir / "tables" / f"{table}-{partition}")

    @property
    def serving(self) -> bool:
        """Whether the tables are complete and nobody is moving them."""
        return bool(self.tables.serving)

    def owner(self, table: Table, key: bytes) -> tuple[int, str | None]:
        """The partition of a key, and the URL of the worker that holds it (None: nobody yet)."""
        topic = table.changelog_topic_name
        partition: int = self.producer.key_partition(topic, key).partition
        return partition, self.assignor._tps_url.get(TP(topic, partition))  # noqa: SLF001 - Faust's own router reads it

    def workers(self) -> list[str]:
        """The URLs of all workers of the group."""
        return sorted(str(URL(url)) for url in self.assignor.tables_metadata())
