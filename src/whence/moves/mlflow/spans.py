"""MLflow's spans, in the three forms that it keeps or sends them in.

- `read_text`: the JSON of MLflow 3, with ids in base64 or hex and every attribute's value a JSON
  text of its own: a row of its table `spans`, an entry of `traces.json`; and the older form with a
  `context`, which is in `traces.json` only.
- `read_wire`: protobuf's JSON with typed values, which its server answers with.

Raises InvalidInputError where a span can't be read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.span import KIND_PREFIX, STATUS_PREFIX, Span
from whence.entities.span_ids import SPAN_ID_BYTES, TRACE_ID_BYTES, decode_id
from whence.errors import InvalidInputError, WhenceError
from whence.moves.trace import clamp_ns, digits_of, is_hex, own_id_of, span_digits_of
from whence.otlp.records import KIND_INTERNAL, KIND_NAMES, STATUS_NAMES, Event, Link, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_UNREADABLE = (
    AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError,
    WhenceError,
)  # fmt: skip
_decode = msgspec.json.decode


class _Status(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Event(msgspec.Struct):
    name: str
    time_unix_nano: int = 0
    attributes: dict[str, Any] | None = None


class _Link(msgspec.Struct):
    trace_id: str
    span_id: str
    attributes: dict[str, Any] | None = None


class _Span(msgspec.Struct):
    """A span as MLflow 3 keeps it."""

    span_id: str
    name: str
    start_time_unix_nano: int
    end_time_unix_nano: int | None = None
    parent_span_id: str | None = None
    kind: str | None = None
    status: _Status | None = None
    attributes: dict[str, Any] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None


_decoder = msgspec.json.Decoder(_Span)
_KIND_OF = {f"{KIND_PREFIX}{name}": number for number, name in enumerate(KIND_NAMES)}
_STATUS_OF = {
    **{f"{STATUS_PREFIX}{name}": number for number, name in enumerate(STATUS_NAMES)},
    **{name: number for number, name in enumerate(STATUS_NAMES)},
}


def read_text(text: str | bytes, digits: str) -> SpanRecord:
    """Read a span from its JSON; `digits` are its trace's id in OTLP."""
    try:
        span = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _guard(lambda: _from_entity(Span.from_dict(json.loads(text)), digits))
    return _guard(lambda: _from_struct(span, digits))


def read_file(content: bytes, digits: str) -> tuple[list[SpanRecord], list[str]]:
    """Read `traces.json`: its spans, and what could not be read of them."""
    try:
        listed = _load(content)["spans"]
    except _UNREADABLE as error:
        raise InvalidInputError(f"its traces.json can't be read: {error}") from None
    if not isinstance(listed, list):
        raise InvalidInputError("its traces.json has no list of spans")
    return read_each(listed, lambda form: _from_entity(Span.from_dict(form), digits))


def read_each(
    forms: Iterable[Any], read: Callable[[Any], SpanRecord]
) -> tuple[list[SpanRecord], list[str]]:
    """Read spans one by one; return them, and what could not be read of them."""
    spans, problems = [], []
    for number, form in enumerate(forms):
        try:
            spans.append(_guard(lambda form=form: read(form)))  # type: ignore[misc]
        except InvalidInputError as error:  # noqa: PERF203 - free where nothing is raised
            problems.append(f"span {number + 1}: {error.message}")
    return spans, problems


def read_wire(form: dict[str, Any], digits: str) -> SpanRecord:
    """Read a span from protobuf's JSON."""
    status = form.get("status") or {}
    parent_id = form.get("parent_span_id")
    return SpanRecord(
        trace_id=digits,
        span_id=_read_span_id(form["span_id"]),
        parent_id=_read_span_id(parent_id) if parent_id else None,
        name=str(form.get("name", "")),
        kind=_KIND_OF.get(form.get("kind") or "", KIND_INTERNAL),
        start_time_ns=clamp_ns(int(form.get("start_time_unix_nano", 0))),
        end_time_ns=clamp_ns(int(form.get("end_time_unix_nano") or 0)),
        status=_STATUS_OF.get(status.get("code") or "", 0),
        status_message=str(status.get("message") or ""),
        attributes=_read_pairs(form.get("attributes")),
        events=[
            Event(
                str(one.get("name", "")),
                clamp_ns(int(one.get("time_unix_nano", 0))),
                _read_pairs(one.get("attributes")),
            )
            for one in form.get("events") or ()
        ],
        links=[
            _link(one["trace_id"], one["span_id"], _read_pairs(one.get("attributes")))
            for one in form.get("links") or ()
        ],
    )


