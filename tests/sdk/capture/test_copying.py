"""Traces recorded elsewhere, hung under ours or copied."""

from __future__ import annotations

import pytest

import whence
from whence.entities import Link, SpanEvent, Trace, TraceData, TraceInfo, TraceLocation, TraceState
from whence.errors import InvalidInputError
from whence.sdk.capture.copying import copy_trace_to_experiment
from whence.testing import capture_spans


@pytest.fixture
def remote():
    """A trace as another process returned it."""
    with capture_spans():
        with whence.start_span("agent", span_type="AGENT") as root:
            root.set_inputs({"q": "why?"})
            with whence.start_span("search", span_type="TOOL", attributes={"k": [1]}) as tool:
                tool.set_outputs({"hits": 3})
                tool.add_event(SpanEvent("found", attributes={"n": 3}))
                tool.add_link(Link("tr-" + "1" * 32, "2" * 16))
                tool.set_status("ERROR")
            root.set_outputs("because")
    info = TraceInfo(
        root.trace_id,
        TraceLocation.from_experiment_id("9"),
        root.start_time_ns // 1_000_000,
        "OK",
        trace_metadata={
            "tenant": "acme",
            "region": "moon",
            "mlflow.trace.session": "s-1",
            "mlflow.source.git.commit": "f" * 40,
            "mlflow.trace.sizeBytes": "5",
        },
        tags={"team": "blue", "mlflow.traceName": "agent"},
    )
    spans = [root.to_immutable_span(), tool.to_immutable_span()]
    return Trace(info, TraceData(spans))


def test_a_trace_hangs_under_the_active_span(remote, spans):
    with whence.start_span("host") as host:
        whence.update_current_trace(tags={"team": "red"})
        whence.add_trace(remote)
    agent, search = spans.one("agent"), spans.one("search")
    assert {record.trace_id for record in spans.records} == {host.trace_id.removeprefix("tr-")}
    assert agent.parent_id == host.span_id
    assert search.parent_id == agent.span_id
    original = remote.data.spans[1]
    assert (search.start_time_ns, search.end_time_ns) == (
        original.start_time_ns,
        original.end_time_ns,
    )
    assert (search.attributes["mlflow.spanType"], search.attributes["k"]) == ("TOOL", [1])
    assert search.attributes["whence.outputs"] == '{"hits":3}'
    assert search.status == 2
    assert search.events[0].name == "found"
    assert search.links[0].span_id == "2" * 16
    assert agent.span_id != remote.data.spans[0].span_id


def test_what_the_other_program_said_is_added_and_its_source_is_not(remote, spans):
    with whence.start_span("host"):
        whence.update_current_trace(tags={"team": "red"}, metadata={"tenant": "own"})
        whence.add_trace(remote)
    assert spans.metadata("host") == {"tenant": "own", "mlflow.trace.session": "s-1"}
    assert spans.tags("host") == {"team": "red"}


def test_without_an_active_span_it_is_a_trace_of_its_own(remote, spans):
    whence.add_trace(remote.to_dict())
    root = spans.one("Remote Trace <agent>")
    assert root.parent_id is None
    assert root.attributes["whence.inputs"] == '{"q":"why?"}'
    assert spans.one("agent").parent_id == root.span_id
    assert root.start_time_ns < spans.one("agent").start_time_ns
    assert root.end_time_ns > spans.one("agent").end_time_ns
    assert spans.tags(root.name) == {"team": "blue"}
    assert spans.names()[-1] == root.name


def test_a_target_may_be_given(remote, spans):
    with whence.start_span("outer") as outer, whence.start_span("inner"):
        whence.add_trace(remote, target=outer)
    assert spans.one("agent").parent_id == outer.span_id


@pytest.mark.parametrize("given", ["x", None, {}, {"info": {}, "data": {}}, {"info": 1, "data": 2}])
def test_what_is_no_trace_is_refused(given):
    with pytest.raises(InvalidInputError):
        whence.add_trace(given)


def test_a_trace_that_has_not_ended_is_refused(remote):
    remote.info.state = TraceState.IN_PROGRESS
    with pytest.raises(InvalidInputError, match="must be ended"):
        whence.add_trace(Trace.from_dict(remote.to_dict()))


def test_a_target_that_is_no_span_is_refused(remote):
    with pytest.raises(InvalidInputError, match="target"):
        whence.add_trace(remote, target="x")


def test_nothing_is_added_where_nothing_is_recorded(remote, spans):
    whence.tracing.disable()
    whence.add_trace(remote)
    assert len(spans) == 0


def test_spans_that_are_each_others_parents_are_added_without_end(remote, spans):
    form = remote.to_dict()
    first, second = form["data"]["spans"]
    first["parent_span_id"], second["parent_span_id"] = second["span_id"], first["span_id"]
    whence.add_trace(form)
    assert spans.names() == ["Remote Trace <tr-" + remote.trace_id[3:] + ">"]


def test_a_copy_lies_in_another_experiment_with_its_metadata(remote, spans):
    copied = copy_trace_to_experiment(remote.to_dict(), "12")
    assert copied != remote.trace_id
    assert {item.experiment_id for item in spans.items} == {"12"}
    metadata = spans.metadata("agent")
    assert (metadata["mlflow.source.git.commit"], metadata["region"]) == ("f" * 40, "moon")
    assert "mlflow.trace.sizeBytes" not in metadata
    assert spans.tags("agent") == {"team": "blue"}
    assert spans.one("search").parent_id == spans.one("agent").span_id


def test_a_trace_of_one_span_is_logged_after_the_fact(spans):
    trace_id = whence.log_trace(
        "task",
        request={"a": 1},
        response="b",
        attributes={"k": 1},
        tags={"t": "u"},
        start_time_ms=1_700_000_000_000,
        execution_time_ms=50,
    )
    record = spans.one("task")
    assert trace_id == "tr-" + record.trace_id
    assert record.end_time_ns - record.start_time_ns == 50_000_000
    assert (record.attributes["whence.inputs"], record.attributes["whence.outputs"]) == (
        '{"a":1}',
        '"b"',
    )
    assert spans.tags("task") == {"t": "u"}
