"""What a producer counts, for Prometheus; the registry is passed in."""

from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge

# Two venues' producers may share a process and its registry, which takes each name only once.
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
        self.last_heard_seconds = Gauge(
            "headroom_producer_last_heard_timestamp_seconds",
            "When the venue last said anything, in seconds since 1970.",
            ["venue"],
            registry=registry,
        )

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "ProducerMetrics":
        """The metrics of a registry, made at the first question."""
        known = _KNOWN.get(registry)
        if known is None:
            known = _KNOWN[registry] = cls(registry)
        return known
