"""Every table keeps what it is given, and one row per key: the one with the highest version."""

from __future__ import annotations

import string
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whence.store.assessments import read_assessments
from whence.store.conflicts import read_conflicts
from whence.store.deletions import read_deleted
from whence.store.experiments import read_experiments
from whence.store.headers import delete_headers, read_headers
from whence.store.rows import (
    AssessmentRow,
    ConflictRow,
    DeletionRow,
    ExperimentRow,
    HeaderRow,
    SpanRow,
    TagRow,
    TraceRow,
)
from whence.store.spans import PAYLOAD_COLUMNS, delete_spans, read_span_facts, read_spans
from whence.store.tags import read_tags
from whence.store.traces import read_traces

HOSTILE = (
    "\0",
    "a\0b",
    "\t\n\r\\ \\N \\0 '\" ` ;--",
    "{x:String}",
    "NULL",
    "🦊 ünïcödé \N{RIGHT-TO-LEFT OVERRIDE}",
    " ",
)
TABLES = {
    "spans": (SpanRow, read_spans),
    "headers": (HeaderRow, read_headers),
    "traces": (TraceRow, read_traces),
    "open_traces": (TraceRow, read_traces),
    "tags": (TagRow, read_tags),
    "assessments": (AssessmentRow, read_assessments),
    "conflicts": (ConflictRow, read_conflicts),
}
# Limits of the columns' types, and what a test of one row must leave alone.
# Stamps stay in the past: ingest's tests share the store, and its clock goes on from the newest.
PAST_US = 1000
INTEGERS = {
    "version": (0, PAST_US),
    "received_at_us": (-(2**63), -1),
    "at_us": (-(2**63), PAST_US),
    "size_bytes": (0, 2**64 - 1),
    "span_count": (0, 2**32 - 1),
    "error_count": (0, 2**32 - 1),
    "input_tokens": (0, 2**64 - 1),
    "output_tokens": (0, 2**64 - 1),
    "total_tokens": (0, 2**64 - 1),
    "valid": (0, 255),
    "absent": (0, 1),
    "deleted": (0, 0),
    "request_time_ms": (-(2**62), 2**62),
}

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text(string.ascii_letters, max_size=20),
)


def values_of(field, kind):
    if kind is str:
        return texts
    if kind is int:
        return st.integers(*INTEGERS.get(field, (-(2**63), 2**63 - 1)))
    if kind is float:
        return st.floats(allow_nan=False)
    if kind == dict[str, str]:
        return st.dictionaries(texts, texts, max_size=4)
    if kind == list[str]:
        return st.lists(texts, max_size=4)
    return st.none() | values_of(field, next(arg for arg in kind.__args__ if arg is not type(None)))


def rows_of(row_type):
    hints = get_type_hints(row_type)
    return st.builds(row_type, **{name: values_of(name, kind) for name, kind in hints.items()})


@pytest.mark.parametrize("table", TABLES)
def test_every_column_keeps_hostile_values(store, experiment_id, table):
    row_type, read = TABLES[table]
    count = 0

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(rows_of(row_type), min_size=1, max_size=5))
    def check(rows):
        nonlocal count
        written = []
        for row in rows:
            count += 1
            trace_id = f"tr-{experiment_id}-{count}"
            changes = {"trace_id": trace_id}
            if table == "conflicts":
                changes |= {"kept": "kept", "refused": row.refused + "refused"}
            written.append(msgspec.structs.replace(row, **changes))
        store.insert(table, written)
        found = {row.trace_id: row for row in read(store, [row.trace_id for row in written])}
        assert found == {row.trace_id: row for row in written}

    check()


def test_null_and_empty_text_stay_apart(store, experiment_id):
    absent = TraceRow(trace_id=f"tr-{experiment_id}-1", experiment_id=experiment_id)
    empty = TraceRow(
        trace_id=f"tr-{experiment_id}-2",
        experiment_id=experiment_id,
        session="",
        app_version="",
        environment="",
        request_preview="",
        metadata={"": "", "empty": ""},
    )
    store.insert("traces", [absent, empty])
    found = {row.trace_id: row for row in read_traces(store, [absent.trace_id, empty.trace_id])}
    assert found[absent.trace_id].session is None
    assert found[empty.trace_id] == empty


def test_a_span_with_five_megabytes_of_text_comes_back_whole(store, experiment_id):
    row = SpanRow(trace_id=f"tr-{experiment_id}", span_id="a" * 16, inputs="0123456789é" * 500_000)
    store.insert("spans", [row])
    assert read_spans(store, [row.trace_id]) == [row]


