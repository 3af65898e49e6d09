"""Spans to a collector: which, with which settings, and what happens where it is away.

A frame's whole way is in tests/headroom/look/explain, where a frame goes all of it anyway.
"""

import builtins
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from headroom.base.errors import OperatorError
from headroom.base.settings import TracesSettings, load
from headroom.local.kafka.probe import free_port
from headroom.run.traces import spans_to
from schemas.secrets import redacted
from tests.headroom.run.collector import Collector


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with Collector().running() as running:
        yield running


def test_of_frames_that_are_not_chosen_nothing_is_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20key-of-the-collector")
    drawn = iter([0.7, 0.2])
    settings = TracesSettings(collector.url, 0.5, is_ours=True)
    with spans_to(settings, "headroom-x", chance=lambda: next(drawn)) as spans:
        assert spans is not None
        told = [spans.begin("receive", began_ns=1, ended_ns=2, told={}) for _ in range(2)]
    assert told[0] is None
    (span,) = [span for _, span in collector.spans]
    assert told[1] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert collector.headers == ["a key-of-the-collector"]
    assert redacted("it said a key-of-the-collector") == "it said Secret(hidden)"


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_collector_that_is_away_or_silent_holds_up_nobody(
    *, is_silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far more is left at the end than it could take, each request by itself."""
    monkeypatch.setattr("headroom.run.traces._SEND_SECONDS_MAX", 0.5)
    monkeypatch.setattr("headroom.run.traces._LAST_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if is_silent else free_port()
        settings = TracesSettings(f"http://127.0.0.1:{port}", 1.0, is_ours=True)
        with spans_to(settings, "headroom-x", chance=lambda: 0.0) as spans:
            assert spans is not None
            for _ in range(3_000):  # more than is kept
                spans.begin("receive", began_ns=1, ended_ns=2, told={})
            began = time.monotonic()
        assert time.monotonic() - began < 10


def test_settings_say_whether_and_of_what_part() -> None:
    assert load({}).traces is None
    assert load({"HEADROOM_OTLP_ENDPOINT": ""}).traces is None
    ours = load({"HEADROOM_OTLP_ENDPOINT": "http://c:4318", "HEADROOM_TRACES_RATIO": "0.25"})
    assert ours.traces == TracesSettings("http://c:4318", 0.25, is_ours=True)
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:4318"}
    assert load(standard).traces == TracesSettings("http://d:4318", 0.001, is_ours=False)
    assert load({**standard, "HEADROOM_OTLP_ENDPOINT": "http://c"}).traces == TracesSettings(
        "http://c", 0.001, is_ours=True
    )
    with spans_to(None, "headroom-x", chance=float) as spans:
        assert spans is None


@pytest.mark.parametrize("is_ours", [True, False])
def test_without_the_libraries_who_asked_for_them_is_told(
    *, is_ours: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What whoever runs a cluster put into every process stops none of ours."""
    whole = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return whole(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    caplog.set_level(logging.WARNING)
    begun = spans_to(TracesSettings("http://c", 1.0, is_ours=is_ours), "x", chance=float)
    if is_ours:
        with pytest.raises(OperatorError, match=r"headroom\[traces\]"):
            begun.__enter__()
        return
    with begun as spans:
        assert spans is None
    assert "headroom[traces]" in caplog.text
