"""Traces recorded, read, searched, tagged, linked and deleted by MLflow's client."""

from __future__ import annotations

import sys

from mlflow.tracing.client import TracingClient

import mlflow
from mlflow import MlflowClient

PNG = "data:image/png;base64,iVBORw0KGgo="
VALUES = {
    "text": "wörld\n",
    "number": 7,
    "large": 2**53 + 1,
    "half": 0.5,
    "yes": True,
    "nothing": None,
    "list": [1, "two", None, [], {}],
    "deep": {"a": {"b": [{"c": 1}]}},
}


@mlflow.trace(span_type="TOOL", attributes={"temperature": 0.5, "stop": ["a", "b"]})
def _look_up(**values):
    return values


@mlflow.trace(name="answer", span_type="AGENT")
def _answer(values):
    mlflow.update_current_trace(
        metadata={"app_version": "1.4", "long": "x" * 240},
        tags={"team": "blue"},
        session_id="s-1",
        user="u-7",
        client_request_id="r-1",
        request_preview="asked",
    )
    return _look_up(**values)


@mlflow.trace
def _fail():
    raise ValueError("no such city")


def _record(name):
    with mlflow.start_span(name) as span:
        span.set_outputs(name)
    return span.trace_id


def recorded():
    mlflow.set_experiment("recorded")
    _answer(VALUES)
    trace_id = mlflow.get_last_active_trace_id()
    return mlflow.get_trace(trace_id).to_dict()


def failed():
    try:
        _fail()
    except ValueError:
        pass
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    (span,) = trace.data.spans
    return {
        "state": str(trace.info.state),
        "status": span.status.status_code.value,
        "message": span.status.description,
        "events": [event.name for event in span.events],
    }


def linked_spans():
    with mlflow.start_span("first") as first:
        pass
    link = mlflow.entities.Link(first.trace_id, first.span_id, {"kind": "follows"})
    with mlflow.start_span("second", links=[link]) as second:
        pass
    (span,) = mlflow.get_trace(second.trace_id).data.spans
    (found,) = span.links
    return [found.trace_id == first.trace_id, found.span_id == first.span_id, found.attributes]


def tokens():
    with mlflow.start_span("llm", span_type="LLM") as span:
        usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
        span.set_attribute("mlflow.chat.tokenUsage", usage)
    info = mlflow.get_trace(span.trace_id).info
    return info.token_usage


def searched():
    experiment = mlflow.set_experiment("searched")
    for number in range(5):
        with mlflow.start_span(f"trace-{number}", span_type="LLM"):
            mlflow.update_current_trace(
                tags={"n": str(number)},
                metadata={"m": str(number % 2)},
                session_id=f"s{number % 2}",
            )
    found = {}
    for text in (
        "tags.n = '1'",
        "metadata.m = '0'",
        "name = 'trace-2'",
        "status = 'OK' AND tags.n != '0'",
        "span.type = 'LLM' AND span.name LIKE 'trace-%'",
        "request_metadata.`mlflow.trace.session` = 's1'",
    ):
        traces = mlflow.search_traces(filter_string=text, return_type="list")
        found[text] = sorted(trace.info.tags["n"] for trace in traces)
    client, pages, token = MlflowClient(), [], None
    while True:
        page = client.search_traces(
            locations=[experiment.experiment_id],
            max_results=2,
            order_by=["timestamp ASC"],
            page_token=token,
        )
        pages.append([trace.info.tags["n"] for trace in page])
        token = page.token
        if token is None:
            break
    frame = mlflow.search_traces()
    sessions = mlflow.search_sessions()
    return {
        "found": found,
        "pages": pages,
        "columns": list(frame.columns),
        "rows": len(frame),
        "spans": [len(one) for one in frame["spans"]],
        "sessions": sorted((one.id, len(one)) for one in sessions),
    }


def correlated():
    experiment = mlflow.get_experiment_by_name("searched")
    found = TracingClient().calculate_trace_filter_correlation(
        [experiment.experiment_id], "metadata.m = '0'", "tags.n != '0'"
    )
    empty = TracingClient().calculate_trace_filter_correlation(
        [experiment.experiment_id], "metadata.m = '7'", "tags.n != '0'"
    )
    counts = [found.filter1_count, found.filter2_count, found.joint_count, found.total_count]
    return [counts, round(found.npmi, 6), str(empty.npmi)]


def searched_wrongly():
    return mlflow.search_traces(filter_string="latency > 5")


def nothing_found():
    mlflow.set_experiment("empty")
    return [
        len(mlflow.search_traces(return_type="list")),
        mlflow.get_trace("tr-" + "0" * 32) is None,
    ]


def tagged():
    mlflow.set_experiment("tagged")
    trace_id = _record("answer")
    mlflow.set_trace_tag(trace_id, "a", "1")
    mlflow.set_trace_tag(trace_id, "b", "2")
    mlflow.set_trace_tag(trace_id, "a", "3")
    mlflow.delete_trace_tag(trace_id, "b")
    tags = mlflow.get_trace(trace_id).info.tags
    return {key: tags.get(key) for key in ("a", "b", "mlflow.traceName")}


def tag_that_is_not_there():
    mlflow.delete_trace_tag(_record("answer"), "nope")


def tag_of_no_trace():
    MlflowClient().set_trace_tag("tr-" + "0" * 32, "a", "1")


def deleted():
    experiment = mlflow.set_experiment("deleted")
    client = MlflowClient()
    ids = [_record(f"trace-{number}") for number in range(4)]
    by_ids = client.delete_traces(experiment.experiment_id, trace_ids=[*ids[:2], "tr-nope"])
    newest = mlflow.get_trace(ids[3]).info.request_time
    by_time = client.delete_traces(
        experiment.experiment_id, max_timestamp_millis=newest, max_traces=1
    )
    left = mlflow.search_traces(return_type="list")
    elsewhere = client.delete_traces("0", trace_ids=[ids[3]])
    return [by_ids, by_time, [trace.info.trace_id == ids[3] for trace in left], elsewhere]


def linked():
    mlflow.set_experiment("linked")
    client = MlflowClient()
    trace_id, _ = _record("answer"), _record("other")
    client.link_traces_to_run(run_id="run-1", trace_ids=[trace_id])
    client.link_traces_to_run(run_id="run_2", trace_ids=[trace_id])
    found = {}
    for text in ("run_id = 'run-1'", "run_id = 'run_2'", "run_id = 'runx2'", "run_id = 'run-9'"):
        traces = mlflow.search_traces(filter_string=text, return_type="list")
        found[text] = [trace.info.trace_id == trace_id for trace in traces]
    by_argument = mlflow.search_traces(run_id="run-1", return_type="list")
    found["argument"] = [trace.info.trace_id == trace_id for trace in by_argument]
    return found


def with_an_attachment():
    mlflow.set_experiment("attached")
    with mlflow.start_span("see") as span:
        span.set_inputs({"image": PNG})
    (stored,) = mlflow.get_trace(span.trace_id).data.spans
    return [span.trace_id, stored.inputs["image"]]


def run_started():
    with mlflow.start_run():
        pass


def searched_by_unknown_run():
    return mlflow.search_traces(run_id="abc", return_type="list")


def model_made_active():
    mlflow.set_active_model(name="bot")


def model_registered():
    MlflowClient().create_registered_model("bot")


def read_what_others_recorded():
    """Read the traces named on the command line."""
    return [mlflow.get_trace(trace_id).to_dict() for trace_id in sys.argv[2:]]
