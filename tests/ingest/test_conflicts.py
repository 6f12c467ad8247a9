"""What contradicts immutable metadata is refused by name, kept, and shown."""

from __future__ import annotations

import msgspec
import pytest

from ingest.wire import batch, new_trace_hex, span
from whence.errors import ConflictError
from whence.ingest.header import Header
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


@pytest.fixture
def forgetful(own_ingestor):
    """A writer that remembers no trace longer than it writes it, as one that has many others."""
    return own_ingestor(max_remembered_spans=0)


def test_what_contradicts_a_trace_that_is_not_in_memory_is_refused(
    forgetful, chdb_store, experiment_id
):
    trace = new_trace_hex()
    stated = Header(
        trace_id=f"tr-{trace}",
        experiment_id=experiment_id,
        state="OK",
        duration_ns=5_000_000,
        trace_metadata={"team": "blue", "state": "paid"},
    )

    def post(**changes):
        return forgetful.submit_header(msgspec.structs.replace(stated, **changes)).result(30)

    def send_root(word):
        attributes = {"whence.metadata.plan": word, "mlflow.traceRequestId": f"tr-{trace}"}
        return send(forgetful, span(trace, 1, attributes=attributes), experiment_id=experiment_id)

    post()
    assert send_root("pro").message == ""
    before = read_trace(chdb_store, trace)
    for _ in range(2):
        for changes, words in (
            ({"trace_metadata": {"team": "HACKED"}}, "'team' is 'blue' and stays"),
            ({"trace_metadata": {"state": "HACKED"}}, "'state' is 'paid' and stays"),
            ({"trace_metadata": {"plan": "HACKED"}}, "'plan' is 'pro' and stays"),
            ({"state": "ERROR"}, "'state' is 'OK' and stays"),
            ({"duration_ns": 7_000_000}, "'duration_ns' is '5000000' and stays"),
        ):
            with pytest.raises(ConflictError, match=words):
                post(**changes)
        assert "metadata 'plan' is 'pro' and stays" in send_root("HACKED").message
    post()  # as it is: no contradiction
    after = read_trace(chdb_store, trace)
    assert (after.metadata, after.state, after.duration_ns) == (
        before.metadata,
        before.state,
        before.duration_ns,
    )
    assert [
        (one.key, one.kept, one.refused) for one in read_conflicts(chdb_store, [f"tr-{trace}"])
    ] == [
        ("duration_ns", "5000000", "7000000"),
        ("plan", "pro", "HACKED"),
        ("state", "OK", "ERROR"),
        ("state", "paid", "HACKED"),
        ("team", "blue", "HACKED"),
    ]


def test_of_a_trace_that_is_not_in_memory_a_hundred_conflicts_are_kept(
    forgetful, chdb_store, experiment_id
):
    trace = new_trace_hex()
    send(forgetful, span(trace, 1), experiment_id=experiment_id)
    for start in range(0, 120, 60):
        late = {f"whence.metadata.k{number:03}": "x" for number in range(start, start + 60)}
        send(forgetful, span(trace, 1, attributes=late), experiment_id=experiment_id)
    conflicts = read_conflicts(chdb_store, [f"tr-{trace}"])
    assert [row.key for row in conflicts] == [f"k{number:03}" for number in range(100)]


def test_a_conflict_that_is_resolved_is_taken_back_though_the_trace_was_forgotten(
    forgetful, chdb_store, experiment_id
):
    trace = new_trace_hex()
    late = {"whence.metadata.extra": "x"}
    send(forgetful, span(trace, 1), experiment_id=experiment_id)
    send(forgetful, span(trace, 1, attributes=late), experiment_id=experiment_id)
    assert [row.key for row in read_conflicts(chdb_store, [f"tr-{trace}"])] == ["extra"]
    send(forgetful, span(trace, 2, 1, attributes=late), experiment_id=experiment_id)
    assert read_trace(chdb_store, trace).metadata["extra"] == "x"
    assert read_conflicts(chdb_store, [f"tr-{trace}"]) == []


def test_what_contradicts_a_trace_is_refused_after_a_restart(
    own_ingestor, chdb_store, experiment_id
):
    stated = Header(
        trace_id=f"tr-{new_trace_hex()}",
        experiment_id=experiment_id,
        state="OK",
        trace_metadata={"team": "blue"},
    )
    first = own_ingestor()
    first.submit_header(stated).result(30)
    first.close()
    again = own_ingestor()
    again.wait_until_known()
    again.submit_header(stated).result(30)
    with pytest.raises(ConflictError, match="'team' is 'blue' and stays"):
        again.submit_header(
            msgspec.structs.replace(stated, trace_metadata={"team": "HACKED"})
        ).result(30)
    assert read_traces(chdb_store, [stated.trace_id])[0].metadata["team"] == "blue"
