"""Record traces of every shape with the real client, then print what the client reads back.

`record.py URI COUNT`: a JSON object of trace id → the trace as the client writes it down.
"""

from __future__ import annotations

import json
import sys

from mlflow.entities import AssessmentError, AssessmentSource, Link, SpanEvent

import mlflow
from mlflow import MlflowClient

EXPERIMENT = "shop bot"
HUMAN = AssessmentSource("HUMAN", "ann@example.com")
JUDGE = AssessmentSource("LLM_JUDGE", "gpt-4o")


@mlflow.trace(span_type="TOOL")
def look_up(number):
    if number % 5 == 3:
        raise ValueError(f"nothing about {number}")
    return {"found": [number, None, 1.5, True, "ü 😀"], "empty": {}, "none": None}


@mlflow.trace
def count(number):
    yield from range(number)


@mlflow.trace(name="answer", span_type="AGENT")
def answer(question, number=1, *rest, **more):
    mlflow.update_current_trace(
        tags={"kind": "even" if number % 2 == 0 else "odd", "with space": "ä"},
        metadata={"app_version": f"1.{number % 3}", "environment": "prod", "nothing": ""},
        session_id=f"session-{number % 4}",
        user="ann",
        client_request_id=f"request-{number}",
    )
    with mlflow.start_span("llm", span_type="CHAT_MODEL") as span:
        span.set_inputs({"messages": [{"role": "user", "content": question}]})
        span.set_outputs({"role": "assistant", "content": "hello"})
        span.set_attributes({"big": 2**53 + 1, "ratio": 0.1, "flag": False, "list": [1, "x", None]})
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": number})
        span.add_event(SpanEvent("first token", attributes={"at": 12, "why": "ready"}))
        span.add_link(Link(trace_id="tr-" + "ab" * 16, span_id="cd" * 8, attributes={"a": "b"}))
    try:
        look_up(number)
    except ValueError:
        pass
    list(count(2))
    if number % 7 == 6:
        raise RuntimeError("boom")
    return question.upper()


def record(total: int) -> list[str]:
    ids = []
    for number in range(total):
        try:
            answer("where is it?" + "!" * number, number, 1, 2, more={"x": [number]})
        except RuntimeError:
            pass
        ids.append(mlflow.get_last_active_trace_id())
    mlflow.flush_trace_async_logging()
    return ids


def judge(ids: list[str]) -> None:
    first = mlflow.log_feedback(
        trace_id=ids[0], name="good", value=True, source=HUMAN, rationale="yes", metadata={"a": "b"}
    )
    mlflow.override_feedback(
        trace_id=ids[0], assessment_id=first.assessment_id, value=False, source=JUDGE
    )
    failed = AssessmentError("TIMEOUT", "the judge was late", stack_trace="line 1\nline 2")
    mlflow.log_feedback(trace_id=ids[1], name="late", error=failed, source=JUDGE)
    mlflow.log_feedback(trace_id=ids[1], name="score", value=3)
    mlflow.log_feedback(trace_id=ids[1], name="parts", value={"a": 0.5, "b": 1.0})
    mlflow.log_expectation(trace_id=ids[2], name="answer", value={"text": ["x", 1]}, source=HUMAN)
    mlflow.log_expectation(trace_id=ids[2], name="plain", value="HI")
    mlflow.set_trace_tag(ids[0], "later", "set")
    mlflow.delete_trace_tag(ids[1], "kind")


def read_all(experiment_id: str) -> dict:
    client, found, token = MlflowClient(), {}, None
    while True:
        page = client.search_traces(locations=[experiment_id], max_results=200, page_token=token)
        found.update({trace.info.trace_id: trace.to_dict() for trace in page})
        token = page.token
        if not token:
            return found


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    if sys.argv[2] != "read":
        experiment = mlflow.set_experiment(EXPERIMENT)
        mlflow.set_experiment_tag("team", "search")
        judge(record(int(sys.argv[2])))
        gone = mlflow.create_experiment("gone")
        MlflowClient().delete_experiment(gone)
    else:
        experiment = MlflowClient().get_experiment_by_name(sys.argv[3])
    json.dump(read_all(experiment.experiment_id), sys.stdout)
