"""A running trace is known to have no row in `traces`, or the engine is asked."""

from __future__ import annotations

import threading

import msgspec
import pytest
from tests.query.rows import trace, trace_row
from tests.query.test_plans import Watched

from whence.query.search import search_traces
from whence.store.unended import UnendedTraces
from whence.store.values import KnownValues

EXPERIMENT_ID = "774300"


@pytest.fixture
def known(chdb_store, monkeypatch):
    """What is known from now on, without what was asked for before."""
    fresh = UnendedTraces(chdb_store.query, shared=False)
    monkeypatch.setattr(chdb_store.kept, "unended", fresh)
    return fresh


def running(trace_id, **given):
    return trace_row(
        trace(trace_id, state="IN_PROGRESS", execution_duration_ms=None, **given), EXPERIMENT_ID
    )


def ended(trace_id, **given):
    return trace_row(trace(trace_id, **given), EXPERIMENT_ID)


def lonely(row):
    return msgspec.structs.replace(row, experiment_id="774301")


def test_new_running_traces_are_known_until_they_end(chdb_store, known):
    chdb_store.insert(
        "open_traces", [running("tr-un-1"), running("tr-un-2")], replacing={"tr-un-2"}
    )
    assert known.find_unsure(["tr-un-1", "tr-un-2"]) == ["tr-un-2"]
    chdb_store.insert("traces", [ended("tr-un-1")])
    assert known.find_unsure(["tr-un-1"]) == ["tr-un-1"]


def test_traces_of_before_are_asked_for_once(chdb_store, known):
    chdb_store.insert("open_traces", [running("tr-un-3"), running("tr-un-4")])
    chdb_store.insert("traces", [ended("tr-un-4")])
    assert known.find_unsure(["tr-un-3", "tr-un-4"]) == ["tr-un-3", "tr-un-4"]
    known.wait()
    assert known.find_unsure(["tr-un-3", "tr-un-4"]) == ["tr-un-4"]


def test_what_ends_while_the_engine_is_asked_is_not_known(chdb_store, monkeypatch):
    asked, told = threading.Event(), threading.Event()

    def query(sql, parameters=None, **given):
        rows = chdb_store.query(sql, parameters, **given)
        if "FROM traces" in sql:
            asked.set()
            assert told.wait(30)
        return rows

    known = UnendedTraces(query, shared=False)
    monkeypatch.setattr(chdb_store.kept, "unended", known)
    chdb_store.insert("open_traces", [running("tr-un-5"), running("tr-un-6")])
    known.find_unsure(["tr-un-5"])
    assert asked.wait(30)
    chdb_store.insert("traces", [ended("tr-un-5")])
    told.set()
    known.wait()
    assert known.find_unsure(["tr-un-5", "tr-un-6"]) == ["tr-un-5"]


def test_a_page_with_a_running_trace_does_not_ask_whether_it_has_ended(chdb_store, known):
    chdb_store.insert(
        "open_traces", [lonely(running("tr-un-7", request_time_ms=2**42))], replacing=()
    )
    chdb_store.insert("traces", [lonely(ended("tr-un-8", request_time_ms=2**42 - 1))])
    store = Watched(chdb_store)
    page = search_traces(store, experiment_ids=["774301"], max_results=2)
    assert [info.trace_id for info in page.traces] == ["tr-un-7", "tr-un-8"]
    assert len(store.statements) == 2  # noqa: PLR2004
    chdb_store.insert("traces", [lonely(ended("tr-un-7", request_time_ms=2**42))])
    page = search_traces(store, experiment_ids=["774301"], max_results=2)
    assert [(info.trace_id, info.state) for info in page.traces] == [
        ("tr-un-7", "OK"),
        ("tr-un-8", "OK"),
    ]


def test_versions_are_listed_and_those_of_inserts_too(chdb_store):
    values = KnownValues(chdb_store.query, "app_version", at_most=10_000, shared=False)
    rows = [ended("tr-un-9", metadata={"app_version": "un-9"})]
    chdb_store.insert("traces", rows)
    assert "un-9" in values.list()
    values.insert(
        "open_traces",
        [chdb_store.encode("traces", [ended("tr-un-10", metadata={"app_version": "un-10"})])],
    )
    assert {"un-9", "un-10"} <= values.list()
    few = KnownValues(chdb_store.query, "app_version", at_most=1, shared=False)
    few.insert(
        "traces",
        [
            chdb_store.encode(
                "traces", [ended("tr-a", metadata={"app_version": v}) for v in ("a", "b")]
            )
        ],
    )
    assert few.list() is None
    assert KnownValues(chdb_store.query, "app_version", at_most=9, shared=True).list() is None
