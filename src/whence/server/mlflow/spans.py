"""Spans in the two JSON forms of MLflow: protobuf's, with typed values, and that of `traces.json`.

What ingest took out of the attributes (inputs, outputs, type, model, tokens, cost) goes back under
MLflow's reserved keys, whoever recorded the span. Null is a value without a kind. What protobuf
can't say is said as `otlp.values.plain` does: an integer beyond int64 as its decimal text, a value
nested too deeply as its JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.entities.rest import span_from_api
from whence.entities.span import KIND_PREFIX, STATUS_PREFIX, Span
from whence.entities.span_ids import SPAN_ID_BYTES, TRACE_ID_BYTES, TRACE_ID_PREFIX, decode_id
from whence.entities.span_ids import encode_id as to_base64
from whence.errors import InvalidInputError, WhenceError
from whence.otlp import records
from whence.otlp.values import key_text, plain
from whence.server.mlflow.requests import MAX_SHOWN_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whence.query.views import Span as SpanView

Json = dict[str, Any]

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])  # made before any thread: see `whence.otlp.json`
_UNREADABLE = (AttributeError, KeyError, OverflowError, TypeError, ValueError, WhenceError)
HEX_TRACE_ID_CHARS, HEX_SPAN_ID_CHARS = 2 * TRACE_ID_BYTES, 2 * SPAN_ID_BYTES


def restore_span(view: SpanView) -> Span:
    """Return a stored span with all its attributes decoded, the reserved ones among them."""
    return span_from_api(_decoder.decode(_encoder.encode(view)))


# --- Protobuf's JSON ------------------------------------------------------------------------------


def write_span(view: SpanView) -> Json:
    """Return a stored span in protobuf's JSON."""
    span = restore_span(view)
    attributes = {**span.attributes, semconv.TRACE_REQUEST_ID: span.trace_id}
    form: Json = {
        "trace_id": to_base64(span.trace_id, TRACE_ID_BYTES),
        "span_id": to_base64(span.span_id, SPAN_ID_BYTES),
        "name": span.name,
        "kind": KIND_PREFIX + span.kind,
        "start_time_unix_nano": span.start_time_ns,
        "attributes": write_attributes(attributes),
        "status": {
            "code": STATUS_PREFIX + span.status.status_code.value,
            "message": span.status.description,
        },
    }
    if span.parent_id:
        form["parent_span_id"] = to_base64(span.parent_id, SPAN_ID_BYTES)
    if span.end_time_ns is not None:
        form["end_time_unix_nano"] = span.end_time_ns
    if span.events:
        form["events"] = [
            {
                "name": event.name,
                "time_unix_nano": event.timestamp,
                "attributes": write_attributes(event.attributes or {}),
            }
            for event in span.events
        ]
    if span.links:
        form["links"] = [
            {
                "trace_id": to_base64(link.trace_id, TRACE_ID_BYTES),
                "span_id": to_base64(link.span_id, SPAN_ID_BYTES),
                "attributes": write_attributes(link.attributes or {}),
            }
            for link in span.links
        ]
    return form


def write_attributes(attributes: Mapping[str, Any]) -> list[Json]:
    """Return attributes as a list of keys and typed values."""
    return [_pair(key, value, 1) for key, value in attributes.items()]


def _pair(key: Any, value: Any, depth: int) -> Json:
    written = write_value(value, depth)
    return {"key": key_text(key), "value": written} if written else {"key": key_text(key)}


def write_value(value: Any, depth: int) -> Json:
    """Return a typed value; {} for null. `depth` is how deep it lies, 1 for an attribute's own."""
    value = plain(value, depth)
    if value is None:
        return {}
    if isinstance(value, dict):
        pairs = [_pair(key, one, depth + 1) for key, one in value.items()]
        return {"kvlist_value": {"values": pairs}}
    if isinstance(value, list):
        return {"array_value": {"values": [write_value(one, depth + 1) for one in value]}}
    return {_KIND_OF[type(value)]: value}


_KIND_OF = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}


# --- traces.json ----------------------------------------------------------------------------------


def write_file(views: list[SpanView]) -> Json:
    """Return what `traces.json` holds."""
    return {"spans": [restore_span(view).to_dict() for view in views]}


def read_file(content: Mapping[str, Any], trace_id: str) -> list[records.SpanRecord]:
    """Read the spans of a `traces.json`, which belong to this trace whatever they say.

    Both forms are read: that of MLflow 3, and the older one with a `context`. Raises
    InvalidInputError, with the number of the span that can't be read.
    """
    digits = trace_id.removeprefix(TRACE_ID_PREFIX)
    if digits == trace_id or not _is_hex(digits, HEX_TRACE_ID_CHARS):
        raise InvalidInputError(
            f"trace {trace_id[:MAX_SHOWN_CHARS]!r} can have no spans: "
            "its id is not 'tr-' and 32 hex digits"
        )
    spans = content.get("spans")
    if not isinstance(spans, list):
        raise InvalidInputError("'spans' must be a list")
    return [_read_span(form, number, digits) for number, form in enumerate(spans)]


def _read_span(form: Any, number: int, trace_id: str) -> records.SpanRecord:
    try:
        span = Span.from_dict(form)
        record = _to_record(span, trace_id)
    except _UNREADABLE as error:
        raise InvalidInputError(f"spans[{number}] can't be read: {error!r}") from None
    for name, given in (("span_id", record.span_id), ("parent_span_id", record.parent_id)):
        if given is not None and not _is_hex(given, HEX_SPAN_ID_CHARS):
            raise InvalidInputError(f"spans[{number}].{name} is no span id: {given[:40]!r}")
    return record


def _to_record(span: Span, trace_id: str) -> records.SpanRecord:
    kind = span.kind if span.kind in records.KIND_NAMES else "INTERNAL"
    return records.SpanRecord(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=str(span.name),
        kind=records.KIND_NAMES.index(kind),
        start_time_ns=int(span.start_time_ns),
        end_time_ns=int(span.end_time_ns or 0),
        status=records.STATUS_NAMES.index(span.status.status_code.value),
        status_message=str(span.status.description or ""),
        attributes={**span.attributes, semconv.TRACE_REQUEST_ID: TRACE_ID_PREFIX + trace_id},
        events=[
            records.Event(str(event.name), int(event.timestamp), dict(event.attributes or {}))
            for event in span.events
        ],
        links=[
            records.Link(
                decode_id(link.trace_id, TRACE_ID_BYTES),
                decode_id(link.span_id, SPAN_ID_BYTES),
                dict(link.attributes or {}),
            )
            for link in span.links
        ],
    )


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and set(text) <= set("0123456789abcdef")
