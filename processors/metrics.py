"""What a worker counts, for Prometheus. Labels are venues, reasons and verdicts: never a user."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from processors.engine.app import EngineApp
from processors.freshness import STATES, State
from processors.ledger.user_ledger import UserChanges
from processors.ledger.users import Verdict
from processors.schema_ids import SchemaIds
from schemas.rejections import Reason
from schemas.venues import VENUES

LATENCY_BUCKETS_SECONDS: Final = (
    *(0.002, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 60.0),
)
"""Close to each other from 10 ms, an idle worker's, to 10 s, those of one that is behind."""


class Metrics:
    """The counters of one worker, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.normalised = Counter(
            "headroom_frames_normalised", "Frames read.", ["venue"], registry=self.registry
        )
        self.dead_letters = Counter(
            "headroom_dead_letters",
            "Frames that could not be read.",
            ["venue", "reason"],
            registry=self.registry,
        )
        self.snapshots = Counter(
            "headroom_snapshots",
            "Snapshots by what became of them.",
            ["venue", "verdict"],
            registry=self.registry,
        )
        self.vanished = Counter(
            "headroom_assets_vanished",
            "Held assets that were missing from an account's next snapshot.",
            ["venue"],
            registry=self.registry,
        )
        self.foreign_records = Counter(
            "headroom_foreign_records",
            "Records in our topics that nobody of us wrote.",
            ["topic"],
            registry=self.registry,
        )
        self.stale_contributions = Counter(
            "headroom_contributions_stale",
            "Contributions older than the one already counted.",
            registry=self.registry,
        )
        self.connections_dropped = Counter(
            "headroom_http_connections_dropped",
            "Connections that took too long, or were too many.",
            ["why"],
            registry=self.registry,
        )
        self.event_readers = Gauge(
            "headroom_http_event_readers",
            "Readers of events, other workers that pass them on among them.",
            registry=self.registry,
        )
        self.event_readers_cut = Counter(
            "headroom_http_event_readers_cut",
            "Readers of events that took too long, or were too many.",
            ["why"],
            registry=self.registry,
        )
        self.event_resets = Counter(
            "headroom_http_event_resets",
            "How often a reader of events was told all anew.",
            ["why"],
            registry=self.registry,
        )
        self.socket_to_table = Histogram(
            "headroom_socket_to_table_seconds",
            "From a frame's receipt to where its user's row can be asked for: each batch's newest.",
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._begin()

    def _begin(self) -> None:
        """Have a series at nought for all that is known beforehand.

        A series that is born at 7 has never risen, for Prometheus: a first burst would be missed.
        """
        for venue in VENUES:
            self.normalised.labels(venue)
            self.vanished.labels(venue)
            for reason in Reason:
                self.dead_letters.labels(venue, reason)
            for verdict in Verdict:
                self.snapshots.labels(venue, verdict)

    def count(self, changes: UserChanges) -> None:
        """Count what became of a batch of snapshots."""
        for (venue, verdict), snapshots in changes.verdicts.items():
            self.snapshots.labels(venue, verdict).inc(snapshots)
        for venue, assets in changes.vanished.items():
            self.vanished.labels(venue).inc(assets)


class AccountCollector(Collector):
    """How fresh this worker's accounts were when they were last counted, venue by venue.

    `counts` waits for nothing; before the first count there is nothing to tell.
    """

    def __init__(self, counts: Callable[[], Mapping[str, Mapping[State, int]] | None]) -> None:
        self._counts = counts

    def describe(self) -> list[Metric]:
        """Nothing beforehand: nothing is counted yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The last counts."""
        family = GaugeMetricFamily(
            "headroom_accounts", "Accounts by how fresh they are.", labels=["venue", "state"]
        )
        counts = self._counts()
        if counts is not None:
            for venue in VENUES:
                for state in STATES:
                    family.add_metric([venue, state], counts.get(venue, {}).get(state, 0))
        yield family


class KeysCollector(Collector):
    """How the keys of the tokens' issuer are read: `failures` so far, `age_seconds` of the last."""

    def __init__(
        self, failures: Callable[[], int], age_seconds: Callable[[], float | None]
    ) -> None:
        self._failures = failures
        self._age_seconds = age_seconds

    def describe(self) -> list[Metric]:
        """Nothing beforehand: they may never have been read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """As it is now."""
        yield CounterMetricFamily(
            "headroom_jwks_failures",
            "Readings of the issuer's keys that failed: those of before stay.",
            value=self._failures(),
        )
        age = self._age_seconds()
        if age is not None:
            yield GaugeMetricFamily(
                "headroom_jwks_age_seconds", "Since the issuer's keys were last read.", value=age
            )


class SchemaIdCollector(Collector):
    """Whose ids a schema registry has told, and how often it was asked in vain."""

    def __init__(self, ids: SchemaIds) -> None:
        self._ids = ids

    def describe(self) -> list[Metric]:
        """Nothing beforehand: see `collect`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """As it is now."""
        missing = len(self._ids.missing)
        yield GaugeMetricFamily(
            "headroom_schema_registry_ids",
            "Public topics whose schema's id the registry has told.",
            value=len(self._ids.wanted) - missing,
        )
        yield GaugeMetricFamily(
            "headroom_schema_registry_ids_missing",
            "Public topics whose schema's id it has not told: no header names it. 0 is well.",
            value=missing,
        )
        yield CounterMetricFamily(
            "headroom_schema_registry_failures",
            "Rounds of questions to the schema registry after which ids were missing.",
            value=self._ids.failures,
        )


class EngineCollector(Collector):
    """What the engine knows of itself, asked for at each scrape."""

    def __init__(self, app: EngineApp) -> None:
        self._app = app

    def describe(self) -> list[Metric]:
        """Nothing beforehand: there is no consumer before the app has started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The engine's figures as they are now."""
        consumer, flight = self._app.consumer, self._app.consumer.flight
        yield GaugeMetricFamily(
            "headroom_serving",
            "1 when tables are restored and owned.",
            value=1 if self._app.serving else 0,
        )
        yield GaugeMetricFamily(
            "headroom_not_serving_seconds",
            "For how long nothing was served: no group, no partitions, or no tables. 0 is well.",
            value=self._app.not_serving_seconds(),
        )
        lags = GaugeMetricFamily(
            "headroom_lag_records",
            "Records of a source partition that are not done yet.",
            labels=["topic", "partition"],
        )
        for tp, lag in consumer.lag().items():
            lags.add_metric([tp.topic, str(tp.partition)], lag)
        yield lags
        missing = CounterMetricFamily(
            "headroom_missing_offsets",
            "Offsets of a source partition at which Kafka held nothing, though it must have.",
            labels=["topic", "partition"],
        )
        for tp, count in consumer.missing_offsets.items():
            missing.add_metric([tp.topic, str(tp.partition)], count)
        yield missing
        yield GaugeMetricFamily(
            "headroom_in_flight_records",
            "Records that were read and are not done yet.",
            value=flight.progress.records,
        )
        transactions = CounterMetricFamily(
            "headroom_transactions", "Transactions, by what Kafka said.", labels=["outcome"]
        )
        transactions.add_metric(["committed"], flight.committed_count)
        transactions.add_metric(["refused"], flight.refused_count)
        yield transactions
        yield SummaryMetricFamily(
            "headroom_transaction_commit_seconds",
            "How long Kafka took for the transactions that it committed.",
            count_value=flight.committed_count,
            sum_value=flight.commit_seconds,
        )
        yield CounterMetricFamily(
            "headroom_restored_records",
            "Changelog records read to restore tables.",
            value=self._app.tables.restored_records,
        )
