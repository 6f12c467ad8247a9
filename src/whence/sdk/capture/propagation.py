"""One trace across services: W3C `traceparent` headers, out and in.

Spans inside `set_tracing_context_from_http_request_headers` hang under the caller's span, in its
trace. The topmost of them is a local root with a context of its own, so metadata set in this
service is kept, and nothing depends on which of the two services ends first.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.trace import Span as OtelSpan

from whence.errors import InvalidInputError
from whence.sdk import diagnostics
from whence.sdk.capture import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"


def get_tracing_context_headers_for_http_request() -> dict[str, str]:
    """Return the headers that carry the active span to another service; {} where there is none."""
    span = keys.get_current().get(keys.SPAN)
    context = span.get_span_context() if isinstance(span, OtelSpan) else None
    if context is None or not context.is_valid:
        diagnostics.warn(
            "headers_without_span", "No active span found: no tracing headers are sent."
        )
        return {}
    headers = {
        TRACEPARENT: f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    }
    if context.trace_state:
        headers[TRACESTATE] = context.trace_state.to_header()
    return headers


@contextmanager
def set_tracing_context_from_http_request_headers(headers: Mapping[str, str]) -> Iterator[None]:
    """Make the caller's span, named by a request's headers, the parent of the spans inside.

    Header names are matched in any case. Raises `InvalidInputError` where `traceparent` is missing
    or malformed.
    """
    before = keys.get_current()
    context = keys.derive(
        before, {keys.SPAN: NonRecordingSpan(read_headers(headers)), keys.NEAREST: _muted(before)}
    )
    token = keys.attach(context)
    try:
        yield
    finally:
        keys.restore(token, context, before)


def _muted(context: keys.Context) -> object:
    return keys.MUTED if context.get(keys.NEAREST) is keys.MUTED else None


def read_headers(headers: Mapping[str, str]) -> SpanContext:
    """Return the span context that W3C headers name."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    lower = {str(name).lower(): value for name, value in headers.items()}
    if not lower.get(TRACEPARENT):
        raise InvalidInputError(
            f"The HTTP headers have no '{TRACEPARENT}'. The calling service must send the headers "
            "of whence.tracing.get_tracing_context_headers_for_http_request()."
        )
    extracted = TraceContextTextMapPropagator().extract(lower, keys.Context())
    span = extracted.get(keys.SPAN)
    if not isinstance(span, OtelSpan):
        raise InvalidInputError(
            f"The header '{TRACEPARENT}: {lower[TRACEPARENT]}' is malformed; "
            "expected 00-<32 hex digits>-<16 hex digits>-<2 hex digits>."
        )
    return span.get_span_context()
