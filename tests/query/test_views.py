"""The JSON of traces, spans and assessments."""

from __future__ import annotations

import msgspec
from tests.query.rows import insert, trace, trace_row

from whence.query.fields import field_values
from whence.query.views import read_infos, read_spans_of, read_trace
from whence.store.rows import AssessmentRow, ConflictRow, SpanRow, TagRow


def as_json(view):
    return msgspec.json.decode(msgspec.json.encode(view))


def span_row(trace_id, span_id, **given):
    return SpanRow(
        trace_id=trace_id, span_id=span_id * 16, kind="INTERNAL", status="OK", version=1, **given
    )


def test_a_span_embeds_stored_json_and_leaves_out_what_is_absent(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    full = span_row(
        trace_id,
        "a",
        name="chat",
        span_type="LLM",
        start_time_ns=1_700_000_000_123_456_789,
        end_time_ns=1_700_000_001_123_456_789,
        inputs='{"q":"wörld"}',
        outputs="null",
        attributes={"n": "5", "text": '"x"', "list": "[1,2]"},
        resource_json='{"service.version":"1.0"}',
        events='[{"name":"e","time_ns":"5","attributes":{}}]',
        model="gpt-4o",
        usage='{"input_tokens":3}',
        size_bytes=12,
    )
    bare = span_row(trace_id, "b", parent_id="a" * 16, start_time_ns=1)
    store.insert("spans", [bare, full])
    first, second = as_json(read_spans_of(store, [trace_id])[trace_id])
    assert first["inputs"] == {"q": "wörld"}
    assert first["outputs"] is None
    assert first["attributes"] == {"n": 5, "text": "x", "list": [1, 2]}
    assert first["events"] == [{"name": "e", "time_ns": "5", "attributes": {}}]
    assert first["links"] == []
    assert (first["start_time_ns"], first["end_time_ns"]) == (
        "1700000000123456789",
        "1700000001123456789",
    )
    assert (first["parent_id"], first["model"], first["provider"]) == (None, "gpt-4o", None)
    assert (first["usage"], first["cost"], first["resource"]) == (
        {"input_tokens": 3},
        None,
        {"service.version": "1.0"},
    )
    assert "inputs" not in second
    assert "outputs" not in second
    assert (second["parent_id"], second["end_time_ns"]) == ("a" * 16, None)


def test_a_trace_has_its_roots_first_then_spans_by_start_and_its_conflicts(store, experiment_id):
    digits = f"{int(experiment_id):032x}"
    trace_id = f"tr-{digits}"
    insert(store, experiment_id, [trace(trace_id)])
    store.insert(
        "spans",
        [
            span_row(trace_id, "d", parent_id="a" * 16, start_time_ns=2),
            span_row(trace_id, "c", parent_id="a" * 16, start_time_ns=3),
            span_row(trace_id, "a", start_time_ns=5),
        ],
    )
    store.insert(
        "conflicts", [ConflictRow(trace_id=trace_id, key="k", kept="1", refused="2", source="root")]
    )
    for given in (trace_id, digits):
        view = as_json(read_trace(store, given))
        assert [one["span_id"][0] for one in view["spans"]] == ["a", "d", "c"]
        assert view["conflicts"] == [{"key": "k", "kept": "1", "refused": "2", "source": "root"}]
        assert view["info"]["trace_id"] == trace_id
    assert read_trace(store, "tr-unknown") is None
    assert [one.trace_id for one in read_infos(store, ["unknown", digits])] == [trace_id]


def test_assessments_are_mlflows_json(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    insert(store, experiment_id, [trace(trace_id)])
    given = {
        "trace_id": trace_id,
        "source_type": "HUMAN",
        "source_id": "me",
        "create_time_ms": 1_700_000_000_005,
        "last_update_time_ms": 1_700_000_001_000,
        "version": 1,
    }
    store.insert(
        "assessments",
        [
            AssessmentRow(assessment_id="a-1", name="good", kind="feedback", value="0.5", rationale="", metadata={"k": "v"}, span_id="5" * 16, **given),
            AssessmentRow(assessment_id="a-2", name="failed", kind="feedback", error='{"error_code":"X"}', valid=0, overrides="a-1", **given),
            AssessmentRow(assessment_id="a-3", name="truth", kind="expectation", value='"Paris"', **given),
            AssessmentRow(assessment_id="a-4", name="facts", kind="expectation", value='{"a": 1}', **given),
            AssessmentRow(assessment_id="a-5", name="gone", kind="feedback", value="1", deleted=1, **given),
            AssessmentRow(assessment_id="a-6", name="issue-7", kind="issue", value='"slow"', **given),
        ],
    )  # fmt: skip
    (info,) = as_json(read_infos(store, [trace_id]))
    good, failed, truth, facts, issue = info["assessments"]
    assert good == {
        "assessment_id": "a-1",
        "assessment_name": "good",
        "trace_id": trace_id,
        "span_id": "5" * 16,
        "source": {"source_type": "HUMAN", "source_id": "me"},
        "create_time": "2023-11-14T22:13:20.005Z",
        "last_update_time": "2023-11-14T22:13:21.000Z",
        "feedback": {"value": 0.5},
        "rationale": "",
        "metadata": {"k": "v"},
        "valid": True,
    }
    assert failed["feedback"] == {"value": None, "error": {"error_code": "X"}}
    assert (failed["valid"], failed["overrides"]) == (False, "a-1")
    assert truth["expectation"] == {"value": "Paris"}
    assert facts["expectation"] == {
        "serialized_value": {"serialization_format": "JSON_FORMAT", "value": '{"a": 1}'}
    }
    assert issue["issue"] == {"issue_name": "slow"}


def test_a_trace_is_read_wherever_it_lies(store, experiment_id):
    trace_id = f"tr-{experiment_id}"

    def shown():
        info = read_trace(store, trace_id).info
        return info.request_time_ms, info.state

    def put(table, **given):
        plain = trace(trace_id, request_time_ms=given.pop("time_ms"))
        store.insert(table, [trace_row(plain, experiment_id, **given)])

    store.insert(
        "spans", [span_row(trace_id, "a", experiment_id=experiment_id, start_time_ns=5_000_000)]
    )
    put("open_traces", time_ms=5, state="IN_PROGRESS", version=1)
    assert shown() == (5, "IN_PROGRESS")
    put("traces", time_ms=5, version=2)
    assert shown() == (5, "OK")
    put("open_traces", time_ms=5, deleted=1, version=2)
    assert shown() == (5, "OK")
    put("traces", time_ms=5, state="ERROR", version=3)
    assert shown() == (5, "ERROR")
    put("traces", time_ms=5, deleted=1, version=4)
    put("traces", time_ms=3, version=5)
    assert shown() == (3, "OK")
    put("traces", time_ms=3, deleted=1, version=6)
    assert read_trace(store, trace_id) is None


def test_of_rows_with_the_same_version_the_one_inserted_last_counts(store, experiment_id):
    trace_id = f"tr-{experiment_id}"
    insert(store, experiment_id, [trace(trace_id)])
    given = {"trace_id": trace_id, "assessment_id": "a-1", "name": "good", "kind": "feedback"}
    for number in range(3):
        text = str(number)
        store.insert("tags", [TagRow(trace_id=trace_id, key="k", value=text, version=7)])
        store.insert("assessments", [AssessmentRow(value=text, version=7, **given)])
        store.insert("spans", [span_row(trace_id, "a", name=text)])
    shown = as_json(read_trace(store, trace_id))
    assert shown["info"]["tags"] == {"k": "2"}
    assert [one["feedback"]["value"] for one in shown["info"]["assessments"]] == [2]
    assert [one["name"] for one in shown["spans"]] == ["2"]
    for table in ("tags", "assessments", "spans"):
        store.command(f"OPTIMIZE TABLE {table} FINAL")
    assert as_json(read_trace(store, trace_id)) == shown


def test_fields_that_were_seen_come_with_their_most_frequent_values(store, experiment_id):
    plains = [
        trace(f"tr-{experiment_id}-{index}", metadata={"environment": "prod" if index else "dev", "my key": "x" * 300, "k": "v"}, tags={"t-1": "y"})
        for index in range(3)
    ]  # fmt: skip
    insert(store, experiment_id, plains)
    store.insert(
        "tags", [TagRow(trace_id=plains[0]["trace_id"], key="later", value="z", version=1)]
    )
    seen = {one.name: as_json(one.values) for one in field_values(store, [experiment_id])}
    assert seen["environment"] == [
        {"value": "production", "count": 2},
        {"value": "development", "count": 1},
    ]
    assert seen["metadata.environment"][0] == {"value": "prod", "count": 2}
    assert seen["metadata.k"] == [{"value": "v", "count": 3}]
    assert seen["tags.`t-1`"] == [{"value": "y", "count": 3}]
    assert seen["execution_time_ms"] == []
    assert [one.name for one in field_values(store, [experiment_id], "Metadata.E")] == [
        "metadata.environment"
    ]
    assert [one.name for one in field_values(store, [experiment_id], "tags.`t")] == ["tags.`t-1`"]
