"""`MlflowClient`: spans by their ids, pages, deletions; through a real server."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

import whence
from whence.entities import Feedback
from whence.errors import InvalidInputError, NotFoundError


@pytest.fixture
def client(experiment):
    return whence.MlflowClient()


def test_spans_are_started_and_ended_by_their_ids(client):
    root = client.start_trace("plan", inputs={"q": 1}, attributes={"k": "v"}, tags={"team": "blue"})
    child = client.start_span("step", root.trace_id, root.span_id, span_type="TOOL", inputs=[1])
    client.end_span(root.trace_id, child.span_id, outputs=[2], attributes={"n": 3})
    client.end_trace(root.trace_id, outputs="done", status="ERROR")
    trace = client.get_trace(root.trace_id)
    assert whence.get_current_active_span() is None
    assert (trace.info.name, trace.info.state) == ("plan", "ERROR")
    assert trace.info.tags["team"] == "blue"
    top, step = trace.data.spans
    assert (top.inputs, top.outputs, top.get_attribute("k")) == ({"q": 1}, "done", "v")
    assert (step.parent_id, step.span_type) == (top.span_id, "TOOL")
    assert (step.inputs, step.outputs, step.get_attribute("n")) == ([1], [2], 3)


def test_a_span_of_the_decorator_may_be_a_parent_by_its_id(client):
    with whence.start_span("outer") as outer, whence.start_span("inner") as inner:
        for parent in (outer, inner):
            span = client.start_span("below", parent.trace_id, parent.span_id)
            client.end_span(span.trace_id, span.span_id)
            assert span.parent_id == parent.span_id


def test_a_span_that_is_not_there_is_not_found(client):
    root = client.start_trace("plan")
    with pytest.raises(NotFoundError, match="Parent span with ID 'y' not found"):
        client.start_span("step", root.trace_id, "y")
    with pytest.raises(InvalidInputError, match="explicit parent_id"):
        client.start_span("step", root.trace_id, None)
    with pytest.raises(NotFoundError):
        client.end_span(root.trace_id, "y")
    with pytest.raises(NotFoundError) as raised:
        client.end_trace("tr-" + "0" * 31 + "7")
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.end_trace(root.trace_id)
    with pytest.raises(InvalidInputError, match="already finished"):
        client.end_trace(root.trace_id)


def test_ids_of_nothing_record_nothing(client):
    with whence.tracing.context(enabled=False):
        root = client.start_trace("plan")
        child = client.start_span("step", root.trace_id, root.span_id)
        client.end_span(root.trace_id, child.span_id)
        client.end_trace(root.trace_id)
    assert client.search_traces() == []


def test_a_run_is_kept_with_the_trace(client):
    root = client.start_trace("plan", run_id="r-1")
    client.end_trace(root.trace_id)
    assert [one.trace_id for one in client.search_traces(run_id="r-1")] == [root.trace_id]


def test_a_missing_trace_raises(client):
    with pytest.raises(NotFoundError):
        client.get_trace("tr-" + "e" * 32)


def record(count: int) -> list[str]:
    ids = []
    for number in range(count):
        with whence.start_span(f"trace-{number}") as span:
            ids.append(span.trace_id)
        wait_a_millisecond()
    return ids


def wait_a_millisecond() -> None:
    now_ms = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now_ms:
        pass


def test_pages_follow_one_another_by_their_tokens(client):
    ids = record(5)
    found, token = [], None
    for _ in range(3):
        page = client.search_traces(max_results=2, page_token=token, include_spans=False)
        found += [trace.trace_id for trace in page]
        token = page.token
    assert found == ids[::-1]
    assert token is None


@pytest.mark.parametrize("size", [0, -1, 501, True])
def test_a_page_has_one_to_five_hundred_traces(client, size):
    with pytest.raises(InvalidInputError, match="max_results"):
        client.search_traces(max_results=size)


def test_traces_are_deleted_by_id_in_their_experiment_only(client, experiment):
    ids = record(3)
    assert client.delete_traces("0", trace_ids=ids) == 0
    assert client.delete_traces(experiment.experiment_id, trace_ids=[*ids[:2], "tr-none"]) == 2
    assert [one.trace_id for one in client.search_traces()] == ids[2:]


def test_the_oldest_traces_until_a_time_are_deleted(client, experiment):
    ids = record(4)
    until_ms = client.get_trace(ids[2]).info.request_time
    own = experiment.experiment_id
    assert client.delete_traces(own, max_timestamp_millis=until_ms, max_traces=1) == 1
    assert [one.trace_id for one in client.search_traces()] == ids[:0:-1]
    assert client.delete_traces(own, max_timestamp_millis=until_ms) == 2
    assert [one.trace_id for one in client.search_traces()] == ids[3:]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Either `max_timestamp_millis` or `trace_ids` must be specified."),
        ({"trace_ids": []}, "Either `max_timestamp_millis`"),
        ({"max_timestamp_millis": 1, "trace_ids": ["a"]}, "Only one of"),
        ({"max_traces": 1, "trace_ids": ["a"]}, "`max_traces` can't be specified"),
        ({"max_traces": 0, "max_timestamp_millis": 1}, "must be a positive integer, received 0"),
        ({"trace_ids": "tr-1"}, "is a list"),
    ],
)
def test_a_deletion_that_is_not_clear_is_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        whence.MlflowClient().delete_traces("0", **given)


def test_another_server_is_read_by_its_uri(client, whence_server, monkeypatch):
    with whence.start_span("answer") as span:
        pass
    whence.flush()
    whence.set_tracking_uri("http://127.0.0.1:9")
    away = whence.MlflowClient(whence_server.url)
    assert away.get_trace(span.trace_id).info.name == "answer"
    away.set_trace_tag(span.trace_id, "team", "blue")
    away.set_trace_tag(span.trace_id, "count", 3)
    away.delete_trace_tag(span.trace_id, "count")
    away.set_trace_tag(span.trace_id, "mlflow.artifactLocation", "x")
    logged = away.log_assessment(span.trace_id, Feedback("ok", True))
    info = away.get_trace(span.trace_id).info
    assert info.tags["team"] == "blue"
    assert "count" not in info.tags
    assert info.assessments == [logged]
    whence.set_tracking_uri(whence_server.url)


def test_prompts_are_linked_in_a_tag(client):
    with whence.start_span("answer") as span:
        pass
    for version in (1, 2, 2):
        prompt = SimpleNamespace(name="greet", version=version)
        client.link_prompt_versions_to_trace([prompt], span.trace_id)
    linked = client.get_trace(span.trace_id).info.tags["mlflow.linkedPrompts"]
    assert linked == '[{"name": "greet", "version": "1"}, {"name": "greet", "version": "2"}]'


def test_the_client_is_found_where_mlflow_has_it():
    import whence.tracking
    from whence.client import MlflowClient

    assert whence.MlflowClient is MlflowClient is whence.tracking.MlflowClient
    assert whence.client.MlflowClient is MlflowClient


def test_an_exception_is_caught_under_mlflows_name(client):
    with pytest.raises(whence.exceptions.MlflowException) as raised:
        client.get_trace("tr-" + "e" * 32)
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert raised.value.get_http_status_code() == 404
