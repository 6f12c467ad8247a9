"""What a program records, it reads back; through a real server."""

from __future__ import annotations

import doctest
import logging
import time

import pandas as pd
import pytest

import whence
from whence.entities import Trace, TraceState
from whence.errors import FilterError, InvalidInputError, NotFoundError
from whence.sdk.reading import client


def record(name: str = "answer", **metadata: str) -> str:
    with whence.start_span(name) as span:
        span.set_inputs({"question": "why?"})
        whence.update_current_trace(metadata=metadata, tags={"team": "blue"})
        with whence.start_span("step", span_type="TOOL"):
            pass
        span.set_outputs(["because", 42])
    next_millisecond()  # the order of a search is by milliseconds
    return span.trace_id


def next_millisecond() -> None:
    now_ms = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now_ms:
        pass


def test_a_trace_is_read_back_at_once_and_whole(experiment):
    trace_id = record(environment="Prod", app_version="2.1.0")
    trace = whence.get_trace(trace_id)
    assert trace.info.trace_id == trace_id
    assert trace.info.state is TraceState.OK
    assert trace.info.experiment_id == experiment.experiment_id
    assert trace.info.name == "answer"
    assert trace.info.environment == "production"
    assert trace.info.app_version == "2.1.0"
    assert trace.info.tags["team"] == "blue"
    assert trace.info.commit
    root, step = trace.data.spans
    assert (root.name, root.inputs, root.outputs) == (
        "answer",
        {"question": "why?"},
        ["because", 42],
    )
    assert (step.name, step.parent_id, step.span_type) == ("step", root.span_id, "TOOL")
    assert trace.data.request == '{"question": "why?"}'
    assert trace.search_spans(span_type="TOOL") == [step]
    assert Trace.from_json(trace.to_json()) == trace


def test_a_trace_id_may_be_given_as_opentelemetry_writes_it(experiment):
    trace_id = record()
    assert whence.get_trace(trace_id.removeprefix("tr-")).info.trace_id == trace_id


def test_a_missing_trace_is_none_with_a_warning_unless_silent(experiment, caplog):
    missing = "tr-" + "e" * 32
    with caplog.at_level(logging.WARNING, logger="whence"):
        assert whence.get_trace(missing, silent=True) is None
        assert caplog.records == []
        assert whence.get_trace(missing) is None
        assert missing in caplog.text


@pytest.mark.parametrize("trace_id", [None, "", 5, "a/b", ".."])
def test_an_odd_trace_id_is_none_too(experiment, trace_id):
    assert whence.get_trace(trace_id, silent=True) is None


def test_a_server_that_is_away_gives_none_and_says_what_to_do(monkeypatch, caplog):
    monkeypatch.setattr(client, "_current", None)
    with caplog.at_level(logging.WARNING, logger="whence"):
        monkeypatch.setenv("WHENCE_URL", "http://127.0.0.1:9")
        whence.tracing.reset()
        assert whence.get_trace("tr-" + "e" * 32) is None
    assert "whence server --port 9" in caplog.text
    with pytest.raises(whence.sdk.reading.http.UnreachableError):
        whence.search_traces(return_type="list")
    monkeypatch.delenv("WHENCE_URL")
    whence.tracing.reset()


