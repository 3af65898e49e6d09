"""A producer's probes and metrics, asked from outside: a whole process, a real Kafka, a sandbox."""

import asyncio
import re
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from headroom.base.listening import listening, url_of
from headroom.local.kafka import KafkaNode
from headroom.run.probes import probed
from producers.health import Health
from tests.headroom.commands import Started, headroom, started, until

pytestmark = pytest.mark.slow

KEY = "canary-sandbox-key-0001"


def asked(url: str, *, seconds: float = 20) -> tuple[int, str]:
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as found:  # noqa: S310 - our own
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def value(url: str, name: str, **labels: str) -> float | None:
    """A metric as Prometheus would read it."""
    for family in text_string_to_metric_families(asked(url + "/metrics")[1]):
        for sample in family.samples:
            if (
                sample.name == f"headroom_producer_{name}"
                and labels.items() <= sample.labels.items()
            ):
                return sample.value
    return None


def url(producer: Started) -> str:
    found = re.compile(r"probes and metrics at ([^\s\"]+)")
    until(lambda: found.search(producer.output), why=lambda: producer.output)
    return found.findall(producer.output)[0]


def test_a_venue_or_a_kafka_that_is_away_is_not_ready_and_never_a_reason_for_a_restart(
    node: KafkaNode, tmp_path: Path
) -> None:
    assert headroom("topics", "apply", KAFKA_BOOTSTRAP=node.bootstrap).status == 0
    venue = ("sandbox", "sfox", "--rate", "50", "--port")
    given = {
        "KAFKA_BOOTSTRAP": node.bootstrap,
        "DATA_DIR": tmp_path,
        "SFOX_API_KEY": KEY,
        "LOG_LEVEL": "DEBUG",
    }
    with started(tmp_path / "sandbox", *venue, "0", SFOX_API_KEY=KEY) as sandbox:
        until(lambda: sandbox.output, why=lambda: sandbox.output)
        given["SFOX_URL"] = sandbox.output.split()[0]
        with started(tmp_path / "producer", "produce", "sfox", **given) as producer:
            base = url(producer)

            def ready() -> bool:
                return asked(base + "/readyz") == (200, "ready\n")

            until(ready, why=lambda: producer.output)
            assert asked(base + "/livez") == (200, "alive\n")
            assert asked(base + "/v1/users")[0] == 404
            until(lambda: (value(base, "send_seconds_count", venue="sfox") or 0) > 3)
            assert value(base, "connections", venue="sfox", state="connected") == 1
            assert value(base, "connections", venue="sfox", state="refused") == 0
            for age in ("last_frame", "last_confirmation"):
                seconds = value(base, f"{age}_age_seconds", venue="sfox", connection="1")
                assert seconds is not None
                assert 0 <= seconds < 20
            assert value(base, "gaps_total", venue="sfox", connection="1") == 0
            shown = asked(base + "/metrics")[1]
            assert "process_resident_memory_bytes" in shown or sys.platform != "linux"
            assert value(base, "refusals_total", venue="sfox", what="key") == 0
            received = value(base, "frames_received_total", venue="sfox") or 0
            assert received > 0
            until(lambda: (value(base, "frames_published_total", venue="sfox") or 0) >= received)

            asyncio.run(node.stop())
            until(lambda: not ready(), why=lambda: producer.output)
            status, text = asked(base + "/readyz")
            assert status == 503
            assert "Kafka" in text
            assert asked(base + "/livez") == (200, "alive\n")
            until(lambda: (value(base, "spool_age_seconds", venue="sfox") or 0) > 1)
            asyncio.run(node.start())
            until(ready, seconds=120, why=lambda: producer.output)

            sandbox.process.kill()
            sandbox.process.wait()
            until(lambda: not ready(), why=lambda: producer.output)
            assert "sfox: " in asked(base + "/readyz")[1]
            assert asked(base + "/livez") == (200, "alive\n")
            assert value(base, "connections", venue="sfox", state="connected") == 0
            assert KEY not in asked(base + "/metrics")[1] + asked(base + "/readyz")[1]
            assert producer.stop() == 0


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "SFOX_API_KEY": KEY, "PROBES_PORT": port}
        ended = headroom("produce", "sfox", DATA_DIR=tmp_path, **given)
    ended.is_one_line(str(port), "HEADROOM_PROBES_PORT")


class Served:
    """Probes in an event loop of their own thread."""

    def __init__(self) -> None:
        self.health = Health(lambda: 0.0)
        self.url = ""
        self.loop = asyncio.new_event_loop()
        self._known, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=[self._serve()])

    async def _serve(self) -> None:
        with listening("127.0.0.1", 0, way="") as listener:
            async with probed(listener, self.health, CollectorRegistry()):
                self.url = url_of(listener)
                self._known.set()
                await self._over.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._known.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        self.loop.close()

    def call(self, function: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(function)


def test_an_event_loop_that_stands_answers_nobody() -> None:
    """Which is what a liveness probe is there to find."""
    with Served() as served:
        assert asked(served.url + "/livez") == (200, "alive\n")
        assert asked(served.url + "/readyz")[0] == 503
        free = threading.Event()
        try:
            served.call(free.wait)
            with pytest.raises(TimeoutError):
                asked(served.url + "/livez", seconds=0.5)
        finally:
            free.set()
        assert asked(served.url + "/livez") == (200, "alive\n")


def test_probes_may_listen_on_ipv6() -> None:
    with listening("::1", 0, way="") as listener:
        assert re.fullmatch(r"http://\[::1\]:[0-9]+", url_of(listener))
