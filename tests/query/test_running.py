"""`open_traces` is asked only where a running trace may be on the page."""

from __future__ import annotations

import msgspec
import pytest
from tests.query.rows import trace, trace_row
from tests.query.test_plans import Watched

from whence.query.search import search_traces
from whence.query.views import read_trace
from whence.store import kept
from whence.store.kept import KeptTables
from whence.store.rows import RunningRow, SpanRow

METADATA = {
    "mlflow.trace.user": "ann",
    "mlflow.trace.session": "s1",
    "app_version": "1.0",
    "environment": "prod",
}


@pytest.fixture
def running(chdb_store, experiment_id):
    """The row of a running trace, beside one that has ended."""
    metadata = {**METADATA, "mlflow.trace.user": "eve", "app_version": "2.0"}
    ended = trace(f"tr-{experiment_id}-ended", request_time_ms=900_000, metadata=metadata)
    plain = trace(f"tr-{experiment_id}", request_time_ms=1_000_000, metadata=METADATA)
    row = trace_row(plain, experiment_id, state="IN_PROGRESS", version=3)
    chdb_store.insert("traces", [trace_row(ended, experiment_id)])
    chdb_store.insert("open_traces", [row])
    return row


def find_in(store, experiment_id, text, **asked):
    """Return the states found, and whether `open_traces` was asked."""
    watched = Watched(store)
    page = search_traces(watched, experiment_ids=[experiment_id], filter_string=text, **asked)
    return [one.state for one in page.traces], any("open_" in sql for sql in watched.statements)


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("user = 'eve'", ["OK"]),
        ("user IN ('eve', 'bob') AND state != 'x'", ["OK"]),
        ("metadata.app_version = '2.0'", ["OK"]),
        ("state = 'ERROR'", []),
        ("execution_time_ms > 0", []),
        ("name = 'x' AND end_time_ms IS NOT NULL", []),
        ("metadata.environment = 'production'", []),
    ],
)
def test_a_running_trace_that_can_not_match_is_not_asked_for(
    chdb_store, experiment_id, running, text, states
):
    assert find_in(chdb_store, experiment_id, text) == (states, False)


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("", ["IN_PROGRESS", "OK"]),
        ("user = 'ann'", ["IN_PROGRESS"]),
        ("user != 'eve'", ["IN_PROGRESS"]),
        ("user = 'eve' OR state = 'IN_PROGRESS'", ["IN_PROGRESS", "OK"]),
        ("NOT user = 'eve'", ["IN_PROGRESS"]),
        ("execution_time_ms IS NULL", ["IN_PROGRESS", "OK"]),
        ("environment = 'production' AND app_version > '0.9'", ["IN_PROGRESS", "OK"]),
        ("metadata.environment = 'prod' AND user LIKE 'a%'", ["IN_PROGRESS"]),
        ("app_version IN ('1.0', '3.0')", ["IN_PROGRESS"]),
        ("app_version = 1.0", ["IN_PROGRESS"]),
    ],
)
def test_one_that_may_match_is(chdb_store, experiment_id, running, text, states):
    assert find_in(chdb_store, experiment_id, text) == (states, True)


def test_behind_it_and_beside_its_id_it_is_not_asked_for(chdb_store, experiment_id, running):
    search = {"experiment_ids": [experiment_id], "max_results": 1}
    cursor = search_traces(chdb_store, **search).next_cursor
    watched = Watched(chdb_store)
    assert search_traces(watched, cursor=cursor, **search).traces[0].state == "OK"
    assert not any("open_" in sql for sql in watched.statements)
    other = [f"{running.trace_id}-ended"]
    assert find_in(chdb_store, experiment_id, "", trace_ids=other) == (["OK"], False)
    found = find_in(chdb_store, experiment_id, "", trace_ids=[running.trace_id])
    assert found == (["IN_PROGRESS"], True)


def test_when_it_has_ended_it_is_no_longer_asked_for(chdb_store, experiment_id, running):
    ended = msgspec.structs.replace(running, state="OK", version=running.version + 1)
    chdb_store.insert("traces", [ended])
    gone = msgspec.structs.replace(ended, version=running.version + 2, deleted=1)
    chdb_store.insert("open_traces", [gone])
    assert find_in(chdb_store, experiment_id, "user = 'ann'") == (["OK"], False)


def test_one_trace_that_has_ended_is_read_without_asking_for_running_ones(
    chdb_store, experiment_id, running
):
    watched = Watched(chdb_store)
    assert read_trace(watched, running.trace_id).info.state == "IN_PROGRESS"
    assert any("open_traces FINAL" in sql for sql in watched.statements)
    trace_id = f"{running.trace_id}-ended"
    given = {"trace_id": trace_id, "experiment_id": experiment_id, "version": 1}
    chdb_store.insert("spans", [SpanRow(span_id="1" * 16, start_time_ns=9 * 10**11, **given)])
    watched = Watched(chdb_store)
    assert read_trace(watched, trace_id).info.state == "OK"
    assert not any("open_" in sql for sql in watched.statements)


def test_what_is_held_of_running_traces_is_what_the_engine_says(
    chdb_store, experiment_id, running, monkeypatch
):
    held = {row.trace_id: row for row in chdb_store.kept.list_running()}
    fresh = KeptTables(chdb_store.query, shared=False).list_running()
    assert held == {row.trace_id: row for row in fresh}
    assert held[running.trace_id] == RunningRow(
        **{name: getattr(running, name) for name in RunningRow.__struct_fields__}
    )
    monkeypatch.setattr(kept, "MAX_RUNNING", 0)
    assert KeptTables(chdb_store.query, shared=False).list_running() is None