def _from_struct(span: _Span, digits: str) -> SpanRecord:
    status = span.status
    return SpanRecord(
        trace_id=digits,
        span_id=_read_span_id(span.span_id),
        parent_id=_read_span_id(span.parent_span_id) if span.parent_span_id else None,
        name=span.name,
        kind=_KIND_OF.get(span.kind or "", KIND_INTERNAL),
        start_time_ns=clamp_ns(span.start_time_unix_nano),
        end_time_ns=clamp_ns(span.end_time_unix_nano or 0),
        status=0 if status is None else _STATUS_OF.get(status.code or "", 0),
        status_message="" if status is None else status.message or "",
        attributes={key: _value(text) for key, text in (span.attributes or {}).items()},
        events=[
            Event(one.name, clamp_ns(one.time_unix_nano), one.attributes or {})
            for one in span.events or ()
        ],
        links=[_link(one.trace_id, one.span_id, one.attributes or {}) for one in span.links or ()],
    )


def _from_entity(span: Span, digits: str) -> SpanRecord:
    kind = KIND_NAMES.index(span.kind) if span.kind in KIND_NAMES else KIND_INTERNAL
    return SpanRecord(
        trace_id=digits,
        span_id=_read_span_id(span.span_id),
        parent_id=_read_span_id(span.parent_id) if span.parent_id else None,
        name=str(span.name),
        kind=kind,
        start_time_ns=clamp_ns(int(span.start_time_ns)),
        end_time_ns=clamp_ns(int(span.end_time_ns or 0)),
        status=STATUS_NAMES.index(span.status.status_code.value),
        status_message=str(span.status.description or ""),
        attributes=span.attributes,
        events=[
            Event(str(one.name), clamp_ns(int(one.timestamp)), dict(one.attributes or {}))
            for one in span.events
        ],
        links=[_link(one.trace_id, one.span_id, dict(one.attributes or {})) for one in span.links],
    )


def _value(text: Any) -> Any:
    """Decode an attribute's value; a text that is no JSON is itself."""
    if not isinstance(text, str):
        return text
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    try:
        return json.loads(text)  # what Python alone writes: NaN, halves of surrogate pairs
    except (ValueError, RecursionError):
        return text


def _read_pairs(pairs: Any) -> dict[str, Any]:
    if isinstance(pairs, dict):  # an older server answers with the decoded values
        return pairs
    return {str(one["key"]): _read_value(one.get("value") or {}) for one in pairs or ()}


def _read_value(value: dict[str, Any]) -> Any:
    for kind, inner in value.items():
        if kind == "int_value":
            return int(inner)
        if kind == "double_value":
            return float(inner)
        if kind == "array_value":
            return [_read_value(one or {}) for one in inner.get("values") or ()]
        if kind == "kvlist_value":
            return _read_pairs(inner.get("values"))
        return inner
    return None


def _link(trace_id: str, span_id: str, attributes: dict[str, Any]) -> Link:
    decoded = decode_id(trace_id, TRACE_ID_BYTES)
    digits = decoded if is_hex(decoded, TRACE_ID_BYTES) else digits_of(own_id_of(trace_id))
    return Link(digits, _read_span_id(span_id), attributes)


def _read_span_id(text: str) -> str:
    return span_digits_of(decode_id(text, SPAN_ID_BYTES))


def _load(content: bytes) -> Any:
    try:
        return _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(content)


def _guard(read: Callable[[], SpanRecord]) -> SpanRecord:
    try:
        return read()
    except _UNREADABLE as error:
        raise InvalidInputError(f"it can't be read: {type(error).__name__}: {error}") from None
