"""One trace across services: W3C `traceparent`, `tracestate` and `baggage` headers, out and in.

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
from whence.sdk import diagnostics, settings
from whence.sdk.capture import keys
from whence.sdk.capture.start import current_span
from whence.sdk.capture.trace_metadata import Scope, merge_scopes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
BAGGAGE = "baggage"
LISTS = (TRACESTATE, BAGGAGE)

if settings.current.baggage:
    import whence.sdk.capture.baggage  # noqa: F401 - now, so that the first span does not wait


def get_tracing_context_headers_for_http_request() -> dict[str, str]:
    """Return the headers that carry the active span to another service; {} where there is none.

    With an allow-list of baggage (`whence.configure(baggage=[...])`), a `baggage` header carries
    the metadata of the active trace whose keys are on it, or outside of a trace that of
    `whence.tracing.context(...)`.
    """
    current = keys.get_current()
    span = current.get(keys.SPAN)
    context = span.get_span_context() if isinstance(span, OtelSpan) else None
    headers = {}
    if context is not None and context.is_valid:
        headers[TRACEPARENT] = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )
        if context.trace_state:
            headers[TRACESTATE] = context.trace_state.to_header()
    if settings.current.baggage:
        carried = _write_baggage(current)
        if carried is not None:
            headers[BAGGAGE] = carried
    if not headers:
        diagnostics.warn(
            "headers_without_span", "No active span found: no tracing headers are sent."
        )
    return headers


def _write_baggage(current: keys.Context) -> str | None:
    try:
        from whence.sdk.capture.baggage import write_baggage

        span, scope = current_span(current), current.get(keys.SCOPE)
        given = scope.metadata if isinstance(scope, Scope) else {}
        metadata = given if span is None else {**given, **span.active_trace.metadata}
        return write_baggage(metadata, current, settings.current.baggage)
    except Exception as error:  # noqa: BLE001 - tracing never breaks the program
        diagnostics.caught("writing baggage", error)
        return None


@contextmanager
def set_tracing_context_from_http_request_headers(headers: Mapping[str, str]) -> Iterator[None]:
    """Make the caller's span, named by a request's headers, the parent of the spans inside.

    Baggage whose keys are allowed (`whence.configure(baggage=[...])`) becomes metadata of the
    traces inside. Header names are matched in any case. Raises `InvalidInputError` where
    `traceparent` is missing or malformed.
    """
    found = collect_headers(headers.items())
    before = keys.get_current()
    changes = hang_below(read_headers(found), before)
    scope = read_baggage_header(found)
    if scope is not None:
        changes[keys.SCOPE] = merge_scopes(before.get(keys.SCOPE), scope)
    context = keys.derive(before, changes)
    token = keys.attach(context)
    try:
        yield
    finally:
        keys.restore(token, context, before)


def collect_headers(items: Iterable[tuple[object, str]]) -> dict[str, str]:
    """Return headers by lower-case name: of a list the parts joined, else the first."""
    found: dict[str, str] = {}
    for name, value in items:
        lower = str(name).lower()
        if lower not in found:
            found[lower] = value
        elif lower in LISTS:
            found[lower] = f"{found[lower]},{value}"
    return found


def hang_below(parent: SpanContext, before: keys.Context) -> dict[str, object]:
    """Return the changes of a context by which a remote span becomes the parent."""
    muted = keys.MUTED if before.get(keys.NEAREST) is keys.MUTED else None
    return {keys.SPAN: NonRecordingSpan(parent), keys.NEAREST: muted}


def read_baggage_header(lower: Mapping[str, str]) -> Scope | None:
    """Return what the allowed entries of a `baggage` header give to traces."""
    header = lower.get(BAGGAGE)
    if not header or not settings.current.baggage:
        return None
    try:
        from whence.sdk.capture.baggage import read_baggage

        return read_baggage(header, settings.current.baggage)
    except Exception as error:  # noqa: BLE001
        diagnostics.caught("reading baggage", error)
        return None


def read_headers(lower: Mapping[str, str]) -> SpanContext:
    """Return the span context that W3C headers name; their names are in lower case."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

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
