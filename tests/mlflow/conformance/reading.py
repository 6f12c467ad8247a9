"""Programs that judge, change, search or delete what they recorded."""

from __future__ import annotations

from road import entities, mlflow


def judged_while_open():
    with mlflow.start_span("answer") as span:
        source = entities.AssessmentSource("LLM_JUDGE", "judge-1")
        mlflow.log_feedback(
            trace_id=span.trace_id,
            name="grounded",
            value=0.5,
            source=source,
            rationale="half",
            metadata={"k": "v"},
        )
        mlflow.log_feedback(trace_id=span.trace_id, name="yes", value=True, span_id=span.span_id)
        mlflow.log_expectation(trace_id=span.trace_id, name="city", value={"name": "Paris"})


def judged_when_stored():
    with mlflow.start_span("answer") as span:
        pass
    trace_id = span.trace_id
    mlflow.flush_trace_async_logging()
    first = mlflow.log_feedback(trace_id=trace_id, name="ok", value="no")
    mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first.assessment_id, value="yes", rationale="again"
    )
    mlflow.log_feedback(
        trace_id=trace_id, name="failed", error=entities.AssessmentError("E", "why")
    )
    gone = mlflow.log_feedback(trace_id=trace_id, name="gone", value=0.1)
    mlflow.delete_assessment(trace_id, gone.assessment_id)
    mlflow.log_expectation(trace_id=trace_id, name="list", value=[1, 2])
    mlflow.log_expectation(trace_id=trace_id, name="text", value="Paris")
    read = mlflow.get_assessment(trace_id, first.assessment_id)
    return [read.name, read.value, read.valid]


def tags_when_stored():
    with mlflow.start_span("answer") as span:
        mlflow.update_current_trace(tags={"a": "1", "b": "1"})
    mlflow.flush_trace_async_logging()
    mlflow.set_trace_tag(span.trace_id, "a", "2")
    mlflow.set_trace_tag(span.trace_id, "c", "3")
    mlflow.delete_trace_tag(span.trace_id, "b")


def logged_afterwards():
    mlflow.log_trace(
        "task",
        request={"a": 1},
        response="b",
        attributes={"k": "v"},
        tags={"t": "u"},
        start_time_ms=1_700_000_000_000,
        execution_time_ms=50,
    )


def added():
    with mlflow.start_span("remote", span_type="TOOL") as span:
        span.set_inputs({"q": 1})
        with mlflow.start_span("kid") as kid:
            kid.set_outputs("o")
        mlflow.update_current_trace(metadata={"m": "1"}, tags={"t": "1"})
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(span.trace_id)
    with mlflow.start_span("host"):
        mlflow.add_trace(trace)
    mlflow.add_trace(trace.to_dict())


def extracted_table():
    for number in range(2):
        with mlflow.start_span("row") as span:
            span.set_inputs({"n": number})
            span.set_outputs(number)
    mlflow.flush_trace_async_logging()
    table = mlflow.search_traces(order_by=["timestamp ASC"])
    return [
        list(table.columns),
        [str(one) for one in table["state"]],
        sorted(one["n"] for one in table["request"]),
        sorted(table["response"]),
        table["trace"].map(type).map(str).tolist(),
    ]


def searched():
    for number in range(3):
        with mlflow.start_span(f"trace-{number}", span_type="LLM"):
            mlflow.update_current_trace(tags={"n": str(number)}, metadata={"m": str(number % 2)})
    mlflow.flush_trace_async_logging()
    filters = (
        "tags.n = '1'",
        "metadata.m = '0'",
        "name = 'trace-2'",
        "status = 'OK' AND tags.n != '0'",
        "trace.name LIKE 'trace-%'",
    )
    found = []
    for text in filters:
        traces = mlflow.search_traces(filter_string=text, return_type="list")
        found.append(sorted(trace.info.tags["n"] for trace in traces))
    return found


def pages():
    for number in range(3):
        with mlflow.start_span(f"trace-{number}"):
            pass
    mlflow.flush_trace_async_logging()
    experiment = mlflow.get_experiment_by_name("conformance-pages")
    client, seen, token = mlflow.MlflowClient(), [], None
    while True:
        page = client.search_traces([experiment.experiment_id], max_results=2, page_token=token)
        seen.append(len(page))
        token = page.token
        if token is None:
            return [sum(seen), seen[0]]


def deleted():
    ids = []
    for number in range(3):
        with mlflow.start_span(f"trace-{number}") as span:
            ids.append(span.trace_id)
    mlflow.flush_trace_async_logging()
    experiment = mlflow.get_experiment_by_name("conformance-deleted")
    client = mlflow.MlflowClient()
    count = client.delete_traces(experiment.experiment_id, trace_ids=ids[:2])
    return [count, mlflow.get_trace(ids[0], silent=True) is None]
