"""What an operator sees of the deliveries: metrics, and whether they work. No sockets, no clock."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

STUCK_SECONDS: Final = 60.0
"""For so long nobody has looked for alerts before a restart is asked for."""


class Watched:
    """Metrics of a program that delivers, and its health; `monotonic` is time in seconds."""

    def __init__(self, registry: CollectorRegistry, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._has_begun = False
        self._kept: dict[str, str] = {}
        self.delivered = Counter(
            "headroom_webhook_delivered_total",
            "Alerts that the receiver took.",
            registry=registry,
        )
        self.failed = Counter(
            "headroom_webhook_attempts_failed_total",
            "Attempts that the receiver did not take, by why: a status, timeout, connection.",
            ["why"],
            registry=registry,
        )
        self.given_up = Counter(
            "headroom_webhook_given_up_total",
            "Alerts that were not delivered, and will not be.",
            registry=registry,
        )
        self.missed = Counter(
            "headroom_webhook_missed_total",
            "Records of the topic that were deleted before they were delivered, or are no alerts.",
            registry=registry,
        )
        self._waiting = Gauge(
            "headroom_webhook_waiting",
            "Alerts that were tried in vain, and are tried again.",
            registry=registry,
        )

    def looked(self) -> None:
        """Alerts were looked for, and the group answers."""
        self._looked_at = self._monotonic()

    def begun(self) -> None:
        """Partitions were assigned, or it was said that there are none for us."""
        self._has_begun = True

    def keep(self, event_id: str, why: str) -> None:
        """An alert was tried in vain, and waits."""
        self._kept[event_id] = why
        self._waiting.set(len(self._kept))

    def let_go(self, event_id: str) -> None:
        """It waits no more."""
        self._kept.pop(event_id, None)
        self._waiting.set(len(self._kept))

    def not_alive(self) -> str | None:
        """Why only a restart can help; None: it works."""
        if self._monotonic() - self._looked_at > STUCK_SECONDS:
            return f"nobody has looked for alerts for {STUCK_SECONDS:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Why alerts are not delivered now; None: they are."""
        if not self._has_begun:
            return "starting: Kafka has not said which alerts are ours"
        why = next(iter(self._kept.values()), None)
        return None if why is None else f"{len(self._kept)} alerts wait: {why}"
