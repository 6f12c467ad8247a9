"""What contradicts immutable metadata is refused by name, kept, and shown."""

from __future__ import annotations

from ingest.wire import batch, new_trace_hex, span
from whence.query import views
from whence.store.conflicts import read_conflicts
from whence.store.traces import read_traces


def send(ingestor, *spans, experiment_id):
    return ingestor.submit(batch(*spans), experiment_id=experiment_id).result(30)


def read_trace(store, trace_hex):
    return read_traces(store, [f"tr-{trace_hex}"])[0]


def test_a_contradicting_second_record_of_the_root_is_refused_by_name(
    ingestor, store, experiment_id
):
    trace = new_trace_hex()
    key = "whence.metadata.app_version"
    send(ingestor, span(trace, 1, attributes={key: "1.0"}), experiment_id=experiment_id)
    result = send(ingestor, span(trace, 1, attributes={key: "HACKED"}), experiment_id=experiment_id)
    for word in (f"tr-{trace}", "'app_version'", "'1.0'", "'HACKED'"):
        assert word in result.message
    assert read_trace(store, trace).app_version == "1.0"
    conflict = read_conflicts(store, [f"tr-{trace}"])[0]
    assert (conflict.key, conflict.kept, conflict.refused) == ("app_version", "1.0", "HACKED")


def test_a_key_that_comes_after_its_span_has_ended_is_refused_and_stays_absent(
    ingestor, store, experiment_id
):
    trace = new_trace_hex()
    late = {"whence.metadata.extra": "x", "whence.metadata.span_count": ""}
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    result = send(ingestor, span(trace, 1, attributes=late), experiment_id=experiment_id)
    assert "its span had already ended without metadata 'extra', which stays absent" in (
        result.message
    )
    assert "'span_count', which stays absent; '' was refused" in result.message
    assert "extra" not in read_trace(store, trace).metadata
    conflicts = {row.key: row for row in read_conflicts(store, [f"tr-{trace}"])}
    assert {key: (row.kept, row.absent, row.refused) for key, row in conflicts.items()} == {
        "extra": ("", 1, "x"),
        "span_count": ("", 1, ""),
    }


def test_a_late_key_that_another_span_brings_is_no_conflict_any_more(
    ingestor, store, experiment_id
):
    trace = new_trace_hex()
    attributes = {"whence.metadata.extra": "x"}
    send(ingestor, span(trace, 1), experiment_id=experiment_id)
    send(ingestor, span(trace, 1, attributes=attributes), experiment_id=experiment_id)
    assert [(one.key, one.kept) for one in views.read_trace(store, trace).conflicts] == [
        ("extra", None)
    ]
    send(ingestor, span(trace, 2, 1, attributes=attributes), experiment_id=experiment_id)
    view = views.read_trace(store, trace)
    assert (view.info.trace_metadata["extra"], view.conflicts) == ("x", [])


def test_of_two_roots_the_one_acknowledged_first_keeps_its_metadata(ingestor, store, experiment_id):
    trace = new_trace_hex()
    key = "whence.metadata.app_version"
    send(ingestor, span(trace, 9, attributes={key: "1.0"}), experiment_id=experiment_id)
    result = send(ingestor, span(trace, 1, attributes={key: "2.0"}), experiment_id=experiment_id)
    assert "'2.0' was refused" in result.message
    assert read_trace(store, trace).app_version == "1.0"
    assert [row.refused for row in read_conflicts(store, [f"tr-{trace}"])] == ["2.0"]


def test_a_conflict_that_the_true_root_resolves_is_taken_back(ingestor, store, experiment_id):
    trace = new_trace_hex()
    key = "whence.metadata.app_version"
    local = {"whence.local_root": True}
    send(ingestor, span(trace, 5, 4, attributes={key: "a", **local}), experiment_id=experiment_id)
    send(ingestor, span(trace, 6, 4, attributes={key: "b", **local}), experiment_id=experiment_id)
    assert [row.refused for row in read_conflicts(store, [f"tr-{trace}"])] == ["b"]
    send(ingestor, span(trace, 1, attributes={key: "b"}), experiment_id=experiment_id)
    conflicts = read_conflicts(store, [f"tr-{trace}"])
    assert [(row.kept, row.refused) for row in conflicts] == [("b", "a")]


def test_a_second_root_that_comes_late_changes_nothing_of_the_trace(ingestor, store, experiment_id):
    trace = new_trace_hex()
    first = batch(span(trace, 9, name="chat"), service__version="1.0")
    ingestor.submit(first, experiment_id=experiment_id).result(30)
    before = read_trace(store, trace)
    late = span(trace, 1, name="HACKED", status=2, start_ns=1_000_000_000, attributes={"a": "b"})
    ingestor.submit(batch(late, service__version="2.0"), experiment_id=experiment_id).result(30)
    after = read_trace(store, trace)
    for field in ("trace_name", "state", "request_time_ms", "duration_ns", "app_version"):
        assert getattr(after, field) == getattr(before, field), field
    assert (before.span_count, after.span_count, after.app_version) == (1, 2, "1.0")