def test_a_lone_surrogate_is_replaced_and_the_row_is_kept(store, experiment_id):
    row = SpanRow(
        trace_id=f"tr-{experiment_id}", span_id="a", name="x\ud800y", attributes={"k": "\udfff"}
    )
    store.insert("spans", [row, msgspec.structs.replace(row, span_id="b", name="fine")])
    found = {span.span_id: span for span in read_spans(store, [row.trace_id])}
    assert found["a"].name == "x\N{REPLACEMENT CHARACTER}y"
    assert found["a"].attributes == {"k": "\N{REPLACEMENT CHARACTER}"}
    assert found["b"].name == "fine"


def test_the_highest_version_of_a_span_counts_in_any_order(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    for version in (2, 3, 1, 3):
        store.insert(
            "spans", [SpanRow(trace_id=trace_id, span_id="a", name=f"v{version}", version=version)]
        )
    assert [span.name for span in read_spans(store, [trace_id])] == ["v3"]
    store.command("OPTIMIZE TABLE spans FINAL")
    assert [span.name for span in read_spans(store, [trace_id])] == ["v3"]


def test_the_highest_version_counts_within_one_insert(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    store.insert(
        "headers", [HeaderRow(trace_id=trace_id, header=str(n), version=n) for n in (1, 3, 2)]
    )
    assert [row.header for row in read_headers(store, [trace_id])] == ["3"]


def test_span_facts_leave_out_all_payload_but_what_previews_are_made_of(store, experiment_id):
    child = SpanRow(
        trace_id=f"tr-{experiment_id}",
        span_id="a",
        parent_id="b",
        name="chat",
        attributes={"k": "1"},
        **dict.fromkeys(PAYLOAD_COLUMNS, "[1]"),
    )
    root = msgspec.structs.replace(child, span_id="b", parent_id="")
    local_root = msgspec.structs.replace(
        child, span_id="c", parent_id="d", attributes={"whence.local_root": "true"}
    )
    store.insert("spans", [child, root, local_root])
    found = sorted(read_span_facts(store, [child.trace_id]), key=lambda row: row.span_id)
    assert found == [
        msgspec.structs.replace(child, **dict.fromkeys(PAYLOAD_COLUMNS, "")),
        msgspec.structs.replace(root, events="", links=""),
        msgspec.structs.replace(local_root, events="", links=""),
    ]


def test_deleted_spans_and_headers_are_gone_and_others_stay(store, experiment_id):
    ids = [f"tr-{experiment_id}-{n}" for n in range(3)]
    store.insert("spans", [SpanRow(trace_id=trace_id, span_id="a") for trace_id in ids])
    store.insert("headers", [HeaderRow(trace_id=trace_id, header="{}") for trace_id in ids])
    delete_spans(store, ids[:2])
    delete_headers(store, ids[:2])
    assert [row.trace_id for row in read_spans(store, ids)] == ids[2:]
    assert [row.trace_id for row in read_headers(store, ids)] == ids[2:]


def test_a_deleted_tag_and_assessment_keep_their_rows(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    store.insert("tags", [TagRow(trace_id=trace_id, key="k", value="v", version=1)])
    store.insert("tags", [TagRow(trace_id=trace_id, key="k", version=2, deleted=1)])
    gone = AssessmentRow(trace_id=trace_id, assessment_id="a-1", version=2, deleted=1)
    store.insert("assessments", [msgspec.structs.replace(gone, version=1, deleted=0)])
    store.insert("assessments", [gone])
    assert read_tags(store, [trace_id]) == [
        TagRow(trace_id=trace_id, key="k", version=2, deleted=1)
    ]
    assert read_assessments(store, [trace_id]) == [gone]


def test_tombstones_tell_which_traces_were_deleted(store, experiment_id):
    ids = [f"tr-{experiment_id}-{n}" for n in range(3)]
    rows = [DeletionRow(trace_id=trace_id, deleted_at_us=1) for trace_id in ids[:2]]
    store.insert("deletions", rows)
    store.insert("deletions", rows)
    assert read_deleted(store, ids) == set(ids[:2])


def test_an_experiment_is_read_once_with_its_newest_name(store, experiment_id):
    for version, name in ((1, "old"), (2, "new")):
        store.insert(
            "experiments", [ExperimentRow(experiment_id=experiment_id, name=name, version=version)]
        )
    mine = [row for row in read_experiments(store) if row.experiment_id == experiment_id]
    assert [row.name for row in mine] == ["new"]


def test_no_ids_and_no_rows_ask_nothing(store):
    store.insert("spans", [])
    for _, read in TABLES.values():
        assert read(store, []) == []
    assert read_deleted(store, []) == set()
