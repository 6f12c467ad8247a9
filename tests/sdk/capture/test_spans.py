from __future__ import annotations

import copy
import pickle

import pytest
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Status, StatusCode

import whence
from whence import entities, semconv
from whence.errors import InvalidInputError
from whence.otlp.records import STATUS_ERROR, STATUS_OK
from whence.testing import START_NS, TICK_NS, deterministic


def test_a_block_is_a_span(spans, inputs_of, outputs_of):
    with whence.start_span(
        "plan", span_type="CHAIN", attributes={"a": 1}, log_level="INFO", description="d"
    ) as span:
        span.set_inputs({"q": 1})
        span.set_outputs([1])
        span.set_span_type("AGENT")
        span.add_event(entities.SpanEvent("e", 5, {"x": 1}))
    record = spans.one("plan")
    assert inputs_of(record) == {"q": 1}
    assert outputs_of(record) == [1]
    assert record.attributes[semconv.SPAN_TYPE] == "AGENT"
    assert record.attributes["a"] == 1
    assert record.attributes[semconv.SPAN_LOG_LEVEL] == 20
    assert record.attributes[semconv.SPAN_DESCRIPTION] == "d"
    assert (record.events[0].name, record.events[0].time_ns, record.events[0].attributes) == (
        "e",
        5,
        {"x": 1},
    )
    assert record.status == STATUS_OK


def test_a_block_that_raises_is_an_error(spans):
    with pytest.raises(ValueError), whence.start_span("s"):
        raise ValueError("v")
    assert (spans.one().status, spans.one().status_message) == (STATUS_ERROR, "ValueError: v")


async def test_start_span_decorates_functions_too(spans):
    @whence.start_span("sync")
    def call():
        return 1

    @whence.start_span("async")
    async def call_async():
        return 2

    assert (call(), call(), await call_async()) == (1, 1, 2)
    assert spans.names() == ["sync", "sync", "async"]


def test_a_live_span_reads_like_a_span_of_either_api(spans):
    with deterministic(), whence.start_span("s", span_type="LLM") as span:
        assert isinstance(span, OtelSpan)
        assert isinstance(span, entities.Span)
        assert span.trace_id == "tr-" + "0" * 31 + "1"
        assert span.span_id == "0" * 15 + "2"
        assert span.parent_id is None
        assert span.start_time_ns == START_NS + TICK_NS
        assert span.end_time_ns is None
        assert span.status.status_code == "UNSET"
        span.set_inputs({"a": (1, 2)})
        assert span.inputs == {"a": [1, 2]}
        assert span.get_attribute("mlflow.spanInputs") == {"a": [1, 2]}
        assert span.span_type == "LLM"
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 1})
        assert span.token_usage == {"input_tokens": 1}
        assert span.attributes["mlflow.spanType"] == "LLM"
    assert span.end_time_ns == START_NS + 2 * TICK_NS
    frozen = span.to_immutable_span()
    assert type(frozen) is entities.Span
    assert frozen.to_dict() == span.to_dict()
    assert frozen.to_dict()["attributes"]["mlflow.spanInputs"] == '{"a": [1, 2]}'


def test_spans_without_context_hang_where_they_are_told(spans):
    root = whence.start_span_no_context(
        "root",
        span_type="AGENT",
        inputs=[1],
        attributes={"a": 1},
        tags={"t": "1"},
        metadata={"m": "1"},
        start_time_ns=5,
    )
    assert whence.get_current_active_span() is None
    child = whence.start_span_no_context("child", parent_span=root)
    with whence.start_span("unrelated"):
        other = whence.start_span_no_context("other")
    child.end(outputs="o", attributes={"b": 2}, status="ERROR")
    other.end()
    root.end(end_time_ns=9)
    record = spans.one("root")
    assert (record.start_time_ns, record.end_time_ns) == (5, 9)
    assert spans.metadata("root") == {"m": "1"}
    assert spans.tags("root") == {"t": "1"}
    assert spans.one("child").parent_id == record.span_id
    assert spans.one("child").status == STATUS_ERROR
    assert spans.one("other").parent_id is None
    with pytest.raises(InvalidInputError):
        whence.start_span_no_context("x", metadata="abc")


@pytest.mark.parametrize(
    "status",
    [
        "ERROR",
        entities.SpanStatusCode.ERROR,
        entities.SpanStatus("ERROR", "why"),
        StatusCode.ERROR,
        Status(StatusCode.ERROR, "why"),
    ],
)
def test_every_form_of_a_status_is_understood(spans, status):
    with whence.start_span("s") as span:
        span.set_status(status)
        assert span.status.status_code == "ERROR"
    assert spans.one().status == STATUS_ERROR


def test_a_status_that_does_not_exist_is_refused(spans):
    with (
        whence.start_span("s") as span,
        pytest.raises(InvalidInputError, match="BAD is not a valid SpanStatusCode value"),
    ):
        span.set_status("BAD")


def test_an_exception_recorded_by_hand_makes_the_span_an_error(spans):
    with whence.start_span("s") as span:
        span.record_exception("just a text")
    record = spans.one()
    assert record.status == STATUS_ERROR
    assert record.events[0].attributes["exception.message"] == "just a text"
    assert record.attributes[semconv.SPAN_LOG_LEVEL] == 40


def test_live_spans_cannot_be_copied_or_pickled():
    span = whence.start_span_no_context("s")
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="to_immutable_span"):
            attempt(span)


def test_a_clock_that_is_set_back_leaves_no_negative_durations(spans, monkeypatch):
    from whence.sdk.capture import ids

    wall = iter(range(10**18, 0, -(10**9)))
    monkeypatch.setattr(ids.sources, "wall_ns", lambda: next(wall))
    with whence.start_span("root"), whence.start_span("child"):
        pass
    root, child = spans.one("root"), spans.one("child")
    assert root.start_time_ns <= child.start_time_ns <= child.end_time_ns <= root.end_time_ns


def test_every_public_name_of_mlflows_core_is_there():
    import whence as mlflow

    names = "trace start_span start_span_no_context update_current_trace get_current_active_span get_active_trace_id get_last_active_trace_id set_trace_tag delete_trace_tag set_experiment set_tracking_uri get_tracking_uri flush_trace_async_logging"
    assert [name for name in names.split() if not callable(getattr(mlflow, name))] == []
    assert mlflow.entities.SpanType.LLM == "LLM"
    assert mlflow.tracing.disable_notebook_display() is mlflow.tracing.enable_notebook_display()


def test_names_and_types_that_are_no_strings_are_written_as_text(spans):
    import enum

    class Kind(str, enum.Enum):
        STEP = "STEP"

    with whence.start_span(5, span_type=Kind.STEP), whence.start_span("none", span_type=None):
        pass
    assert [(r.name, r.attributes[semconv.SPAN_TYPE]) for r in spans.records] == [
        ("none", "UNKNOWN"),
        ("5", "STEP"),
    ]
    assert type(spans.records[1].attributes[semconv.SPAN_TYPE]) is str


def test_roots_that_are_never_ended_do_not_pile_up(monkeypatch):
    from whence.sdk.capture import active

    monkeypatch.setattr(active, "MAX_OPEN", 10)
    roots = [whence.start_span_no_context("never ended") for _ in range(25)]
    assert len(active.registry) == 10
    assert whence.tracing.stats().problems["never_ended"] == 15
    assert active.find_open(roots[-1].trace_id) is not None
