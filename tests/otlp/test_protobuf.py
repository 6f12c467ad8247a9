"""The reader of OTLP/protobuf takes what an OpenTelemetry SDK sends and names what is wrong."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from whence.errors import MalformedPayloadError
from whence.otlp.protobuf import decode_request


def test_spans_of_the_opentelemetry_sdk_are_read() -> None:
    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.version": "2.1.0"}))
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer("my.scope")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
        outer.set_attribute("list", [1, 2])
        outer.add_event("e", {"x": 1.5})
        with tracer.start_as_current_span("inner") as inner:
            inner.set_status(StatusCode.ERROR, "broke")
    [group] = decode_request(encode_spans(finished.get_finished_spans()).SerializeToString())
    inner_span, outer_span = group.spans
    assert group.resource.attributes["service.version"] == "2.1.0"
    assert inner_span.parent_id == outer_span.span_id
    assert (inner_span.status, inner_span.status_message) == (2, "broke")
    assert outer_span.parent_id is None
    assert outer_span.scope == "my.scope"
    assert outer_span.kind == 2
    assert outer_span.attributes == {"list": [1, 2]}
    assert outer_span.events[0].attributes == {"x": 1.5}


def request(**fields: object) -> bytes:
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.add(**fields)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"trace_id": b"a", "span_id": b"b" * 8}, "traceId"),
        ({"trace_id": bytes(16), "span_id": b"b" * 8}, "traceId"),
        ({"trace_id": b"a" * 16}, "spanId"),
        ({"trace_id": b"a" * 16, "span_id": b"b" * 8, "parent_span_id": b"x"}, "parentSpanId"),
        (
            {"trace_id": b"a" * 16, "span_id": b"b" * 8, "start_time_unix_nano": 2**63},
            "startTimeUnixNano",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_path(fields: dict[str, object], path: str) -> None:
    with pytest.raises(MalformedPayloadError) as caught:
        decode_request(request(**fields))
    assert caught.value.message.endswith(f" at resourceSpans[0].scopeSpans[0].spans[0].{path}")


def test_garbage_is_refused() -> None:
    with pytest.raises(MalformedPayloadError, match="not a protobuf"):
        decode_request(b"\xff\xff\xff\xff")


def test_an_empty_request_has_no_spans() -> None:
    assert decode_request(b"") == []