def test_a_read_before_all_has_arrived_says_so_once_a_minute(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("WHENCE_SPOOL", str(tmp_path / "outbox"))
    whence.tracing.reset()
    whence.set_tracking_uri("http://127.0.0.1:9")
    with whence.start_span("on its way"):
        pass
    for _ in range(2):
        assert whence.get_trace("tr-" + "0" * 32, silent=True) is None
    said = [r.getMessage() for r in caplog.records if "may lack traces" in r.getMessage()]
    assert len(said) == 1
    assert whence.tracing.stats().problems["read_too_early"] == 2
    whence.tracing.reset()


def test_a_trace_in_progress_is_returned_as_such(experiment):
    with whence.start_span("long") as span:
        whence.update_current_trace(metadata={"app_version": "3"})
        deadline = time.monotonic() + 20
        trace = None
        while trace is None and time.monotonic() < deadline:
            trace = whence.get_trace(span.trace_id, silent=True)
    assert trace.info.state is TraceState.IN_PROGRESS
    assert trace.info.app_version == "3"
    assert trace.data.spans[0].end_time_ns is None
    assert whence.get_trace(span.trace_id).info.state is TraceState.OK


def test_a_search_returns_mlflows_table(experiment):
    first, second = record("one"), record("two")
    table = whence.search_traces()
    assert list(table.columns) == [
        "trace_id",
        "trace",
        "client_request_id",
        "state",
        "request_time",
        "execution_duration",
        "request",
        "response",
        "trace_metadata",
        "tags",
        "spans",
        "assessments",
    ]
    assert list(table.trace_id) == [second, first]
    assert isinstance(table.index, pd.RangeIndex)
    assert str(table.request_time.dtype) == str(table.execution_duration.dtype) == "int64"
    for column in ("request", "response", "trace_metadata", "tags", "spans", "assessments"):
        assert table[column].dtype == object
    if pd.__version__ >= "3":
        assert [str(table[name].dtype) for name in ("trace_id", "trace", "state")] == ["str"] * 3
    row = table.iloc[0]
    assert row.state == "OK"
    assert row.request == {"question": "why?"}
    assert row.response == ["because", 42]
    assert [span["name"] for span in row.spans] == ["two", "step"]
    assert Trace.from_json(row.trace).info.trace_id == second


def test_a_search_that_finds_nothing_returns_the_same_columns(experiment):
    table = whence.search_traces(filter_string="metadata.app_version = 'none'")
    assert table.shape == (0, 12)
    assert set(table.dtypes) == {pd.Series(dtype=object).dtype}


def test_without_spans_the_table_has_none(experiment):
    record()
    row = whence.search_traces(include_spans=False).iloc[0]
    assert (row.spans, row.request, row.response) == ([], None, None)


def test_a_filter_and_an_order_are_the_servers(experiment):
    ids = {version: record(app_version=version) for version in ("1.9.0", "1.10.0", "2.0.0-rc1")}
    found = whence.search_traces(
        filter_string="metadata.app_version >= '1.10.0'",
        order_by=["timestamp ASC"],
        return_type="list",
    )
    assert [trace.info.trace_id for trace in found] == [ids["1.10.0"], ids["2.0.0-rc1"]]


def test_a_wrong_filter_names_the_column(experiment):
    with pytest.raises(FilterError) as caught:
        whence.search_traces(filter_string="metadata.a = 'x' AND latency > 3")
    assert caught.value.column == 22
    with pytest.raises(InvalidInputError):
        whence.search_traces(order_by=["nothing"], return_type="list")


def test_a_search_stays_in_the_active_experiment_unless_told(experiment):
    here = record()
    there = whence.set_experiment("elsewhere of " + experiment.name)
    elsewhere = record()
    assert ids_of(whence.search_traces(return_type="list")) == [elsewhere]
    assert ids_of(
        whence.search_traces(locations=[experiment.experiment_id], return_type="list")
    ) == [here]
    both = [experiment.experiment_id, there.experiment_id]
    assert ids_of(whence.search_traces(experiment_ids=both, return_type="list")) == [
        elsewhere,
        here,
    ]


def ids_of(traces: list[Trace]) -> list[str]:
    return [trace.info.trace_id for trace in traces]


def test_pages_are_read_one_after_the_other(experiment):
    recorded = []
    for _ in range(230):
        with whence.start_span("small") as span:
            recorded.append(span.trace_id)
    assert sorted(ids_of(whence.search_traces(return_type="list"))) == sorted(recorded)
    assert len(whence.search_traces(max_results=101)) == 101
    traces = client.iter_traces()
    assert next(traces).info.trace_id in recorded
    traces.close()


def test_no_more_than_asked_for_is_returned(experiment):
    record()
    assert whence.search_traces(max_results=0, return_type="list") == []
    with pytest.raises(InvalidInputError, match="max_results"):
        whence.search_traces(max_results=-1)


def test_a_run_and_a_model_narrow_a_search(experiment):
    run = record(**{"mlflow.sourceRun": "it's 7"})
    model = record(**{"mlflow.modelId": "m-1"})
    assert ids_of(whence.search_traces(run_id="it's 7", return_type="list")) == [run]
    assert ids_of(whence.search_traces(model_id="m-1", return_type="list")) == [model]
    either = "name = 'answer' OR name = 'x'"
    found = whence.search_traces(filter_string=either, run_id="it's 7", return_type="list")
    assert ids_of(found) == [run]
    with pytest.raises(InvalidInputError, match="both"):
        whence.search_traces(model_id="m-1", filter_string=either)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"return_type": "polars"}, "'pandas' or 'list'"),
        ({"extract_fields": ["a"]}, "extract_fields"),
        ({"locations": "0"}, "lists"),
        ({"run_id": "'\""}, "quotes"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(experiment, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        whence.search_traces(**arguments)


@pytest.mark.parametrize("key", ["plain", "with/slash", "a b: c.d/", "mlflow.traceName"])
def test_tags_of_a_stored_trace_are_set_and_deleted(experiment, key):
    trace_id = record()
    whence.set_trace_tag(trace_id, key, "värde")
    assert whence.get_trace(trace_id).info.tags[key] == "värde"
    whence.delete_trace_tag(trace_id, key)
    assert whence.get_trace(trace_id).info.tags.get(key) in (None, "answer")


def test_tags_that_are_not_there_can_not_be_deleted(experiment):
    trace_id = record()
    with pytest.raises(NotFoundError):
        whence.delete_trace_tag(trace_id, "none")
    with pytest.raises(NotFoundError):
        whence.set_trace_tag("tr-" + "e" * 32, "a", "b")


def test_deleted_traces_are_gone(experiment):
    first, second = record(), record()
    assert client.delete_traces([first, "tr-" + "e" * 32]) == 1
    assert whence.get_trace(first, silent=True) is None
    assert ids_of(whence.search_traces(return_type="list")) == [second]
    with pytest.raises(InvalidInputError, match="list"):
        client.delete_traces(second)


def test_experiments_are_listed_by_name(experiment):
    record()
    found = {one.experiment_id: one for one in client.search_experiments()}
    assert (found["0"].name, found["0"].lifecycle_stage) == ("Default", "active")
    assert found[experiment.experiment_id].name == experiment.name


def test_the_raw_answers_are_lazy_and_over_all_experiments(experiment, whence_server):
    trace_id = record()
    with client.Client(whence_server.url) as one:
        one.catch_up()
        answers = one.iter_answers(f"trace_id = '{trace_id}'", include_spans=True)
        assert [answer["info"]["trace_id"] for answer in answers] == [trace_id]
        assert one.server_url == whence_server.url


def test_the_examples_in_docstrings_run(experiment):
    assert doctest.testmod(client).failed == 0


def test_answers_on_a_kept_connection_come_at_once(whence_server):
    with client.HttpReader(client.parse_destination(whence_server.url)) as reader:
        took_s = []
        for _ in range(20):
            started_s = time.perf_counter()
            reader.request("GET", "/health")
            took_s.append(time.perf_counter() - started_s)
    assert sorted(took_s)[10] < 0.03  # 0.04 with a delayed acknowledgement


@pytest.mark.parametrize(
    ("name", "value"),
    [("WHENCE_SYNCHRONOUS", "1"), ("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")],
)
def test_the_end_of_a_trace_may_wait_for_its_delivery(experiment, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    url = whence.get_tracking_uri()
    whence.tracing.reset()
    whence.set_tracking_uri(url)
    whence.set_experiment(experiment.name)
    trace_id = record()
    assert client.Client().get_trace(trace_id).info.state is TraceState.OK  # no flush
