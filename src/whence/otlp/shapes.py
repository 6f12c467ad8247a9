"""The shapes of an OTLP/JSON request, as its reader accepts them.

Every field may be absent or null, a 64-bit integer may be a number or a string, an enum a number
or a name; fields not listed are ignored. What the values may be is checked by the reader.
"""

# ruff: noqa: D101 - the text above describes them all

from __future__ import annotations

import msgspec

Int64 = int | float | str | None


class Value(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Int64 = None
    double_value: float | str | None = None
    array_value: Array | None = None
    kvlist_value: KeyValues | None = None
    bytes_value: str | None = None


class KeyValue(msgspec.Struct, rename="camel", gc=False):
    key: str | None = None
    value: Value | None = None


class Array(msgspec.Struct, rename="camel", gc=False):
    values: list[Value | None] | None = None


class KeyValues(msgspec.Struct, rename="camel", gc=False):
    values: list[KeyValue] | None = None


class Event(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: Int64 = None
    name: str | None = None
    attributes: list[KeyValue] | None = None


class Link(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[KeyValue] | None = None


class Status(msgspec.Struct, rename="camel", gc=False):
    message: str | None = None
    code: int | str | None = None


class Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: Int64 = None
    end_time_unix_nano: Int64 = None
    attributes: list[KeyValue] | None = None
    events: list[Event] | None = None
    links: list[Link] | None = None
    status: Status | None = None


class Scope(msgspec.Struct, rename="camel", gc=False):
    name: str | None = None


class ScopeSpans(msgspec.Struct, rename="camel", gc=False):
    scope: Scope | None = None
    spans: list[Span] | None = None


class Resource(msgspec.Struct, rename="camel", gc=False):
    attributes: list[KeyValue] | None = None


class ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[ResourceSpans] | None = None
