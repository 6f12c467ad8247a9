"""Build entities from the answers of Whence's own REST API (`/api/v1/…`).

The API sends a span's inputs, outputs, type, model, usage and cost as fields of their own; here
they go back to the reserved attributes, where a `Span` reads them.
"""

from __future__ import annotations

from typing import Any

from whence import semconv
from whence.entities.assessment import Assessment
from whence.entities.experiment import TraceLocation
from whence.entities.span import Span
from whence.entities.span_event import Link, SpanEvent
from whence.entities.span_status import SpanStatus, SpanStatusCode
from whence.entities.trace import Trace, TraceData
from whence.entities.trace_info import TraceInfo

# field of the answer → reserved attribute
ATTRIBUTE_OF_FIELD = {
    "trace_id": semconv.TRACE_REQUEST_ID,
    "inputs": semconv.MLFLOW_INPUTS,
    "outputs": semconv.MLFLOW_OUTPUTS,
    "span_type": semconv.SPAN_TYPE,
    "model": semconv.LLM_MODEL,
    "provider": semconv.LLM_PROVIDER,
    "usage": semconv.CHAT_TOKEN_USAGE,
    "cost": semconv.LLM_COST,
}
KEEPS_NULL = ("inputs", "outputs")  # null is a value there, absence is a missing key
WIRE_KEYS = (semconv.INPUTS, semconv.OUTPUTS)  # JSON text of what the fields hold decoded
# What a root says of its whole trace, where `TraceInfo` has it. A root of another service's part is
# not the trace's: what it says is found nowhere else.
OF_TRACE = (semconv.METADATA_PREFIX, semconv.TRACE_TAG_PREFIX)


def trace_from_api(answer: dict[str, Any]) -> Trace:
    """Read `{"info": …, "spans": […]?, "conflicts": […]?}`."""
    return Trace(
        info=info_from_api(answer["info"]),
        data=TraceData(spans=[span_from_api(span) for span in answer.get("spans") or []]),
        conflicts=answer.get("conflicts") or [],
    )


def info_from_api(info: dict[str, Any]) -> TraceInfo:
    """Read the header of a trace."""
    duration_ns = info.get("duration_ns")
    tags = dict(info.get("tags") or {})
    if info.get("name") is not None:
        tags.setdefault(semconv.TRACE_NAME_TAG, info["name"])
    return TraceInfo(
        trace_id=info["trace_id"],
        trace_location=TraceLocation.from_experiment_id(str(info["experiment_id"])),
        request_time=info["request_time_ms"],
        state=info["state"],
        request_preview=info.get("request_preview"),
        response_preview=info.get("response_preview"),
        client_request_id=info.get("client_request_id"),
        execution_duration=None if duration_ns is None else duration_ns // 1_000_000,
        trace_metadata=dict(info.get("trace_metadata") or {}),
        tags=tags,
        assessments=[Assessment.from_dict(each) for each in info.get("assessments") or []],
        duration_ns=duration_ns,
        error_count=info.get("error_count"),
        models=list(info.get("models") or []),
        provenance=dict(info.get("provenance") or {}),
        known_environment=info.get("environment"),
    )


def span_from_api(span: dict[str, Any]) -> Span:
    """Read one span."""
    of_trace = () if span.get("parent_id") else OF_TRACE
    attributes = {
        key: value
        for key, value in (span.get("attributes") or {}).items()
        if key not in WIRE_KEYS and not key.startswith(of_trace)
    }
    for name, key in ATTRIBUTE_OF_FIELD.items():
        if name in span and (span[name] is not None or name in KEEPS_NULL):
            attributes.setdefault(key, span[name])
    end_time_ns = span.get("end_time_ns")
    return Span(
        trace_id=span["trace_id"],
        span_id=span["span_id"],
        parent_id=span.get("parent_id"),
        name=span["name"],
        kind=span.get("kind") or "INTERNAL",
        start_time_ns=int(span["start_time_ns"]),
        end_time_ns=None if end_time_ns is None else int(end_time_ns),
        status=SpanStatus(
            SpanStatusCode(span.get("status") or "UNSET"), span.get("status_message") or ""
        ),
        attributes=attributes,
        events=[
            SpanEvent(event["name"], int(event["time_ns"]), event.get("attributes") or {})
            for event in span.get("events") or []
        ],
        links=[
            Link(link["trace_id"], link["span_id"], link.get("attributes"))
            for link in span.get("links") or []
        ],
        resource=span.get("resource"),
        scope=span.get("scope") or "",
    )
