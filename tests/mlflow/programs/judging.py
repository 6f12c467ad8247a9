"""Traces judged by MLflow's client."""

from __future__ import annotations

from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback

import mlflow

JUDGE = AssessmentSource("LLM_JUDGE", "judge-1")


def _record():
    mlflow.set_experiment("judged")
    with mlflow.start_span("answer") as span:
        pass
    return span.trace_id


def _read(trace_id):
    return [
        {
            "name": one.name,
            "value": getattr(one, "value", None),
            "valid": one.valid,
            "source": [one.source.source_type, one.source.source_id],
            "rationale": one.rationale,
            "metadata": one.metadata,
        }
        for one in mlflow.get_trace(trace_id).info.assessments
    ]


def feedback():
    trace_id = _record()
    for value in (0.5, "good", True, None, [1, "two"], {"a": {"b": 1}}):
        mlflow.log_feedback(
            trace_id=trace_id,
            name="grade",
            value=value,
            source=JUDGE,
            rationale="because",
            metadata={"k": "v"},
        )
    return _read(trace_id)


def expectations():
    trace_id = _record()
    for value in ("Paris", 7.0, ["a"], {"name": "Paris"}):
        mlflow.log_expectation(trace_id=trace_id, name="city", value=value)
    return [one["value"] for one in _read(trace_id)]


def errors():
    trace_id = _record()
    error = AssessmentError("Timeout", "too slow", "line 1\nline 2")
    logged = mlflow.log_feedback(trace_id=trace_id, name="grade", error=error)
    read = mlflow.get_assessment(trace_id, logged.assessment_id)
    return [read.error.error_code, read.error.error_message, read.error.stack_trace]


def while_open():
    mlflow.set_experiment("judged")
    with mlflow.start_span("answer") as span:
        mlflow.log_feedback(trace_id=span.trace_id, name="early", value=1.0, span_id=span.span_id)
    (one,) = mlflow.get_trace(span.trace_id).info.assessments
    return [one.name, one.value, one.span_id == span.span_id, one.trace_id == span.trace_id]


def overridden():
    trace_id = _record()
    first = mlflow.log_feedback(trace_id=trace_id, name="ok", value="no")
    second = mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first.assessment_id, value="yes", rationale="again"
    )
    found = [[one["value"], one["valid"]] for one in _read(trace_id)]
    mlflow.delete_assessment(trace_id, second.assessment_id)
    return [sorted(found), [[one["value"], one["valid"]] for one in _read(trace_id)]]


def updated():
    trace_id = _record()
    logged = mlflow.log_feedback(trace_id=trace_id, name="ok", value=False, metadata={"a": "1"})
    changed = Feedback("better", True, source=JUDGE, metadata={"b": "2"}, rationale="now it is")
    mlflow.update_assessment(trace_id, logged.assessment_id, changed)
    return _read(trace_id)


def kind_changed():
    trace_id = _record()
    logged = mlflow.log_feedback(trace_id=trace_id, name="ok", value=False)
    mlflow.update_assessment(trace_id, logged.assessment_id, Expectation("ok", "yes"))


def deleted_twice():
    trace_id = _record()
    logged = mlflow.log_feedback(trace_id=trace_id, name="ok", value=False)
    mlflow.delete_assessment(trace_id, logged.assessment_id)
    mlflow.delete_assessment(trace_id, logged.assessment_id)
    return _read(trace_id)


def not_there():
    mlflow.get_assessment(_record(), "a-nope")


def no_trace():
    mlflow.log_feedback(trace_id="tr-" + "0" * 32, name="ok", value=True)


def searched():
    trace_id = _record()
    mlflow.log_feedback(trace_id=trace_id, name="found", value="here")
    traces = mlflow.search_traces(filter_string="feedback.found = 'here'", return_type="list")
    return [trace.info.trace_id == trace_id for trace in traces]
