"""A trace has one row, wherever its earlier rows lie; it is found by its id through an index."""

from __future__ import annotations

import pytest

from whence.store.rows import SpanRow, TraceRow
from whence.store.spans import read_spans
from whence.store.traces import locate_traces, read_traces


@pytest.fixture
def trace_id(experiment_id):
    return f"tr-{experiment_id}"


@pytest.fixture
def make(experiment_id, trace_id):
    def make_row(**fields):
        return TraceRow(**({"experiment_id": experiment_id, "trace_id": trace_id} | fields))

    return make_row


def test_the_newest_row_of_a_trace_counts_in_any_order(store, make, trace_id):
    for version in (2, 3, 1):
        store.insert("traces", [make(request_time_ms=7, version=version, state=f"v{version}")])
    assert [row.state for row in read_traces(store, [trace_id])] == ["v3"]


def test_a_trace_that_ends_leaves_the_open_ones(store, make, trace_id, experiment_id):
    store.insert("open_traces", [make(request_time_ms=7, version=1, state="IN_PROGRESS")])
    assert locate_traces(store, [trace_id]) == {trace_id: (experiment_id, 7, False)}
    store.insert("traces", [make(request_time_ms=7, version=2, state="OK")])
    store.insert("open_traces", [make(request_time_ms=7, version=3, deleted=1)])
    assert locate_traces(store, [trace_id]) == {trace_id: (experiment_id, 7, True)}
    assert [row.state for row in read_traces(store, [trace_id])] == ["OK"]


def test_a_crash_between_both_inserts_leaves_the_newer_row(store, make, trace_id, experiment_id):
    store.insert("open_traces", [make(request_time_ms=9, version=1, state="IN_PROGRESS")])
    store.insert("traces", [make(request_time_ms=7, version=2, state="OK")])
    assert locate_traces(store, [trace_id]) == {trace_id: (experiment_id, 7, True)}
    assert [row.state for row in read_traces(store, [trace_id])] == ["OK"]


@pytest.mark.parametrize("merged", [False, True])
def test_a_trace_that_moves_in_time_is_read_at_its_new_place(
    store, make, trace_id, experiment_id, merged
):
    store.insert("traces", [make(request_time_ms=7, version=1, state="OK")])
    store.insert(
        "traces",
        [
            make(request_time_ms=7, version=2, deleted=1),
            make(request_time_ms=5, version=3, state="ERROR"),
        ],
    )
    if merged:
        store.command("OPTIMIZE TABLE traces FINAL")
    assert locate_traces(store, [trace_id]) == {trace_id: (experiment_id, 5, True)}
    assert [row.state for row in read_traces(store, [trace_id])] == ["ERROR"]
    listed = store.query(
        "SELECT request_time_ms FROM traces FINAL WHERE trace_id = {trace_id:String}",
        {"trace_id": trace_id},
    )
    assert listed.rows == [(5,)]


def test_a_late_row_at_an_older_place_does_not_bring_it_back(store, make, trace_id):
    store.insert("traces", [make(request_time_ms=7, version=2, deleted=1)])
    store.insert("traces", [make(request_time_ms=7, version=1, state="OK")])
    assert read_traces(store, [trace_id]) == []
    assert locate_traces(store, [trace_id]) == {}


def test_ten_thousand_ids_are_read_in_one_call(store, experiment_id):
    ids = [f"tr-{experiment_id}-{n:032x}" for n in range(10_000)]
    spans = [SpanRow(experiment_id=experiment_id, trace_id=t, span_id="a") for t in ids]
    store.insert("spans", spans)
    store.insert("traces", [TraceRow(experiment_id=experiment_id, trace_id=t) for t in ids])
    assert {row.trace_id for row in read_spans(store, ids)} == set(ids)
    assert set(locate_traces(store, ids)) == set(ids)


def test_hostile_ids_find_only_themselves(store, experiment_id):
    endings = ["'", '"', "\\", "\\'", "\n", "\0", "%", "_", "', 'x", "é" * 5_000, "]", ""]
    ids = [f"{experiment_id}{ending}" for ending in endings]
    store.insert("traces", [TraceRow(experiment_id=experiment_id, trace_id=t) for t in ids])
    assert {row.trace_id for row in read_traces(store, ids)} == set(ids)
    for trace_id in ids:
        assert [row.trace_id for row in read_traces(store, [trace_id])] == [trace_id]


def explain(store, sql, trace_ids):
    rows = store.query(f"EXPLAIN indexes = 1 {sql}", {"trace_ids": trace_ids}).rows
    return "\n".join(line for (line,) in rows)


@pytest.mark.parametrize(
    ("count", "search"), [(1, "binary search"), (10_000, "generic exclusion search")]
)
def test_spans_of_a_trace_are_found_by_the_primary_key(store, experiment_id, count, search):
    ids = [f"tr-{experiment_id}-{n}" for n in range(count)]
    store.insert("spans", [SpanRow(trace_id=ids[0], span_id="a")])
    plan = explain(
        store, "SELECT name FROM spans FINAL WHERE trace_id IN {trace_ids:Array(String)}", ids
    )
    assert f"(trace_id in {count}-element set)" in plan
    assert search in plan
