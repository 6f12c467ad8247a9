"""The plain dicts of `reference.py` as rows of the store."""

from __future__ import annotations

import msgspec
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
        "request_preview": None,
        "response_preview": None,
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
        "request_preview": plain["request_preview"],
        "response_preview": plain["response_preview"],
        "span_count": len(plain["spans"]),
        "version": 2,
        **{name: plain[name] for name in ("total_tokens", "cost_usd") if name in plain},
        **columns,
        **changed,
    }
    return TraceRow(**given)


def insert(store, experiment_id, plains, *, stale=False):
    """Insert traces; with `stale`, older versions of all their rows lie beside them.

    They are inserted apart: within one insert, the engine keeps the newest of a key only.
    """
    if stale:
        insert_stale(store, experiment_id, plains)
    store.insert("traces", [trace_row(plain, experiment_id) for plain in plains if is_ended(plain)])
    store.insert(
        "open_traces", [trace_row(plain, experiment_id) for plain in plains if not is_ended(plain)]
    )
    store.insert("spans", list(span_rows(plains, experiment_id)))
    store.insert("tags", list(tag_rows(plains)))
    store.insert("assessments", list(assessment_rows(plains)))


def insert_stale(store, experiment_id, plains):
    def older(rows, **changed):
        return [msgspec.structs.replace(row, version=1, **changed) for row in rows]

    ended = [trace_row(plain, experiment_id) for plain in plains if is_ended(plain)]
    store.insert(
        "traces", older(ended, session="a", state="OK", metadata={"k": "a"}, tags={"k": "a"})
    )
    store.insert(
        "spans", older(span_rows(plains, experiment_id), name="a", status="OK", span_type="LLM")
    )
    store.insert("tags", older(tag_rows(plains), value="a", deleted=0))
    store.insert("assessments", older(assessment_rows(plains), value='"a"', valid=1, deleted=0))


def is_ended(plain):
    return plain["state"] != "IN_PROGRESS"


def span_rows(plains, experiment_id):
    for plain in plains:
        for index, one in enumerate(plain["spans"]):
            columns = {key: value for key, value in one.items() if key != "type"}
            yield SpanRow(
                experiment_id=experiment_id,
                trace_id=plain["trace_id"],
                span_id=f"{index:016x}",
                span_type=one["type"],
                version=2,
                **columns,
            )


def tag_rows(plains):
    for plain in plains:
        for key, value in plain["tag_writes"].items():
            yield TagRow(
                trace_id=plain["trace_id"],
                key=key,
                value=value or "",
                deleted=int(value is None),
                version=2,
            )


def assessment_rows(plains):
    for plain in plains:
        for index, one in enumerate(plain["assessments"]):
            yield AssessmentRow(
                trace_id=plain["trace_id"],
                assessment_id=f"a-{index}",
                name=one["name"],
                kind=one["kind"],
                value=one["value"],
                valid=int(one["valid"]),
                deleted=int(one["deleted"]),
                version=2,
            )
