from __future__ import annotations

import json

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError


def redact(span):
    if span.inputs:
        span.set_inputs({**span.inputs, "password": "***"})
    span.set_outputs("gone")
    span.set_attribute("seen", True)
    if "email" in span.trace_metadata:
        span.set_trace_metadata({"email": "***"})


def test_a_processor_may_change_everything_before_it_leaves(spans, inputs_of, outputs_of):
    whence.configure(span_processors=[redact])

    @whence.trace
    def login(name, password):
        whence.update_current_trace(metadata={"email": "a@b.c"})
        return password

    assert login("ada", "secret") == "secret"
    record = spans.one()
    assert inputs_of(record) == {"name": "ada", "password": "***"}
    assert outputs_of(record) == "gone"
    assert record.attributes["seen"] is True
    assert spans.metadata() == {"email": "***"}
    assert "secret" not in json.dumps(record.attributes)


def test_a_processor_that_raises_is_skipped_and_the_payload_is_withheld(spans, warnings_logged):
    seen = []

    def broken(span):
        raise KeyError("x")

    whence.tracing.configure(span_processors=[broken, lambda span: seen.append(span.name)])

    @whence.trace
    def call(secret):
        return secret

    assert call("s3cret") == "s3cret"
    record = spans.one()
    assert seen == ["call"]
    assert semconv.INPUTS not in record.attributes
    assert semconv.OUTPUTS not in record.attributes
    assert "span processor broken raised" in record.attributes[semconv.CAPTURE_PROBLEM]
    assert any("span processor broken" in text for text in warnings_logged())


def test_a_processor_that_returns_something_is_warned_about(spans, warnings_logged):
    whence.tracing.configure(span_processors=[lambda span: span])
    with whence.start_span("s"):
        pass
    assert any("must return nothing" in text for text in warnings_logged())


def test_processors_are_checked_at_once():
    with pytest.raises(InvalidInputError, match="must be a function"):
        whence.tracing.configure(span_processors=[redact, "x"])
    with pytest.raises(InvalidInputError, match="must be a list"):
        whence.tracing.configure(span_processors=redact)


def test_configure_is_also_a_context_manager(spans):
    seen = []
    whence.tracing.configure(span_processors=[lambda span: seen.append("outer")])
    with (
        whence.tracing.configure(span_processors=[lambda span: seen.append("inner")]),
        whence.start_span("a"),
    ):
        pass
    with whence.start_span("b"):
        pass
    whence.tracing.configure()
    with whence.start_span("c"):
        pass
    assert seen == ["inner", "outer"]
    assert len(spans) == 3


def test_traced_functions_called_by_a_processor_add_no_spans(spans):
    traced = whence.trace(lambda: 1, name="in the processor")

    def call_it(span):
        traced()

    whence.tracing.configure(span_processors=[call_it])
    with whence.start_span("a"):
        pass
    assert spans.names() == ["a"]
