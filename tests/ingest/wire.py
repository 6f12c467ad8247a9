"""Deliveries for tests: span records with ids of their own, and groups of them."""

from __future__ import annotations

import itertools
import os
from typing import Any

from whence.otlp.records import STATUS_OK, Resource, ResourceSpans, SpanRecord

START_NS = 1_790_000_000_000_000_000
_run = os.urandom(6).hex()
_count = itertools.count(1)


def new_trace_hex() -> str:
    """Return 32 hex digits that no other test has."""
    return f"{_run}{next(_count):020x}"


def span_id(number: int) -> str:
    """Return the id of a trace's span by number, from 1."""
    return f"{number:016x}"


def span(trace_hex: str, number: int, parent: int | None = None, **fields: Any) -> SpanRecord:
    """Return an ended span that starts `number` ms into the trace."""
    start_ns = fields.pop("start_ns", START_NS + number * 1_000_000)
    defaults: dict[str, Any] = {
        "name": f"step {number}",
        "start_time_ns": start_ns,
        "end_time_ns": start_ns + 5_000_000,
        "status": STATUS_OK,
        "attributes": {},
    }
    return SpanRecord(
        trace_id=trace_hex,
        span_id=span_id(number),
        parent_id=None if parent is None else span_id(parent),
        **{**defaults, **fields},
    )


def pending(record: SpanRecord, **attributes: Any) -> SpanRecord:
    """Return the pending record of a span."""
    kept = {**record.attributes, **attributes, "whence.pending": True}
    return SpanRecord(
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_id=record.parent_id,
        name=record.name,
        start_time_ns=record.start_time_ns,
        attributes=kept,
    )


def batch(*spans: SpanRecord, **resource: Any) -> list[ResourceSpans]:
    """Return one request; resource keys are written with `__` for a dot."""
    attributes = {key.replace("__", "."): value for key, value in resource.items()}
    return [ResourceSpans(Resource(attributes), list(spans))]
