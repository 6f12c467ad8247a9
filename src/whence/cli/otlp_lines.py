"""Traces as lines of OTLP/JSON, and back: what `whence export` writes and `whence import` sends.

A line is one `ExportTraceServiceRequest` that holds one whole trace: any OTLP receiver reads it.
What OTLP has no place for travels as the wire of our SDK has it: metadata, tags, previews and state
as attributes of the root span. Tags and assessments set later ride in an extra member, `whence`,
which OTLP readers ignore as an unknown field.

Limits: sizes are computed anew by who reads the line. A trace whose id is not 32 hex digits has no
OTLP form; `write_line` returns None for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from whence import semconv
from whence.moves.otlp_files import EXTRA, Extra
from whence.otlp.json import encode_request
from whence.otlp.records import (
    KIND_NAMES,
    STATUS_NAMES,
    Event,
    Link,
    Resource,
    ResourceSpans,
    SpanRecord,
)

HEX_DIGITS = 32
# Computed from the spans when they are read again.
DERIVED_METADATA = frozenset(
    {semconv.TOKEN_USAGE, semconv.COST, semconv.SIZE_BYTES, semconv.SIZE_STATS}
)
INFO_ATTRIBUTES = {
    semconv.CLIENT_REQUEST_ID: "client_request_id",
    semconv.REQUEST_PREVIEW: "request_preview",
    semconv.RESPONSE_PREVIEW: "response_preview",
}
PAYLOAD_OF_PREVIEW = {"request_preview": "inputs", "response_preview": "outputs"}


def write_line(trace: dict[str, Any]) -> bytes | None:
    """Return a trace of the API as one line, without the line's end."""
    info = trace["info"]
    bare_id = info["trace_id"].removeprefix("tr-")
    if not _is_hex(bare_id):
        return None
    top = _find_top(trace["spans"])
    sources = _write_sources(info)
    groups: dict[bytes, ResourceSpans] = {}
    for span in trace["spans"]:
        record = _record(span, bare_id)
        if top is not None and span is top:
            record.attributes = {**_with_context(record.attributes, info, top), **sources}
        resource = {**span["resource"], semconv.EXPERIMENT_ID: info["experiment_id"]}
        if top is not None and span["resource"] == top["resource"]:
            resource.update(sources)
        key = msgspec.json.encode(resource, order="sorted")
        groups.setdefault(key, ResourceSpans(Resource(resource), [])).spans.append(record)
    body = encode_request(list(groups.values()))
    if not info["assessments"]:
        return body
    extra = msgspec.json.encode(Extra(trace_id=info["trace_id"], assessments=info["assessments"]))
    return body[:-1] + b',"' + EXTRA.encode() + b'":' + extra + b"}"


def _is_hex(text: str) -> bool:
    return len(text) == HEX_DIGITS and set(text) <= set("0123456789abcdef")


def _find_top(spans: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the span that carries the trace's context: the root, else the local root, else any."""
    roots = [span for span in spans if span["parent_id"] is None]
    local = [span for span in spans if span["attributes"].get(semconv.LOCAL_ROOT) is True]
    return next(iter([*roots, *local, *spans]), None)


def _with_context(
    attributes: dict[str, Any], info: dict[str, Any], top: dict[str, Any]
) -> dict[str, Any]:
    """Add what a reader would not find out from the spans themselves; tags are as they are now."""
    found = {
        key: value
        for key, value in attributes.items()
        if not key.startswith(semconv.TRACE_TAG_PREFIX)
    }
    for key, value in info["tags"].items():
        if key != semconv.TRACE_NAME_TAG or value != top["name"]:
            found[semconv.TRACE_TAG_PREFIX + key] = value
    for key, value in info["trace_metadata"].items():
        if key not in DERIVED_METADATA and value != _said(key, top):
            found.setdefault(semconv.METADATA_PREFIX + key, value)
    for key, field in INFO_ATTRIBUTES.items():
        payload = PAYLOAD_OF_PREVIEW.get(field)
        derived = payload in top and _json(top[payload]) == info[field]
        if info[field] is not None and not derived:
            found.setdefault(key, info[field])
    if info["state"] in {"OK", "ERROR"} and (info["state"] == "ERROR") != (
        top["status"] == "ERROR"
    ):
        found.setdefault(semconv.TRACE_STATE, info["state"])
    return found


def _write_sources(info: dict[str, Any]) -> dict[str, str]:
    """Return the attribute that says where metadata is from, for the top span and its resource."""
    stated = info.get("provenance") or {}
    kept = {key: source for key, source in stated.items() if key not in DERIVED_METADATA}
    return {semconv.PROVENANCE: _json(kept)} if kept else {}


def _said(key: str, span: dict[str, Any]) -> Any:
    """Return what a span and its resource say about a metadata key, in the order of assembly."""
    names = (semconv.METADATA_PREFIX + key, *semconv.METADATA_SOURCES.get(key, ()))
    for source in (span["attributes"], span["resource"]):
        for name in names:
            if name in source:
                return source[name]
    return None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _record(span: dict[str, Any], trace_id: str) -> SpanRecord:
    attributes = dict(span["attributes"])
    for field, key in (("inputs", semconv.INPUTS), ("outputs", semconv.OUTPUTS)):
        if field in span:
            attributes[key] = _json(span[field])
    ended = span["end_time_ns"]
    if ended is None:
        attributes[semconv.PENDING] = True
    return SpanRecord(
        trace_id=trace_id,
        span_id=span["span_id"],
        parent_id=span["parent_id"],
        name=span["name"],
        kind=KIND_NAMES.index(span["kind"]) if span["kind"] in KIND_NAMES else 0,
        start_time_ns=int(span["start_time_ns"]),
        end_time_ns=0 if ended is None else int(ended),
        status=STATUS_NAMES.index(span["status"]),
        status_message=span["status_message"] or "",
        attributes=attributes,
        events=[
            Event(one["name"], int(one["time_ns"]), one["attributes"]) for one in span["events"]
        ],
        links=[
            Link(one["trace_id"].removeprefix("tr-"), one["span_id"], one["attributes"])
            for one in span["links"]
        ],
        scope=span["scope"] or "",
    )
