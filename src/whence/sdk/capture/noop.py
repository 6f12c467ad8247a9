"""The span that records nothing, usable wherever a span is."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext
from opentelemetry.trace import Span as OtelSpan

from whence.entities.span import Span

NO_OP_TRACE_ID = "MLFLOW_NO_OP_SPAN_TRACE_ID"


class NoOpSpan(OtelSpan, Span):
    """All properties are None or empty, all writes do nothing."""

    def __init__(self) -> None:
        super().__init__(trace_id=NO_OP_TRACE_ID, span_id="", name="", start_time_ns=0)

    span_id = name = start_time_ns = None  # type: ignore[assignment]  # MLflow's no-op span has None here
    trace_metadata: dict[str, str] = {}  # noqa: RUF012 - never written

    def get_span_context(self) -> SpanContext:
        """Return OpenTelemetry's invalid context."""
        return INVALID_SPAN_CONTEXT

    def is_recording(self) -> bool:
        """Return False."""
        return False

    def _nothing(self, *_args: Any, **_named: Any) -> None:
        """Do nothing."""

    set_inputs = set_outputs = set_attribute = set_attributes = set_status = _nothing
    set_span_type = set_description = set_log_level = set_trace_metadata = _nothing
    add_event = add_link = record_exception = update_name = end = _nothing

    def to_immutable_span(self) -> Span:
        """Return itself: nothing about it changes."""
        return self

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "NoOpSpan()"


NO_OP_SPAN = NoOpSpan()
