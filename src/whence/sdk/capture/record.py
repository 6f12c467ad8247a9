"""The wire form of a live span, made in the exporter's thread so that the caller does not pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities.span_type import SpanLogLevel
from whence.otlp.records import KIND_NAMES, Event, Link, SpanRecord
from whence.sdk.capture.active import describe
from whence.sdk.capture.values import decode

if TYPE_CHECKING:
    from whence.sdk.capture.recorded import RecordedSpan


SPECIAL_KEYS = ("whence.", semconv.TRACE_TAG_PREFIX)


def load_value(value: Any) -> Any:
    """Return the decoded value of a stored attribute."""
    return decode(bytes(value)) if type(value) is msgspec.Raw else value


def load_values(stored: dict[str, Any]) -> dict[str, Any]:
    """Return stored attribute values decoded."""
    return {key: load_value(value) for key, value in stored.copy().items()}


def describe_span(span: RecordedSpan, *, is_pending: bool = False) -> SpanRecord:
    """Return the record of a span: the final one, or that of a root still open."""
    trace = span.active_trace
    return SpanRecord(
        trace_id=f"{trace.trace_id:032x}",
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=KIND_NAMES.index(span.kind),
        start_time_ns=span.start_time_ns,
        end_time_ns=0 if is_pending else span.end_time_ns or 0,
        status=span.code,
        status_message=span.code_message,
        attributes=_attributes(span, is_pending=is_pending),
        events=[
            Event(event.name, event.time_ns, load_values(event.attributes))
            for event in list(span.event_records or ())
        ],
        links=[
            Link(link.trace_id, link.span_id, load_values(link.attributes))
            for link in list(span.link_records or ())
        ],
        scope=span.scope,
        trace_state=trace.trace_state.to_header() if trace.trace_state else "",
    )


def _attributes(span: RecordedSpan, *, is_pending: bool) -> dict[str, Any]:
    attributes = load_values(span.stored)
    if span.inputs_json is not None:
        attributes[semconv.INPUTS] = span.inputs_json.decode()
    if span.outputs_json is not None:
        attributes[semconv.OUTPUTS] = span.outputs_json.decode()
    level = span.level
    if level is None and not span.is_from_tracer and not is_pending:
        level = int(SpanLogLevel.default_for(attributes.get(semconv.SPAN_TYPE)))
    if level is not None:
        attributes[semconv.SPAN_LOG_LEVEL] = level
    if span.problems:
        attributes[semconv.CAPTURE_PROBLEM] = "; ".join(span.problems)
    trace = span.active_trace
    if trace.root is span:
        attributes.update(describe(trace))
    if is_pending:
        attributes[semconv.PENDING] = True
    return attributes


class SharedValues(dict[str, Any]):
    """Attributes that many spans have in common; a span copies them before it writes.

    `wire` is their text in a request, once it has been made. None of their keys is one of those
    that describe a trace or hold inputs and outputs (`share` sees to it).
    """

    __slots__ = ("wire",)

    wire: bytes

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.wire = b""


def share(values: dict[str, Any]) -> dict[str, Any]:
    """Return attributes for many spans to have in common, or as they are where they can't be."""
    is_special = any(key.startswith(SPECIAL_KEYS) for key in values)
    return values if is_special else SharedValues(values)


class PendingRoot:
    """The topmost span of a trace that is still open, as far as it is known."""

    def __init__(self, span: RecordedSpan) -> None:
        self._span = span

    @property
    def experiment_id(self) -> str:
        """The experiment that the trace goes to."""
        return self._span.experiment_id

    @property
    def experiment_name(self) -> str:
        """The experiment's name, or ""."""
        return self._span.experiment_name

    def to_record(self) -> SpanRecord:
        """Return the pending record."""
        return describe_span(self._span, is_pending=True)
