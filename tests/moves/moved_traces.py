"""What is the same in MLflow and in Whence about a trace, and what differs on purpose."""

from __future__ import annotations

import json
from typing import Any

from whence.entities.timestamp import parse_timestamp

# Whence knows these by itself, and answers with its own; an empty source says nothing.
OF_THE_STORE = ("mlflow.artifactLocation", "mlflow.trace.spansLocation")
TIMES = ("create_time", "last_update_time")
NOTHING_WHERE_EMPTY = "mlflow.source."


def plain(trace: dict[str, Any]) -> dict[str, Any]:
    """Return a trace as MLflow's `Trace.to_dict` has it, without what differs on purpose."""
    info = dict(trace["info"])
    info.pop("trace_location")
    info["tags"] = {k: v for k, v in info["tags"].items() if k not in OF_THE_STORE}
    info["trace_metadata"] = {
        key: value
        for key, value in info["trace_metadata"].items()
        if value or not key.startswith(NOTHING_WHERE_EMPTY)
    }
    # MLflow writes a whole second without its zeros.
    info["request_time"] = parse_timestamp(info["request_time"])
    judged = [{"valid": True, **one} for one in info.get("assessments") or ()]
    for one in judged:
        one.update({key: parse_timestamp(one[key]) for key in TIMES if key in one})
    info["assessments"] = sorted(judged, key=lambda one: one["assessment_id"])
    spans = []
    for span in trace["data"]["spans"]:
        attributes = {key: json.loads(text) for key, text in span["attributes"].items()}
        kept = {key: value for key, value in span.items() if key != "kind"}
        spans.append({**kept, "attributes": attributes})
    return {"info": info, "spans": sorted(spans, key=lambda one: one["span_id"])}
