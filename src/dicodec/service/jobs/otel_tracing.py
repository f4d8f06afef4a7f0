"""Record traces with OpenTelemetry's SDK, and send them to a collector (OTLP over HTTP).

Names follow the semantic conventions for messaging and HTTP. Spans have no paths and no values of
data sets. The SDK's own variables (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, ...) are heeded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dicodec.errors import InvalidOptionError
from dicodec.model.implementation import VERSION
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.tracing import TRACEPARENT, Span, Tracing

_PATH = "/v1/traces"
_SEND_SECONDS = 5.0
"""How long one sending may take, and all that is left at the end."""

_STAGES = ("open", "plan", "convert", "verify", "send")
"""Stages of a conversion or delivery in order; each becomes a span within that of its attempt."""

_REPORTED = ("action", "source_syntax", "target_syntax", "source_size", "target_size", "frames",
             "lossy", "verified")  # fmt: skip
_PROPAGATOR = TraceContextTextMapPropagator()


def make_exporting_tracing(url: str, service: str, log: Log) -> Tracing:
    """Return a tracing that sends spans to a collector.

    Args:
        url: of the collector: http://HOST:4318, or with the whole path.
        service: name of the service, unless OTEL_SERVICE_NAME gives another.
        log: gets a line if spans cannot be sent; they are lost, and jobs go on.

    Raises:
        InvalidOptionError: the URL is not one of HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InvalidOptionError("--traces takes http://HOST:4318, the URL of a collector")
    endpoint = url if parts.path not in {"", "/"} else f"{url.rstrip('/')}{_PATH}"
    logger = logging.getLogger("opentelemetry")
    logger.handlers = [_SdkLog(log)]
    logger.propagate = False
    return OtelTracing(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=_SEND_SECONDS)), service
    )


class OtelTracing(Tracing):
    """Records spans, and hands those that ended to a processor.

    Args:
        processor: of the SDK.
        service: name of the service.
    """

    def __init__(self, processor: SpanProcessor, service: str) -> None:
        ours = Resource.create({"service.name": service, "service.version": VERSION})
        self._provider = TracerProvider(
            resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("dicodec", VERSION)

    def begin_attempt(self, request: Request, attempt: int, queue: str = "") -> Span:
        """Begin the span of an attempt at a job."""
        system, _, name = queue.partition(" ")
        attributes: dict[str, Any] = {"dicodec.job.id": request.id, "dicodec.attempt": attempt}
        if queue:
            attributes |= {
                "messaging.system": system,
                "messaging.destination.name": name,
                "messaging.operation.type": "process",
                "messaging.message.id": request.id,
            }
        return self._begin(
            f"process {name or 'job'}", SpanKind.CONSUMER, request.parent, attributes
        )

    def begin_call(self, name: str, traceparent: str | None) -> Span:
        """Begin the span of an HTTP request."""
        method, _, route = name.partition(" ")
        attributes = {"http.request.method": method, "http.route": route}
        return self._begin(name, SpanKind.SERVER, traceparent, attributes)

    def begin_receiving(self, sender: str, began: int) -> Span:
        """Begin the span of an object that is received over DICOM."""
        attributes = {"network.protocol.name": "dicom", "dicodec.sender": sender}
        return self._begin("receive object", SpanKind.SERVER, None, attributes, began)

    def begin_delivery(self, request: Request, attempt: int, peer: str) -> Span:
        """Begin the span of an attempt to deliver an object."""
        attributes: dict[str, Any] = {
            "dicodec.job.id": request.id,
            "dicodec.attempt": attempt,
            "dicodec.peer": peer,
        }
        return self._begin(f"deliver to {peer}", SpanKind.CLIENT, request.parent, attributes)

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        attributes: Mapping[str, Any],
        began: int | None = None,
    ) -> Span:
        context = _PROPAGATOR.extract({TRACEPARENT: parent} if parent else {})
        made = self._tracer.start_span(name, context, kind, attributes, start_time=began)
        return _OtelSpan(made, self)

    def add_stages(self, parent: SdkSpan, seconds: Mapping[str, float], ended: int) -> None:
        """Add a span for each stage of a conversion that ended at a time, in nanoseconds."""
        context = set_span_in_context(parent)
        at = ended - int(sum(seconds.get(stage, 0.0) for stage in _STAGES) * 1e9)
        for stage in _STAGES:
            if stage in seconds:
                span = self._tracer.start_span(stage, context, start_time=at)
                at += int(seconds[stage] * 1e9)
                span.end(at)

    def close(self) -> None:
        """Send the rest, within some seconds."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_SEND_SECONDS)


class _OtelSpan(Span):
    def __init__(self, span: SdkSpan, tracing: OtelTracing) -> None:
        self._span = span
        self._tracing = tracing
        self._ended: int | None = None
        self._is_over = False
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span))
        self.traceparent = carrier.get(TRACEPARENT)

    def note_end(self) -> None:
        """Take note that the work is done."""
        self._ended = time.time_ns()

    def end(self, outcome: str, *, cause: str | None, report: Mapping[str, Any]) -> None:
        """End it, with the stages of the conversion; a second time changes nothing."""
        if self._is_over:
            return
        self._is_over = True
        ended = self._ended or time.time_ns()
        self._span.set_attribute("dicodec.outcome", outcome)
        for name in _REPORTED:
            if isinstance(value := report.get(name), str | bool | int | float):
                self._span.set_attribute(f"dicodec.{name}", value)
        if cause is not None:  # its message may name files
            self._span.set_attribute("error.type", cause)
            self._span.set_status(Status(StatusCode.ERROR, cause))
        if self._span.is_recording():
            self._tracing.add_stages(self._span, report.get("seconds", {}), ended)
        self._span.end(ended)


class _SdkLog(logging.Handler):
    """Writes the SDK's messages as lines of our log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self._log.write("warning", "traces cannot be sent", message=record.getMessage()[:500])
