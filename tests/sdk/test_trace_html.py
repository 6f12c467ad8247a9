"""What a notebook shows of a trace."""

from __future__ import annotations

import pytest

import whence
from whence.entities import (
    Span,
    SpanStatus,
    SpanStatusCode,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
    TraceState,
)


def make(*spans: Span, **info: object) -> Trace:
    return Trace(
        TraceInfo("tr-1", TraceLocation.from_experiment_id("0"), 1, TraceState.OK, **info),
        TraceData(list(spans)),
    )


def span(number: int, parent: int | None = None, **more: object) -> Span:
    return Span(
        trace_id="tr-1",
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=f"span-{number}",
        start_time_ns=number,
        end_time_ns=number + 2_500_000,
        **more,
    )


def html(trace: Trace) -> str:
    return trace._repr_mimebundle_()["text/html"]


def test_a_notebook_shows_the_tree_with_what_matters():
    child = span(2, 1, attributes={"mlflow.spanInputs": {"q": 1}, "mlflow.spanType": "TOOL"})
    failed = span(3, 2, status=SpanStatus(SpanStatusCode.ERROR, "ValueError: no"))
    trace = make(
        span(1),
        child,
        failed,
        duration_ns=7_000_000,
        trace_metadata={"environment": "prod", "app_version": "2.1.0"},
        tags={"mlflow.traceName": "answer"},
    )
    shown = html(trace)
    for text in ("answer", "production", "2.1.0", "7.0 ms", "2.5 ms", "TOOL", "ValueError: no"):
        assert text in shown
    assert shown.index("padding-left:0px'>span-1") < shown.index("padding-left:16px'>span-2")
    assert "padding-left:32px'>span-3" in shown
    assert trace._repr_mimebundle_()["text/plain"] == repr(trace)


def test_nothing_in_a_trace_is_taken_for_markup():
    bad = "<script>alert(1)</script>"
    hostile = Span(
        trace_id="tr-1",
        span_id="1" * 16,
        name=bad,
        start_time_ns=1,
        attributes={"mlflow.spanInputs": bad, "mlflow.spanType": bad},
        status=SpanStatus(SpanStatusCode.ERROR, bad),
    )
    trace = make(hostile, trace_metadata={"app_version": bad}, tags={"mlflow.traceName": bad})
    assert "<script" not in html(trace)


def test_a_large_trace_is_cut():
    spans = [span(number, number - 1 if number else None) for number in range(500)]
    shown = html(make(*spans))
    assert "and 300 more spans" in shown
    long = make(span(1, attributes={"mlflow.spanOutputs": "x" * 100_000}))
    assert len(html(long)) < 5_000


def test_spans_in_a_circle_are_shown_without_end():
    assert "span-1" not in html(make(span(1, 2), span(2, 1)))


@pytest.fixture
def display():
    yield
    whence.tracing.enable_notebook_display()


def test_the_display_can_be_switched_off(display):
    trace = make(span(1))
    whence.tracing.disable_notebook_display()
    assert "text/html" not in trace._repr_mimebundle_()
    whence.tracing.enable_notebook_display()
    assert "text/html" in trace._repr_mimebundle_()
