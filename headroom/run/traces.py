"""Traces to a collector, by OpenTelemetry over HTTP: only where a setting names one.

The libraries are the extra `headroom[traces]`, imported where they are needed. A collector that is
away costs the spans of that time and nothing else: they are sent by a thread of their own.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from headroom.base.errors import OperatorError
from headroom.base.settings import TracesSettings
from schemas.secrets import Secret
from schemas.traces import Spans

log = logging.getLogger("headroom.traces")

_SEND_SECONDS_MAX: Final = 5.0
_LAST_SECONDS: Final = 5.0
_NAME: Final = "headroom"
_SAMPLED: Final = 1
_MISSING: Final = "traces need OpenTelemetry: pip install 'headroom[traces]'"


@contextlib.contextmanager
def spans_to(
    settings: TracesSettings | None, service: str, *, chance: Callable[[], float]
) -> Iterator[Spans | None]:
    """Who is told of spans while the block runs; None where nobody is to be told.

    `chance` draws from [0, 1): below the settings' ratio a frame begins a trace. What is left at
    the end is sent, for some seconds at most. Raises `OperatorError` where the libraries are
    missing and our own setting asks for them.
    """
    if settings is None:
        yield None
        return
    try:
        tracer, end = _begun(settings, service)
    except ImportError as error:
        if settings.is_ours:
            raise OperatorError(_MISSING) from error
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, and %s", _MISSING)
        yield None
        return
    try:
        yield _Told(tracer, settings.ratio, chance)
    finally:
        end()


def _begun(settings: TracesSettings, service: str) -> tuple[Any, Callable[[], None]]:
    """A tracer, and how to end it."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415

    _hide_headers(os.environ)
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS_MAX
    )
    provider = TracerProvider(
        # Chosen already: by the producer, or by the header.
        sampler=ALWAYS_ON,
        resource=Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def end() -> None:
        """Send what is left; a collector that does not answer is not waited for any longer."""
        late = threading.Timer(_LAST_SECONDS, exporter.shutdown)
        late.daemon = True
        late.start()
        provider.shutdown()
        late.cancel()

    return provider.get_tracer(_NAME), end


def _hide_headers(environment: Mapping[str, str]) -> None:
    """What OpenTelemetry's own settings say to a collector is often a key: never in a log."""
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        for header in environment.get(name, "").split(","):
            value = header.partition("=")[2].strip()
            for text in {value, unquote(value)} - {""}:
                Secret(text, ours=True)


class _Told:
    """`Spans`, as OpenTelemetry takes them; each is over when it is told."""

    def __init__(self, tracer: Any, ratio: float, chance: Callable[[], float]) -> None:  # noqa: ANN401 - as above
        from opentelemetry import trace  # noqa: PLC0415 - as above
        from opentelemetry.context import Context  # noqa: PLC0415

        self._trace = trace
        self._nothing = Context()
        self._tracer = tracer
        self._ratio = ratio
        self._chance = chance

    def begin(
        self, name: str, *, began_ns: int, ended_ns: int, told: Mapping[str, str | int]
    ) -> str | None:
        if self._chance() >= self._ratio:
            return None
        span = self._tracer.start_span(
            name,
            context=self._nothing,
            kind=self._trace.SpanKind.PRODUCER,
            attributes=told,
            start_time=began_ns,
        )
        span.end(ended_ns)
        made = span.get_span_context()
        return f"00-{made.trace_id:032x}-{made.span_id:016x}-{_SAMPLED:02x}"

    def add(
        self,
        name: str,
        parent: bytes,
        *,
        began_ns: int,
        ended_ns: int,
        told: Mapping[str, str | int],
    ) -> None:
        _, trace_id, span_id, flags = parent.decode("ascii").split("-")
        before = self._trace.SpanContext(
            int(trace_id, 16),
            int(span_id, 16),
            is_remote=True,
            trace_flags=self._trace.TraceFlags(int(flags, 16)),
        )
        span = self._tracer.start_span(
            name,
            context=self._trace.set_span_in_context(
                self._trace.NonRecordingSpan(before), self._nothing
            ),
            kind=self._trace.SpanKind.CONSUMER,
            attributes=told,
            start_time=began_ns,
        )
        span.end(ended_ns)
