"""Traces without what differs from run to run, so that two of them can be compared field by field.

Ids and times go; spans become a tree, siblings in the order of their content. What differs between
MLflow and Whence by intent is in `DROPPED` and the tables below, each with its reason.
"""

from __future__ import annotations

import json
from typing import Any

# Metadata that says where and how large, not what; Whence writes its own.
DROPPED_METADATA = {
    "mlflow.trace.sizeBytes": "Whence counts the bytes of values, MLflow those of its JSON",
    "mlflow.trace.sizeStats": "as above",
    "mlflow.trace_schema.version": "MLflow's own",
    "mlflow.trace.infoFinalized": "MLflow's own",
    "mlflow.traceInputs": "an older form of the preview",
    "mlflow.traceOutputs": "an older form of the preview",
    "mlflow.source.git.repoURL": "MLflow gives a path where the remote is one",
}
DROPPED_TAGS = {
    "mlflow.artifactLocation": "there is no directory of a trace",
    "mlflow.trace.spansLocation": "as above",
}
DROPPED_ATTRIBUTES = {
    "mlflow.traceRequestId": "an id",
    "mlflow.experimentId": "MLflow's way to route a span",
    "mlflow.spanStartTimeNs": "a time",
}
# What Whence knows besides, of the process and of the trace.
OWN_PREFIXES = ("whence.", "process.", "host.", "service.", "container.", "k8s.", "cloud.")
OWN_KEYS = {"environment", "app_version"}
READ = {
    "mlflow.trace.tokenUsage": json.loads,
    "mlflow.source.name": lambda path: path.rpartition("/")[2],  # Whence's is below the repository
}


def simplify(trace: dict[str, Any]) -> dict[str, Any]:
    """Return what a trace says."""
    info = trace["info"]
    return {
        "state": info["state"],
        "client_request_id": info.get("client_request_id"),
        "request_preview": _respace(info.get("request_preview")),
        "response_preview": _respace(info.get("response_preview")),
        "metadata": _metadata(info.get("trace_metadata") or {}),
        "tags": {k: v for k, v in (info.get("tags") or {}).items() if k not in DROPPED_TAGS},
        "assessments": sorted(
            (_assessment(one) for one in info.get("assessments") or []), key=json.dumps
        ),
        "spans": _tree(trace["data"]["spans"]),
    }


def _metadata(metadata: dict[str, str]) -> dict[str, Any]:
    return {
        key: READ.get(key, str)(value)
        for key, value in metadata.items()
        if key not in DROPPED_METADATA
        and key not in OWN_KEYS
        and not key.startswith(OWN_PREFIXES)
        and not (key.startswith("mlflow.source.") and value == "")
    }


def _assessment(form: dict[str, Any]) -> dict[str, Any]:
    dropped = {"assessment_id", "trace_id", "create_time", "last_update_time"}
    kept = {key: value for key, value in form.items() if key not in dropped}
    for key in ("overrides", "span_id"):
        if kept.get(key):
            kept[key] = "an id"
    kept["valid"] = kept.get("valid") is not False  # MLflow says it of feedback alone
    return {key: value for key, value in sorted(kept.items()) if value not in (None, {})}


def _respace(text: Any) -> Any:
    """Return JSON text in one spacing: MLflow writes `{"a": 1}`, Whence `{"a":1}`."""
    if not isinstance(text, str):
        return text
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text


def _tree(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {span["span_id"] for span in spans}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for span in spans:
        parent = span["parent_span_id"]
        below.setdefault(parent if parent in known else None, []).append(span)

    def grow(parent: str | None) -> list[dict[str, Any]]:
        children = below.get(parent, [])
        grown = [{**_span(span), "children": grow(span["span_id"])} for span in children]
        return sorted(grown, key=json.dumps)

    return grow(None)


def _span(span: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": span["name"],
        "has_parent": span["parent_span_id"] is not None,
        "status": span["status"],
        "attributes": {
            key: json.loads(text)
            for key, text in sorted(span["attributes"].items())
            if key not in DROPPED_ATTRIBUTES and not key.startswith(OWN_PREFIXES)
        },
        "events": [
            {
                "name": event["name"],
                "attributes": {
                    key: _respace(value) if key == "mlflow.chunk.value" else value
                    for key, value in sorted((event["attributes"] or {}).items())
                    if key != "exception.stacktrace"
                },
            }
            for event in span["events"]
        ],
        "links": [link.get("attributes") for link in span["links"]],
    }


def sort_traces(traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return simplified traces in the order of their content."""
    simple = [simplify(trace) for trace in traces]
    return sorted(simple, key=lambda one: json.dumps([one["tags"].get("mlflow.traceName"), one]))


def list_differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Return where two values differ, as `path: theirs -> ours`."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for key in sorted({*theirs, *ours}):
            place = f"{path}.{key}" if path else key
            if key not in theirs:
                found.append(f"{place}: nothing -> {json.dumps(ours[key], ensure_ascii=False)}")
            elif key not in ours:
                found.append(f"{place}: {json.dumps(theirs[key], ensure_ascii=False)} -> nothing")
            else:
                found += list_differences(theirs[key], ours[key], place)
        return found
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [
            line
            for number, (left, right) in enumerate(zip(theirs, ours, strict=True))
            for line in list_differences(left, right, f"{path}[{number}]")
        ]
    if theirs == ours and type(theirs) is type(ours):
        return []
    shown = (json.dumps(one, ensure_ascii=False) for one in (theirs, ours))
    return [path + ": " + " -> ".join(text[:300] for text in shown)]
