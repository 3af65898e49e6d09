"""A publisher as tests want it, and a client in place of librdkafka's."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from processors.engine.librdkafka import properties
from producers import publisher as module
from producers.metrics import ProducerMetrics
from producers.publisher import Publisher, SpoolSettings
from schemas.headers import Headers

LOG = logging.getLogger("tests.producers")


def publisher(bootstrap: str, topic: str, folder: Path | None = None, **more: Any) -> Publisher:
    """A publisher with a spool of its own, in memory where there is no folder."""
    settings = SpoolSettings(folder, **{k: more.pop(k) for k in list(more) if "bytes" in k})
    return Publisher(
        lambda: properties({"bootstrap_servers": bootstrap}),
        topic,
        venue="sfox",
        log=LOG,
        metrics=ProducerMetrics.of(more.pop("registry", None) or CollectorRegistry()),
        spool=settings,
        **more,
    )


class Client:
    """In place of a `Sink`: Kafka takes what the test says."""

    def __init__(self, desk: "Clients") -> None:
        self.desk = desk
        self.broken: str | None = None
        self.too_large = False
        self.fenced = False
        self.sent: list[tuple[bytes | None, bytes, Headers]] = []
        self._delivered: list[Callable[[Any, Any], None]] = []
        self._due: list[Callable[[Any, Any], None]] = []
        self.closed = False

    def send(
        self, key: bytes | None, value: bytes, headers: Headers, delivered: Callable[..., None]
    ) -> bool:
        if len(self._delivered) >= self.desk.room:
            return False
        self.sent.append((key, value, headers))
        self._delivered.append(delivered)
        return True

    def poll(self, seconds: float = 0.0) -> None:
        while self._delivered and self.desk.takes > 0:
            self.desk.takes -= 1
            self._delivered.pop(0)(None, None)

    def failed(self, error: object) -> None:
        self.broken = str(error)

    def close(self) -> None:
        self.closed = True

    @property
    def values(self) -> list[bytes]:
        return [value for _, value, _ in self.sent]


class Clients:
    """All clients that were made; `takes` is how many records Kafka takes, `room` what waits."""

    def __init__(self, monkeypatch: Any, *, takes: float = 0) -> None:
        self.takes = takes
        self.room = 100_000
        self.made: list[Client] = []
        monkeypatch.setattr(module, "Sink", self._make)
        monkeypatch.setattr(module, "_cluster", lambda _: "")

    def _make(self, *_: object, singly: bool = False) -> Client:
        self.made.append(Client(self))
        self.made[-1].too_large = singly
        return self.made[-1]

    @property
    def values(self) -> list[bytes]:
        return [value for one in self.made for value in one.values]
