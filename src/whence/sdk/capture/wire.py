"""An ended span as the text that goes over the wire, made in the exporter's thread.

Most spans say nothing but what their function's decorator knew, their inputs and their outputs.
For them the text is put together from pieces (2 us a span), of which what the decorator knew is
made once. Every other span goes by its record (`record.describe_span`), which says the same.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities.span_type import SpanLogLevel
from whence.otlp.json import encode_attributes, encode_span, encode_text
from whence.sdk.capture.active import describe
from whence.sdk.capture.record import SharedValues, describe_span, load_values

if TYPE_CHECKING:
    from whence.sdk.capture.recorded import RecordedSpan

OPEN_INPUTS, OPEN_OUTPUTS = (
    f',{{"key":{quote(key)},"value":{{"stringValue":'.encode()
    for key in (semconv.INPUTS, semconv.OUTPUTS)
)
_quote_quickly = msgspec.json.Encoder().encode  # a third of `quote`; refuses lone surrogates


def encode_recorded(span: RecordedSpan) -> tuple[str, bytes]:
    """Return a span's scope, and the span as it stands in a request's list of spans."""
    values = span.stored
    trace = span.active_trace
    if (
        type(values) is not SharedValues
        or span.level is not None
        or span.event_records
        or span.link_records
        or span.problems
        or span.code_message
        or trace.trace_state
    ):
        return span.scope, encode_text(encode_span(describe_span(span)))
    number = span.parent_number
    parent = f'"parentSpanId":"{number:016x}",' if number else ""
    status = f'"status":{{"code":{span.code}}},' if span.code else ""
    parts = [
        encode_text(
            f'{{"traceId":"{trace.trace_id:032x}","spanId":"{span.number:016x}",'
            f'"name":{quote(span.name)},"kind":1,"startTimeUnixNano":"{span.start_time_ns}",'
            f'"endTimeUnixNano":"{span.end_time_ns or 0}",{parent}{status}"attributes":['
        ),
        values.wire or _encode_shared(values),
    ]
    if span.inputs_json is not None:
        parts += (OPEN_INPUTS, _quote_quickly(span.inputs_json.decode()), b"}}")
    if span.outputs_json is not None:
        parts += (OPEN_OUTPUTS, _quote_quickly(span.outputs_json.decode()), b"}}")
    if trace.root is span and (context := describe(trace)):
        parts += (b",", encode_text(encode_attributes(context)[1:-1]))
    parts.append(b"]}")
    return "", b"".join(parts)


def _encode_shared(values: SharedValues) -> bytes:
    """Return what the decorator knew, with the level that follows from it; made once."""
    known: dict[str, Any] = load_values(values)
    level = SpanLogLevel.default_for(known.get(semconv.SPAN_TYPE))
    text = encode_attributes({**known, semconv.SPAN_LOG_LEVEL: int(level)})[1:-1]
    values.wire = encode_text(text)
    return values.wire
