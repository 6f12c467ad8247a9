"""The plain dicts of `reference.py` as rows of the store."""

from __future__ import annotations

from tests.query import reference

from whence import semconv
from whence.store.rows import AssessmentRow, SpanRow, TagRow, TraceRow


def trace(trace_id, **given):
    """Return a plain trace; what is not given is absent."""
    plain = {
        "trace_id": trace_id,
        "request_time_ms": 1_700_000_000_000,
        "duration_ns": None,
        "state": "OK",
        "name": None,
        "client_request_id": None,
        "metadata": {},
        "tags": {},
        "tag_writes": {},
        "spans": [],
        "assessments": [],
        **given,
    }
    verbatim = plain["metadata"].get("environment")
    plain["environment"] = None if verbatim is None else reference.environment(verbatim)
    return plain


def span(name, **given):
    return {"name": name, "type": "", "status": "UNSET", "status_message": "", "inputs": "", "outputs": "", "events": "", "attributes": {}, **given}  # fmt: skip


def judgement(name, value, *, kind="feedback", valid=True, deleted=False):
    return {"kind": kind, "name": name, "value": value, "valid": valid, "deleted": deleted}


def trace_row(plain, experiment_id, **changed):
    columns = {
        column: plain["metadata"].get(key) for key, column in semconv.COLUMN_OF_METADATA.items()
    }
    given = {
        "experiment_id": experiment_id,
        "trace_id": plain["trace_id"],
        "request_time_ms": plain["request_time_ms"],
        "duration_ns": plain["duration_ns"],
        "state": plain["state"],
        "trace_name": plain["name"],
        "environment": plain["environment"],
        "metadata": {
            key: value
            for key, value in plain["metadata"].items()
            if key not in semconv.COLUMN_OF_METADATA
        },
        "tags": plain["tags"],
        "client_request_id": plain["client_request_id"],
        "span_count": len(plain["spans"]),
        "version": 2,
        **columns,
        **changed,
    }
    return TraceRow(**given)


def insert(store, experiment_id, plains, *, stale=False):
    """Insert traces; with `stale`, older versions of rows and spans lie beside them."""
    traces = [trace_row(plain, experiment_id) for plain in plains]
    unended = {plain["trace_id"] for plain in plains if plain["state"] == "IN_PROGRESS"}
    store.insert("traces", [row for row in traces if row.trace_id not in unended])
    store.insert("open_traces", [row for row in traces if row.trace_id in unended])
    spans, tags, assessments = [], [], []
    for plain in plains:
        trace_id = plain["trace_id"]
        for index, one in enumerate(plain["spans"]):
            given = {
                **one,
                "trace_id": trace_id,
                "span_id": f"{index:016x}",
                "experiment_id": experiment_id,
            }
            spans.append(SpanRow(**{"span_type": given.pop("type"), **given}, version=2))
            if stale:
                spans.append(
                    SpanRow(**{**given, "name": "a", "status": "OK", "span_type": "LLM"}, version=1)
                )
        for key, value in plain["tag_writes"].items():
            tags.append(
                TagRow(
                    trace_id=trace_id, key=key, value=value or "", deleted=value is None, version=2
                )
            )
            if stale:
                tags.append(TagRow(trace_id=trace_id, key=key, value="a", version=1))
        for index, one in enumerate(plain["assessments"]):
            flags = {"valid": int(one["valid"]), "deleted": int(one["deleted"])}
            row = AssessmentRow(trace_id=trace_id, assessment_id=f"a-{index}", name=one["name"], kind=one["kind"], value=one["value"], version=2, **flags)  # fmt: skip
            assessments.append(row)
            if stale:
                assessments.append(AssessmentRow(trace_id=trace_id, assessment_id=f"a-{index}", name=one["name"], kind=one["kind"], value='"a"', version=1))  # fmt: skip
    store.insert("spans", spans)
    store.insert("tags", tags)
    store.insert("assessments", assessments)
    if stale:
        store.insert("traces", [trace_row(plain, experiment_id, version=1, session="a", state="OK", metadata={"k": "a"}) for plain in plains if plain["trace_id"] not in unended])  # fmt: skip
    return traces
