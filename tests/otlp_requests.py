"""OTLP/JSON requests for tests, as plain dicts."""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any

_counter = itertools.count(1)
_run = os.urandom(6).hex()


def new_trace_id() -> str:
    """Return a trace id that no other test has: 32 hex digits."""
    return f"{_run}{next(_counter):020x}"


def span(trace_id: str, span_id: str = "00f067aa0ba902b7", **fields: Any) -> dict[str, Any]:
    """Return one ended span; `attributes` may be a plain dict of strings."""
    started = fields.pop("start_ns", time.time_ns())
    attributes = fields.pop("attributes", {})
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "step",
        "kind": 1,
        "startTimeUnixNano": str(started),
        "endTimeUnixNano": str(started + 5_000_000),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
        **fields,
    }


def request(*spans: dict[str, Any], **resource: str) -> dict[str, Any]:
    """Return a request whose spans share one resource."""
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    return {
        "resourceSpans": [
            {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}
        ]
    }


def body(*spans: dict[str, Any], **resource: str) -> bytes:
    """Return a request as JSON."""
    return json.dumps(request(*spans, **resource)).encode()
