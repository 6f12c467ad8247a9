"""OTLP/JSON: an `ExportTraceServiceRequest` as bytes, and back.

`encode_request` writes text straight from the records (2.5 µs a span with six attributes). Ids are
hex, 64-bit integers are strings, names are camelCase, bytes are base64, and NaN and the infinities
are the strings "NaN", "Infinity" and "-Infinity". What OTLP can't say is carried as near as it can
be: an integer beyond int64 becomes its decimal text, a lone surrogate becomes U+FFFD, a value
nested deeper than `MAX_DEPTH` becomes its JSON text, any other object becomes its `str`. Ids are
taken as they are: `SpanRecord` promises lowercase hex.

`decode_request` is tolerant as the OTLP specification asks: unknown fields are ignored, null means
absent, a 64-bit integer may be a number or a string, an enum a number or a name. Broken JSON
raises `MalformedPayloadError` with its byte offset, a wrong value with its path, such as
`resourceSpans[0].scopeSpans[0].spans[2].traceId`.

Limits: bodies nested deeper than the interpreter's recursion limit (some 300 levels of values)
are refused as malformed; times must lie below 2**63 ns (the year 2262).
"""

from __future__ import annotations

import base64
import binascii
import math
from json.encoder import encode_basestring as _quote
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

import msgspec

from whence.errors import MalformedPayloadError
from whence.otlp import records, shapes
from whence.otlp.records import Event, Link, Resource, ResourceSpans, SpanRecord
from whence.otlp.values import INT64_MAX, INT64_MIN, key_text, plain
from whence.semconv import DOCUMENT_KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"


# --- Encoding ---------------------------------------------------------------------------------


def encode_request(groups: Sequence[ResourceSpans]) -> bytes:
    """Return `groups` as the OTLP/JSON body of one request, on one line."""
    return encode_text('{"resourceSpans":[' + ",".join(map(_resource_spans, groups)) + "]}")


def encode_text(text: str) -> bytes:
    """Return a piece of a request as bytes."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate somewhere; pairs are joined on the way
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _resource_spans(group: ResourceSpans) -> str:
    by_scope: dict[str, list[str]] = {}
    for span in group.spans:
        by_scope.setdefault(span.scope, []).append(encode_span(span))
    scopes = ",".join(
        f'{{"scope":{{"name":{_quote(scope)}}},"spans":[{",".join(spans)}]}}'
        for scope, spans in by_scope.items()
    )
    attributes = encode_attributes(group.resource.attributes)
    return f'{{"resource":{{"attributes":{attributes}}},"scopeSpans":[{scopes}]}}'


def encode_span(span: SpanRecord) -> str:
    """Return one span as it stands in a request's list."""
    optional = ""
    if span.parent_id:
        optional = f'"parentSpanId":"{span.parent_id}",'
    if span.trace_state:
        optional += f'"traceState":{_quote(span.trace_state)},'
    if span.events:
        optional += f'"events":[{",".join(map(_event, span.events))}],'
    if span.links:
        optional += f'"links":[{",".join(map(_link, span.links))}],'
    if span.status or span.status_message:
        message = f'"message":{_quote(span.status_message)},' if span.status_message else ""
        optional += f'"status":{{{message}"code":{span.status}}},'
    return (
        f'{{"traceId":"{span.trace_id}","spanId":"{span.span_id}","name":{_quote(span.name)},'
        f'"kind":{span.kind},"startTimeUnixNano":"{span.start_time_ns}",'
        f'"endTimeUnixNano":"{span.end_time_ns}",{optional}'
        f'"attributes":{encode_attributes(span.attributes)}}}'
    )


def _event(event: Event) -> str:
    return (
        f'{{"timeUnixNano":"{event.time_ns}","name":{_quote(event.name)},'
        f'"attributes":{encode_attributes(event.attributes)}}}'
    )


def _link(link: Link) -> str:
    return (
        f'{{"traceId":"{link.trace_id}","spanId":"{link.span_id}",'
        f'"attributes":{encode_attributes(link.attributes)}}}'
    )


