"""`matrix.py NAME`: what programs do with MLflow's tracing, by any client of MLflow 3.

A function that asks for a call this client lacks returns `LACKING`. Traces are sent as they end, so
nothing is flushed; older clients fail to where they send nothing in the background.
"""

from __future__ import annotations

import inspect
import sys

import mlflow

LACKING = "not in this client"
EXPERIMENT = mlflow.set_experiment(f"matrix-{sys.argv[2]}")
Client = getattr(mlflow, "MlflowClient", None)  # mlflow-tracing has none


@mlflow.trace(span_type="TOOL", attributes={"temperature": 0.5})
def _look_up(city):
    return {"city": city, "population": 2_100_000}


@mlflow.trace(name="answer", span_type="AGENT")
def _answer(question):
    mlflow.update_current_trace(tags={"team": "blue"})
    return _look_up(question)["population"]


@mlflow.trace
def _fail():
    raise ValueError("no such city")


def _last():
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def _search(**arguments):
    return mlflow.search_traces(
        experiment_ids=[EXPERIMENT.experiment_id], return_type="list", **arguments
    )


def experiment():
    again = mlflow.set_experiment(EXPERIMENT.name)
    return [again.experiment_id == EXPERIMENT.experiment_id, again.lifecycle_stage]


def record_and_read():
    returned = _answer("Paris")
    trace = _last()
    root, tool = trace.data.spans
    return [
        returned,
        trace.info.state.value,
        trace.info.tags["mlflow.traceName"],
        trace.info.tags["team"],
        [root.name, root.span_type, root.inputs, root.outputs, root.parent_id],
        [tool.name, tool.span_type, tool.inputs, tool.outputs, tool.parent_id == root.span_id],
        tool.get_attribute("temperature"),
    ]


def errors():
    try:
        _fail()
    except ValueError:
        pass
    trace = _last()
    (span,) = trace.data.spans
    return [trace.info.state.value, span.status.status_code.value, [e.name for e in span.events]]


def metadata_and_session():
    known = inspect.signature(mlflow.update_current_trace).parameters
    if "metadata" not in known:
        return LACKING
    with mlflow.start_span("turn"):
        mlflow.update_current_trace(metadata={"app_version": "1.4", "mlflow.trace.session": "s-1"})
    said = _last().info.trace_metadata
    return [said["app_version"], said["mlflow.trace.session"]]


def client_request_id():
    if "client_request_id" not in inspect.signature(mlflow.update_current_trace).parameters:
        return LACKING
    with mlflow.start_span("turn"):
        mlflow.update_current_trace(client_request_id="r-1", request_preview="asked")
    info = _last().info
    sent = [info.client_request_id, info.request_preview]
    return sent if any(sent) else LACKING  # MLflow 2's requests, of clients before 3.2, can't say


def by_hand():
    if Client is None:
        return LACKING
    client = Client()
    root = client.start_trace("by hand", inputs={"q": 1}, experiment_id=EXPERIMENT.experiment_id)
    child = client.start_span("child", root.trace_id, root.span_id, inputs=[1])
    client.end_span(root.trace_id, child.span_id, outputs=[2])
    client.end_trace(root.trace_id, outputs="done")
    trace = client.get_trace(root.trace_id)
    return [[span.name, span.inputs, span.outputs] for span in trace.data.spans]


def tags():
    with mlflow.start_span("tagged") as span:
        pass
    mlflow.set_trace_tag(span.trace_id, "a", "1")
    mlflow.set_trace_tag(span.trace_id, "b", "2")
    mlflow.delete_trace_tag(span.trace_id, "b")
    found = mlflow.get_trace(span.trace_id).info.tags
    return [found.get("a"), found.get("b")]


def feedback_and_expectation():
    with mlflow.start_span("judged") as span:
        pass
    source = mlflow.entities.AssessmentSource("LLM_JUDGE", "judge-1")
    first = mlflow.log_feedback(
        trace_id=span.trace_id, name="grade", value=0.5, source=source, rationale="half"
    )
    mlflow.log_expectation(trace_id=span.trace_id, name="city", value="Paris", source=source)
    gone = mlflow.log_feedback(trace_id=span.trace_id, name="gone", value=True, source=source)
    mlflow.delete_assessment(trace_id=span.trace_id, assessment_id=gone.assessment_id)
    changed = mlflow.entities.Feedback("grade", 0.75, source=source)
    mlflow.update_assessment(
        trace_id=span.trace_id, assessment_id=first.assessment_id, assessment=changed
    )
    found = mlflow.get_trace(span.trace_id).info.assessments
    return sorted([one.name, one.value, one.source.source_id] for one in found)


def search():
    found = _search(filter_string="tags.team = 'blue'", max_results=5)
    named = _search(filter_string="name = 'answer' AND status = 'OK'", max_results=5)
    failed = _search(filter_string="status = 'ERROR'", order_by=["timestamp DESC"])
    return [
        [trace.data.spans[0].name for trace in found],
        len(named),
        [trace.info.state.value for trace in failed],
    ]


def pages():
    if Client is None:
        return LACKING
    client, seen, token = Client(), [], None
    while True:
        page = client.search_traces([EXPERIMENT.experiment_id], max_results=3, page_token=token)
        seen += [trace.info.trace_id for trace in page]
        token = page.token
        if token is None:
            return len(seen) == len(set(seen)) == len(_search())


def wrong_filter():
    _search(filter_string="latency > 5")


def missing_trace():
    return mlflow.get_trace("tr-" + "0" * 32) is None


def delete():
    if Client is None:
        return LACKING
    with mlflow.start_span("gone") as span:
        pass
    count = Client().delete_traces(EXPERIMENT.experiment_id, trace_ids=[span.trace_id])
    return [count, mlflow.get_trace(span.trace_id) is None]
