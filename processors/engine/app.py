"""The Faust app over this engine: Faust's agents, tables and assignor; our way to Kafka."""

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import faust
import msgspec
from faust.types import TP
from yarl import URL

from processors.engine.agent import Agent
from processors.engine.assignor import PartitionAssignor
from processors.engine.copies import Copy
from processors.engine.exactly_once import TRANSACTION_RECORDS
from processors.engine.librdkafka import properties
from processors.engine.marks import Vouch
from processors.engine.member import Reaching
from processors.engine.stall import NotServing
from processors.engine.store import MemoryStore, PartitionStore, RocksStore
from processors.engine.stream import BatchSchema, BatchStream
from processors.engine.table import Table
from processors.engine.tables import TableManager
from processors.engine.transport import Transport, hashed

StoreKind = Literal["rocksdb", "memory"]
Guarantee = Literal["exactly_once", "at_least_once"]

COMMIT_SECONDS: Final = 0.5
SESSION_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 3.0
REBALANCE_SECONDS: Final = 60.0
STALLED_SECONDS: Final = 60.0
TOMBSTONE_SECONDS: Final = 86_400.0  # Kafka's own default


class EngineSettings(msgspec.Struct, frozen=True):
    """What the engine needs to know.

    `name` is the consumer group and the beginning of every changelog's name. `kafka` holds
    aiokafka's arguments that reach Kafka (`bootstrap_servers`, `security_protocol`, …),
    `librdkafka` the properties that do not follow from them (`ssl.ca.location`, …). `data_dir` is
    this worker's own folder, `url` where other workers reach it.

    `instance` is this worker's name in the group, the same after a restart: then a restart within
    `session_seconds` moves no partition, and aborts at once what the last run left open. Nobody
    else may use it at the same time. None: a member that comes and goes.

    `tombstone_seconds` is for how long the changelogs keep tombstones (`delete.retention.ms`).

    `records_at_once` are read at most before agents get them; a transaction with
    `transaction_records` is committed at once. More of both is faster, and later.

    `read_until` names partitions of sources that are read up to before an offset and no further.
    `read_last` names sources that are read once the others have been at their ends. `read_before`
    names sources that had commits when other sources had: that one has none at all is an error.
    `unbroken` names sources that are not compacted: offsets of which Kafka has nothing are counted.

    `vouch` is asked about commits without a mark of ours, which are believed without it.

    `reaching` keeps aiokafka's client reaching a Kafka that moves; it tells of credentials that are
    refused.
    """

    name: str
    kafka: Mapping[str, Any]
    data_dir: Path
    partitions: int
    url: str
    replication_factor: int = 1
    librdkafka: Mapping[str, Any] = {}
    guarantee: Guarantee = "exactly_once"
    instance: str | None = None
    standby_replicas: int = 0
    store: StoreKind = "rocksdb"
    tombstone_seconds: float = TOMBSTONE_SECONDS
    records_at_once: int = 1_000
    transaction_records: int = TRANSACTION_RECORDS
    session_seconds: float = SESSION_SECONDS
    stalled_after_seconds: float = STALLED_SECONDS
    read_until: Mapping[tuple[str, int], int] = {}
    read_last: frozenset[str] = frozenset()
    read_before: frozenset[str] = frozenset()
    unbroken: frozenset[str] = frozenset()
    reaching: Reaching | None = None
    vouch: Vouch | None = None

    def __repr__(self) -> str:
        """Without what reaches Kafka, which may hold a password."""
        return f"EngineSettings(name={self.name!r}, data_dir={str(self.data_dir)!r})"


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app whose agents get batches and whose offsets follow Kafka's acknowledgements."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.kafka = settings.kafka
        self.librdkafka = {
            **properties(settings.kafka),
            **settings.librdkafka,
            "client.id": settings.instance or settings.name,
        }
        self.guarantee = settings.guarantee
        self.instance = settings.instance
        self.instance_id = settings.instance or uuid.uuid4().hex
        self.records_at_once = settings.records_at_once
        self.transaction_records = settings.transaction_records
        self.read_until = settings.read_until
        self.read_last = settings.read_last
        self.read_before = settings.read_before
        self.unbroken = settings.unbroken
        self.reaching = settings.reaching
        self.vouch = settings.vouch
        # Whether to leave the group at once when stopping, also with an `instance`: for who does
        # not come back.
        self.leaves = False
        self.tombstones_ms = int(settings.tombstone_seconds * 1000)
        self.clock_ms = clock_ms
        self.stalled_after_seconds = settings.stalled_after_seconds
        self._not_serving = NotServing(time.monotonic())
        self._engine = settings
        super().__init__(
            settings.name,
            broker="kafka://engine",  # the addresses are in `kafka`
            datadir=settings.data_dir,
            canonical_url=settings.url,
            web_enabled=False,
            topic_disable_leader=True,
            table_standby_replicas=settings.standby_replicas,
            topic_partitions=settings.partitions,
            topic_replication_factor=settings.replication_factor,
            broker_commit_interval=COMMIT_SECONDS,
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=min(HEARTBEAT_SECONDS, settings.session_seconds / 3),
            broker_rebalance_timeout=REBALANCE_SECONDS,
            broker_request_timeout=REBALANCE_SECONDS + 30.0,
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

    def open_store(self, changelog: str, partition: int) -> PartitionStore:
        """The local store of one partition of a table: it belongs to its changelog."""
        if self._engine.store == "memory":
            return MemoryStore()
        return RocksStore(self._engine.data_dir / "tables" / f"{changelog}-{partition}")

    @property
    def serving(self) -> bool:
        """Whether the tables are complete and nobody is moving them."""
        return bool(self.tables.serving)

    def not_serving_seconds(self) -> float:
        """For how long it has not served: no group, no partitions, or tables that do not come.

        Counted from the first question that found it so; asked by liveness probes.
        """
        return self._not_serving.look(
            time.monotonic(),
            serving=self.serving and self.consumer.in_group(),
            progress=self.tables.restored_records,
        )

    def owner(self, table: Table, key: bytes) -> tuple[int, str | None]:
        """The partition of a key, and the URL of the worker that holds it (None: nobody yet)."""
        topic = table.changelog_topic_name
        partition = self.partition_of(key)
        return partition, self.assignor._tps_url.get(TP(topic, partition))  # noqa: SLF001 - Faust's own router reads it

    async def copy_of(self, table: Table, key: bytes) -> Copy | None:
        """The row of a key as it lies here, whoever holds it, and how old that is; None: nowhere.

        For who would rather have an older row than none: see `Copy`.
        """
        found: Copy | None = await self.tables.copy_of(table, self.partition_of(key), key)
        return found

    def partition_of(self, key: bytes) -> int:
        """The partition of a key, in any topic of ours."""
        return hashed(key) % self._engine.partitions

    def owners(self, table: Table) -> dict[int, str | None]:
        """The URL of the worker that holds each partition of a table (None: nobody yet)."""
        topic, urls = table.changelog_topic_name, self.assignor._tps_url  # noqa: SLF001 - as above
        numbers = range(self.conf.topic_partitions)
        return {number: urls.get(TP(topic, number)) for number in numbers}

    def workers(self) -> list[str]:
        """The URLs of all workers of the group."""
        return sorted(str(URL(url)) for url in self.assignor.tables_metadata())
