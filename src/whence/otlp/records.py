"""A span on its way: what the SDK sends and the server reads, in plain structs.

Ids are lowercase hex as in OTLP/JSON (trace 32, span 16 digits); foreign forms never appear here.
Times are nanoseconds since the epoch. `end_time_ns` 0 marks a span that has not ended (a *pending*
record, which also carries the attribute `whence.pending`). Attribute values are what JSON can say
(str, bool, int, float, list, dict, None) plus bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

STATUS_UNSET, STATUS_OK, STATUS_ERROR = 0, 1, 2
STATUS_NAMES = ("UNSET", "OK", "ERROR")

KIND_NAMES = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
KIND_INTERNAL = 1


class Event(msgspec.Struct):
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = {}


class Link(msgspec.Struct):
    """A pointer to a span of this or another trace."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = {}


class Resource(msgspec.Struct):
    """What is constant for a process: `service.version`, `vcs.ref.head.revision`, …."""

    attributes: dict[str, Any] = {}


class SpanRecord(msgspec.Struct, kw_only=True):
    """One span, complete or pending."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str
    kind: int = KIND_INTERNAL
    start_time_ns: int
    end_time_ns: int = 0
    status: int = STATUS_UNSET
    status_message: str = ""
    attributes: dict[str, Any] = {}
    events: list[Event] = []
    links: list[Link] = []
    scope: str = ""
    trace_state: str = ""


class ResourceSpans(msgspec.Struct):
    """Spans that share one resource: the unit of an OTLP request."""

    resource: Resource
    spans: list[SpanRecord]