def encode_attributes(attributes: dict[str, Any]) -> str:
    """Return attributes as a list of keys and values."""
    parts = []
    for key, value in attributes.items():
        kind = type(value)
        if kind is str:  # the common kinds stand here, a call saved each
            parts.append(f'{_OPENINGS[key]}{{"stringValue":{_quote(value)}}}}}')
        elif kind is bool:
            parts.append(f'{_OPENINGS[key]}{{"boolValue":{"true" if value else "false"}}}}}')
        elif kind is int and INT64_MIN <= value <= INT64_MAX:
            parts.append(f'{_OPENINGS[key]}{{"intValue":"{value}"}}}}')
        else:
            parts.append(f"{_OPENINGS[key]}{_value(value, 1)}}}")
    return f"[{','.join(parts)}]"


class _Openings(dict[str, str]):
    """Attribute key → the text that opens its entry; bounded, as keys may be made by a program."""

    def __missing__(self, key: Any) -> str:
        if len(self) >= 4096:  # noqa: PLR2004
            self.clear()
        opening = '{"key":' + _quote(key_text(key)) + ',"value":'
        if type(key) is str:
            self[key] = opening
        return opening


_OPENINGS = _Openings()


def _value(value: Any, depth: int) -> str:  # noqa: PLR0911 - one a kind
    value = plain(value, depth)
    kind = type(value)
    if value is None:
        return "{}"
    if kind is str:
        return f'{{"stringValue":{_quote(value)}}}'
    if kind is bool:
        return '{"boolValue":true}' if value else '{"boolValue":false}'
    if kind is int:
        return f'{{"intValue":"{value}"}}'
    if kind is float:
        return f'{{"doubleValue":{_double(value)}}}'
    if kind is bytes:
        return f'{{"bytesValue":"{base64.b64encode(value).decode()}"}}'
    if kind is list:
        items = ",".join(_value(item, depth + 1) for item in value)
        return f'{{"arrayValue":{{"values":[{items}]}}}}'
    entries = ",".join(
        f"{_OPENINGS[key]}{_value(item, depth + 1)}}}" for key, item in value.items()
    )
    return f'{{"kvlistValue":{{"values":[{entries}]}}}}'


