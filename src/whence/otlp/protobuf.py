"""OTLP/protobuf: an `ExportTraceServiceRequest` as bytes, and back.

The same records as in `whence.otlp.json`, and the same rules for what OTLP can't say. Needs the
package opentelemetry-proto, which only the server side installs; importing this module is what
loads it (and protobuf), so import it where it is needed.

`decode_request` raises `MalformedPayloadError`: bytes that aren't a request can't name an offset,
because protobuf's reader gives none; a wrong value is named by its path. Strings that aren't
UTF-8 are refused by that reader too, and so are bodies nested deeper than 100 messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from whence.errors import MalformedPayloadError
from whence.otlp.records import (
    KIND_NAMES,
    STATUS_NAMES,
    Event,
    Link,
    Resource,
    ResourceSpans,
    SpanRecord,
)
from whence.otlp.values import INT64_MAX, key_text, plain
from whence.semconv import DOCUMENT_KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


# --- Decoding ---------------------------------------------------------------------------------


def decode_request(body: bytes) -> list[ResourceSpans]:
    """Return the spans of an OTLP/protobuf request body.

    Groups without spans are left out, unless their resource holds a document.
    """
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except (DecodeError, RecursionError) as error:
        raise MalformedPayloadError(
            f"the {len(body)} bytes are not a protobuf ExportTraceServiceRequest ({error})"
        ) from None
    groups = []
    for index, group in enumerate(request.resource_spans):
        spans = []
        for number, scope_spans in enumerate(group.scope_spans):
            for place, span in enumerate(scope_spans.spans):
                path = f"resourceSpans[{index}].scopeSpans[{number}].spans[{place}]"
                spans.append(_read_span(span, scope_spans.scope.name, path))
        if spans or _holds_document(group.resource):
            resource = Resource(_read_attributes(group.resource.attributes))
            groups.append(ResourceSpans(resource, spans))
    return groups


def _holds_document(resource: resource_pb2.Resource) -> bool:
    return any(pair.key == DOCUMENT_KIND for pair in resource.attributes)


def _read_span(span: trace_pb2.Span, scope: str, path: str) -> SpanRecord:
    events = [
        Event(
            event.name,
            _read_time(event.time_unix_nano, f"{path}.events[{index}].timeUnixNano"),
            _read_attributes(event.attributes),
        )
        for index, event in enumerate(span.events)
    ]
    links = [
        Link(
            _read_id(link.trace_id, 16, f"{path}.links[{index}].traceId"),
            _read_id(link.span_id, 8, f"{path}.links[{index}].spanId"),
            _read_attributes(link.attributes),
        )
        for index, link in enumerate(span.links)
    ]
    parent = span.parent_span_id
    return SpanRecord(
        trace_id=_read_id(span.trace_id, 16, f"{path}.traceId"),
        span_id=_read_id(span.span_id, 8, f"{path}.spanId"),
        parent_id=_read_id(parent, 8, f"{path}.parentSpanId") if any(parent) else None,
        name=span.name,
        kind=span.kind if 0 <= span.kind < len(KIND_NAMES) else 0,
        start_time_ns=_read_time(span.start_time_unix_nano, f"{path}.startTimeUnixNano"),
        end_time_ns=_read_time(span.end_time_unix_nano, f"{path}.endTimeUnixNano"),
        status=span.status.code if 0 <= span.status.code < len(STATUS_NAMES) else 0,
        status_message=span.status.message,
        attributes=_read_attributes(span.attributes),
        events=events,
        links=links,
        scope=scope,
        trace_state=span.trace_state,
    )


def _read_id(value: bytes, size: int, path: str) -> str:
    if len(value) != size:
        raise MalformedPayloadError(f"expected {size} bytes, got {len(value)} at {path}")
    if not any(value):
        raise MalformedPayloadError(f"an id may not be all zeros at {path}")
    return value.hex()


def _read_time(value: int, path: str) -> int:
    if value > INT64_MAX:
        raise MalformedPayloadError(f"a time beyond 2**63 ns, got {value} at {path}")
    return value


def _read_attributes(entries: Iterable[KeyValue]) -> dict[str, Any]:
    return {entry.key: _read_value(entry.value) for entry in entries}


def _read_value(value: AnyValue) -> Any:
    field = value.WhichOneof("value")
    if field is None:
        return None
    if field == "array_value":
        return [_read_value(item) for item in value.array_value.values]
    if field == "kvlist_value":
        return _read_attributes(value.kvlist_value.values)
    return getattr(value, field)


# --- Encoding ---------------------------------------------------------------------------------


def encode_request(groups: Sequence[ResourceSpans]) -> bytes:
    """Return `groups` as the OTLP/protobuf body of one request."""
    request = ExportTraceServiceRequest(resource_spans=[_resource_spans(group) for group in groups])
    return request.SerializeToString()


def encode_response(rejected: int = 0, message: str = "") -> bytes:
    """Return an `ExportTraceServiceResponse`; empty where there is nothing to say."""
    response = ExportTraceServiceResponse()
    if rejected or message:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = _clean(message)
    return response.SerializeToString()


def _resource_spans(group: ResourceSpans) -> trace_pb2.ResourceSpans:
    by_scope: dict[str, list[trace_pb2.Span]] = {}
    for span in group.spans:
        by_scope.setdefault(span.scope, []).append(_span(span))
    encoded = trace_pb2.ResourceSpans(
        resource=resource_pb2.Resource(attributes=_attributes(group.resource.attributes))
    )
    for scope, spans in by_scope.items():
        scope_spans = encoded.scope_spans.add(spans=spans)
        scope_spans.scope.name = _clean(scope)
    return encoded


def _span(span: SpanRecord) -> trace_pb2.Span:
    encoded = trace_pb2.Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id or ""),
        trace_state=_clean(span.trace_state),
        name=_clean(span.name),
        kind=trace_pb2.Span.SpanKind.ValueType(span.kind),
        start_time_unix_nano=span.start_time_ns,
        end_time_unix_nano=span.end_time_ns,
        attributes=_attributes(span.attributes),
    )
    if span.status or span.status_message:
        encoded.status.code = trace_pb2.Status.StatusCode.ValueType(span.status)
        encoded.status.message = _clean(span.status_message)
    for event in span.events:
        encoded.events.add(
            name=_clean(event.name),
            time_unix_nano=event.time_ns,
            attributes=_attributes(event.attributes),
        )
    for link in span.links:
        encoded.links.add(
            trace_id=bytes.fromhex(link.trace_id),
            span_id=bytes.fromhex(link.span_id),
            attributes=_attributes(link.attributes),
        )
    return encoded


def _attributes(attributes: dict[Any, Any], depth: int = 1) -> list[KeyValue]:
    return [
        KeyValue(key=_clean(key_text(key)), value=_value(value, depth))
        for key, value in attributes.items()
    ]


def _value(value: Any, depth: int) -> AnyValue:  # noqa: PLR0911 - one a kind
    value = plain(value, depth)
    kind = type(value)
    if value is None:
        return AnyValue()
    if kind is str:
        return AnyValue(string_value=_clean(value))
    if kind is bool:
        return AnyValue(bool_value=value)
    if kind is int:
        return AnyValue(int_value=value)
    if kind is float:
        return AnyValue(double_value=value)
    if kind is bytes:
        return AnyValue(bytes_value=value)
    if kind is list:
        return AnyValue(array_value=ArrayValue(values=[_value(item, depth + 1) for item in value]))
    return AnyValue(kvlist_value=KeyValueList(values=_attributes(value, depth + 1)))


def _clean(text: str) -> str:
    """Join surrogate pairs and replace lone halves: protobuf strings are UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
