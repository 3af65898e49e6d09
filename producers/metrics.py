"""What a producer counts, for Prometheus; the registry is passed in."""

from collections import Counter as Counts
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from producers.condition import STATES, Condition

# Two venues' producers may share a process and its registry, which takes each name only once.
SEND_BUCKETS_SECONDS: Final = (
    *(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0),
)
_KNOWN: Final[WeakKeyDictionary[CollectorRegistry, "ProducerMetrics"]] = WeakKeyDictionary()


class ProducerMetrics:
    """The counters of all producers in a process, with the venue as label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames_received = Counter(
            "headroom_producer_frames_received",
            "Frames that came off the socket and belong into the raw topic.",
            ["venue"],
            registry=registry,
        )
        self.frames_published = Counter(
            "headroom_producer_frames_published",
            "Frames that Kafka has acknowledged.",
            ["venue"],
            registry=registry,
        )
        self.frames_dropped = Counter(
            "headroom_producer_frames_dropped",
            "Frames that the full spool let go: obsolete (a newer one of the account is there), or "
            "lost (they did not fit, or were damaged on disk).",
            ["venue", "kind"],
            registry=registry,
        )
        self.spool_frames = Gauge(
            "headroom_producer_spool_frames",
            "Frames that were received and that Kafka does not have yet.",
            ["venue"],
            registry=registry,
        )
        self.spool_bytes = Gauge(
            "headroom_producer_spool_bytes",
            "Bytes of the frames that wait for Kafka, on disk or in memory.",
            ["venue"],
            registry=registry,
        )
        self.spool_seconds = Gauge(
            "headroom_producer_spool_age_seconds",
            "For how long the oldest frame waits for Kafka.",
            ["venue"],
            registry=registry,
        )
        self.spool_on_disk = Gauge(
            "headroom_producer_spool_on_disk",
            "1 where frames are written to disk before they are sent, 0 where it takes nothing.",
            ["venue"],
            registry=registry,
        )
        self.messages_counted = Counter(
            "headroom_producer_messages_counted",
            "Messages that are no balances: answers, keep-alives, errors, other feeds.",
            ["venue", "kind"],
            registry=registry,
        )
        self.reconnects = Counter(
            "headroom_producer_reconnects",
            "Connections that ended, or did not come about, by reason.",
            ["venue", "reason"],
            registry=registry,
        )
        self.doubts = Counter(
            "headroom_producer_doubts",
            "Times that the venue's own numbers or words put what it had told in doubt, by cause.",
            ["venue", "cause"],
            registry=registry,
        )
        self.oversize = Counter(
            "headroom_producer_oversize",
            "Connections closed with 1009 because a message was larger than 16 MiB.",
            ["venue"],
            registry=registry,
        )
        self.refusals = Counter(
            "headroom_producer_refusals",
            "Times that the venue refused us: the key, or the connection (429, 503 and the like).",
            ["venue", "what"],
            registry=registry,
        )
        self.send_seconds = Histogram(
            "headroom_producer_send_seconds",
            "From when a frame was received to when Kafka has it and all before it: some of them.",
            ["venue"],
            buckets=SEND_BUCKETS_SECONDS,
            registry=registry,
        )
        self.lines = LineCollector()
        registry.register(self.lines)
        self.keys_refused = Counter(
            "headroom_producer_keys_refused",
            "API keys that the venue refused; each needs an operator.",
            ["venue"],
            registry=registry,
        )
        self.connected = Gauge(
            "headroom_producer_connected",
            "Connections that are established and subscribed.",
            ["venue"],
            registry=registry,
        )
        self.active = Gauge(
            "headroom_producer_active",
            "1 where this one works, 0 where it waits for another one's lease to end.",
            ["venue"],
            registry=registry,
        )
        self.last_heard_seconds = Gauge(
            "headroom_producer_last_heard_timestamp_seconds",
            "When the venue last said anything, in seconds since 1970.",
            ["venue"],
            registry=registry,
        )

    def begin(self, venue: str) -> None:
        """Have counters at nought that count what is rare: a rise from nothing would be missed."""
        for what in ("key", "connection"):
            self.refusals.labels(venue, what)
        for kind in ("obsolete", "lost"):
            self.frames_dropped.labels(venue, kind)
        self.frames_received.labels(venue)
        self.oversize.labels(venue)
        self.keys_refused.labels(venue)
        self.connected.labels(venue)

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "ProducerMetrics":
        """The metrics of a registry, made at the first question."""
        known = _KNOWN.get(registry)
        if known is None:
            known = _KNOWN[registry] = cls(registry)
        return known


class LineCollector(Collector):
    """How the lines are at the moment they are asked for.

    An age is missing as long as there was nothing yet that could be that old.
    """

    def __init__(self) -> None:
        self._followed: list[Sequence[Condition]] = []

    def follow(self, lines: Sequence[Condition]) -> Callable[[], None]:
        """Tell of these, too; what it returns ends that."""
        self._followed.append(lines)

        def over() -> None:
            self._followed[:] = [one for one in self._followed if one is not lines]

        return over

    def collect(self) -> Iterator[Metric]:
        """Prometheus' own call."""
        lines = [line for followed in self._followed for line in followed]
        labels = ["venue", "connection"]
        states = GaugeMetricFamily(
            "headroom_producer_connections",
            "Connections by state.",
            labels=["venue", "state"],
        )
        counts = Counts((line.venue, line.state) for line in lines)
        for venue in dict.fromkeys(line.venue for line in lines):
            for state in STATES:
                states.add_metric([venue, state], counts[venue, state])
        yield states
        ages = {
            name: GaugeMetricFamily(f"headroom_producer_{name}_age_seconds", text, labels=labels)
            for name, text in _AGES.items()
        }
        gaps = CounterMetricFamily(
            "headroom_producer_gaps", "Gaps in the venue's numbers.", labels=labels
        )
        for line in lines:
            told = line.ages()
            for name, family in ages.items():
                if (age := getattr(told, name)) is not None:
                    family.add_metric([line.venue, line.connection], age)
            gaps.add_metric([line.venue, line.connection], line.gaps)
        yield from ages.values()
        yield gaps


_AGES: Final = {
    "last_frame": "How long ago the last frame came.",
    "last_confirmation": "How long ago the venue last confirmed what it had told.",
}