def _double(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if math.isnan(value) else ('"Infinity"' if value > 0 else '"-Infinity"')


# --- Decoding ---------------------------------------------------------------------------------

_SURROGATE_ESCAPES = (  # a pair, a lone half, any other escape
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_KINDS = {f"SPAN_KIND_{name}": number for number, name in enumerate(records.KIND_NAMES)}
_STATUSES = {f"STATUS_CODE_{name}": number for number, name in enumerate(records.STATUS_NAMES)}


class _WrongValueError(Exception):
    """A value that can't be; each level of the walk puts its part in front of `path`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem

    def within(self, parent: str) -> _WrongValueError:
        self.path = f"{parent}.{self.path}" if self.path else parent
        return self


# Made before any thread: two threads that let msgspec 0.22 compile a type at the same time can wait
# for each other for ever, one of them with the interpreter's lock.
_decoder = msgspec.json.Decoder(shapes.Request)


def decode_request(body: bytes) -> list[ResourceSpans]:
    """Return the spans of an OTLP/JSON request body.

    Groups without spans are left out, unless their resource holds a document.
    """
    request = _parse(body)
    groups = []
    try:
        for index, group in enumerate(request.resource_spans or ()):
            try:
                record = _read_group(group)
            except _WrongValueError as wrong:
                raise wrong.within(f"resourceSpans[{index}]") from None
            if record.spans or DOCUMENT_KIND in record.resource.attributes:
                groups.append(record)
    except _WrongValueError as wrong:
        raise MalformedPayloadError(f"{wrong.problem} at {wrong.path}") from None
    except RecursionError:
        raise MalformedPayloadError("the body is nested too deeply to be read") from None
    return groups


def _parse(body: bytes) -> shapes.Request:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        place = path.rstrip("`").lstrip(".") or "the top"
        raise MalformedPayloadError(f"{problem} at {place}") from None
    except UnicodeDecodeError:
        raise MalformedPayloadError(_describe_encoding(body)) from None
    except msgspec.DecodeError as error:
        mended = _replace_lone_surrogates(body)
        if mended != body:
            return _parse(mended)
        problem = str(error).removeprefix("JSON is malformed: ")
        place = "" if "(byte" in problem else f" (byte {len(body)})"
        raise MalformedPayloadError(f"broken JSON: {problem}{place}") from None
    except RecursionError:
        raise MalformedPayloadError("the body is nested too deeply to be read") from None


def _describe_encoding(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"broken JSON: {error.reason}, not UTF-8 (byte {error.start})"
    return "broken JSON: not UTF-8"


def _replace_lone_surrogates(body: bytes) -> bytes:
    r"""JavaScript escapes half an emoji as `\ud83d`, and JSON readers refuse that."""
    import re

    return re.sub(
        _SURROGATE_ESCAPES,
        lambda match: rb"\ufffd" if match.group(2) else match.group(),
        body,
        flags=re.DOTALL,
    )


def _read_group(group: shapes.ResourceSpans) -> ResourceSpans:
    resource = Resource()
    if group.resource is not None:
        resource.attributes = _read_attributes(group.resource.attributes, "resource.attributes")
    spans: list[SpanRecord] = []
    traces: dict[str | None, str] = {}  # ids as sent → as read; most occur several times
    parents: dict[str, str] = {}
    for number, scope_spans in enumerate(group.scope_spans or ()):
        scope = (scope_spans.scope.name or "") if scope_spans.scope is not None else ""
        for index, span in enumerate(scope_spans.spans or ()):
            try:
                spans.append(_read_span(span, scope, traces, parents))
            except _WrongValueError as wrong:  # noqa: PERF203 - free where nothing is raised
                raise wrong.within(f"scopeSpans[{number}].spans[{index}]") from None
    return ResourceSpans(resource, spans)


def _read_span(
    span: shapes.Span, scope: str, traces: dict[str | None, str], parents: dict[str, str]
) -> SpanRecord:
    status = span.status
    trace_id = traces.get(span.trace_id)
    if trace_id is None:
        trace_id = traces[span.trace_id] = _read_id(span.trace_id, 16, "traceId")
    parent_id: str | None = None
    if span.parent_span_id:
        parent_id = parents.get(span.parent_span_id) or _read_parent(span.parent_span_id)
        parents[span.parent_span_id] = parent_id or ""
    return SpanRecord(
        trace_id=trace_id,
        span_id=_read_id(span.span_id, 8, "spanId"),
        parent_id=parent_id,
        name=span.name or "",
        kind=_read_enum(span.kind, _KINDS, "kind"),
        start_time_ns=_read_time(span.start_time_unix_nano, "startTimeUnixNano"),
        end_time_ns=_read_time(span.end_time_unix_nano, "endTimeUnixNano"),
        status=_read_enum(status.code, _STATUSES, "status.code") if status is not None else 0,
        status_message=(status.message or "") if status is not None else "",
        attributes=_read_attributes(span.attributes, "attributes"),
        events=[_read_event(event, i) for i, event in enumerate(span.events)]
        if span.events
        else [],
        links=[_read_link(link, i) for i, link in enumerate(span.links)] if span.links else [],
        scope=scope,
        trace_state=span.trace_state or "",
    )


def _read_event(event: shapes.Event, index: int) -> Event:
    try:
        return Event(
            event.name or "",
            _read_time(event.time_unix_nano, "timeUnixNano"),
            _read_attributes(event.attributes, "attributes"),
        )
    except _WrongValueError as wrong:
        raise wrong.within(f"events[{index}]") from None


def _read_link(link: shapes.Link, index: int) -> Link:
    try:
        return Link(
            _read_id(link.trace_id, 16, "traceId"),
            _read_id(link.span_id, 8, "spanId"),
            _read_attributes(link.attributes, "attributes"),
        )
    except _WrongValueError as wrong:
        raise wrong.within(f"links[{index}]") from None


def _read_id(text: str | None, size: int, path: str) -> str:
    try:
        value = bytes.fromhex(text or "")  # takes spaces too, but then the size is wrong
    except ValueError:
        value = b""
    if len(value) != size or len(text or "") != 2 * size:
        raise _WrongValueError(path, f"expected {2 * size} hex digits, got {_shorten(text)}")
    if value == bytes(size):
        raise _WrongValueError(path, "an id may not be all zeros")
    return value.hex()


def _read_parent(text: str | None) -> str | None:
    if not text or text == "0000000000000000":
        return None
    return _read_id(text, 8, "parentSpanId")


def _read_enum(value: int | str | None, names: dict[str, int], path: str) -> int:
    if type(value) is str:
        number = names.get(value)
        if number is None:
            raise _WrongValueError(path, f"unknown name {_shorten(value)}")
        return number
    # A number that is newer than this reader counts as unspecified, as protobuf readers do.
    return value if type(value) is int and 0 <= value < len(names) else 0


def _read_int(value: shapes.Int64, path: str) -> int:
    if type(value) is str and len(value) <= 20:  # noqa: PLR2004 - the digits of an int64
        try:
            value = int(value)
        except ValueError:
            raise _WrongValueError(path, f"expected an integer, got {_shorten(value)}") from None
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    raise _WrongValueError(path, f"expected a 64-bit integer, got {_shorten(value)}")


def _read_time(value: shapes.Int64, path: str) -> int:
    if value is None or value == "":
        return 0
    if type(value) is int and 0 <= value <= INT64_MAX:
        return value
    time_ns = _read_int(value, path)
    if time_ns < 0:
        raise _WrongValueError(path, f"a time can't be negative, got {time_ns}")
    return time_ns


def _read_attributes(entries: list[shapes.KeyValue] | None, path: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for index, entry in enumerate(entries or ()):
        value = entry.value
        if value is None:
            attributes[entry.key or ""] = None
        elif value.string_value is not None:
            attributes[entry.key or ""] = value.string_value
        else:
            try:
                attributes[entry.key or ""] = _read_value(value)
            except _WrongValueError as wrong:
                raise wrong.within(f"{path}[{index}].value") from None
    return attributes


def _read_value(value: shapes.Value | None) -> Any:  # noqa: PLR0911 - one a kind
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _read_int(value.int_value, "intValue")
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return _read_double(value.double_value)
    if value.array_value is not None:
        return [_read_value(item) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        entries = value.kvlist_value.values or ()
        return {entry.key or "": _read_value(entry.value) for entry in entries}
    if value.bytes_value is not None:
        return _read_bytes(value.bytes_value)
    return None


def _read_double(value: float | str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _WrongValueError("doubleValue", f"expected a number, got {_shorten(value)}") from None


def _read_bytes(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _WrongValueError("bytesValue", f"expected base64, got {_shorten(text)}") from None


def _shorten(value: object) -> str:
    text = repr(value) if isinstance(value, (str, float)) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004


# --- Answers ----------------------------------------------------------------------------------


def encode_partial_success(rejected: int, message: str, *, content_type: str) -> bytes:
    """Return the body of a 200 answer, in the content type that the request came in.

    With nothing to say (`rejected` 0 and an empty `message`) it is the plain success.
    """
    if content_type.partition(";")[0].strip().lower() == PROTOBUF_TYPE:
        from whence.otlp.protobuf import encode_response  # a dependency of the server only

        return encode_response(rejected, message)
    if not rejected and not message:
        return b"{}"
    # ensure_ascii: a message may quote a value with a lone surrogate
    text = encode_basestring_ascii(message)
    return f'{{"partialSuccess":{{"rejectedSpans":"{rejected}","errorMessage":{text}}}}}'.encode()
