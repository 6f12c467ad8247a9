"""What is put together from pieces says the same as a span's record."""

from __future__ import annotations

import pytest

import whence
from whence.otlp.json import decode_request, encode_request
from whence.otlp.records import Resource, ResourceSpans
from whence.sdk import runtime
from whence.sdk.capture import wire
from whence.sdk.capture.record import SharedValues
from whence.sdk.delivery.batches import encode_items
from whence.sdk.delivery.stats import Stats


@pytest.fixture
def ended():
    items = []
    before = runtime.redirect(items.append)
    yield items
    runtime.redirect(before)


@whence.trace(span_type="TOOL", attributes={"model": "m-1", "options": {"a": [1, 2.5]}})
def look_up(text, limit=3):
    return {"text": text, "limit": limit}


@whence.trace(attributes={"whence.inputs": "mine", "whence.metadata.a": "mine"})
def speak_our_words(text):
    return text


@whence.trace(name='a "name" \ud800 with ✓', log_level="WARNING", description="odd")
def odd(text):
    whence.update_current_trace(
        tags={"t": "1"},
        metadata={"k\n": "v\u2028", "a": "x" * 9_000},
        request_preview="preview \ud800",
        response_preview="✓",
        state="ERROR",
        client_request_id="c-1",
        session_id="s-1",
    )
    return text


@whence.trace
def fail(text):
    raise ValueError(text)


def write_all(text):
    odd(text)
    speak_our_words(text)
    with whence.start_span("block", span_type="CHAIN") as outer:
        outer.set_attribute("mlflow.spanType", "AGENT")
        outer.set_attribute("n", 2**70)
        look_up(text)
        look_up("another")
        with pytest.raises(ValueError, match=r".*"):
            fail(text)
        with whence.start_span("inner"):
            pass
        with whence.start_span("events") as span:
            span.add_event("something", {"a": 1})
            span.set_outputs(None)
    whence.start_span_no_context("loose", inputs=[text], tags={"a": "b"}).end(outputs=text)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        'quotes " and \\ and \n\t\x00\x1f\x7f',
        "✓ \U0001f600 \u2028",
        "lone \ud83d half",
    ],
    ids=["plain", "empty", "quoted", "unicode", "surrogate"],
)
def test_the_pieces_say_what_the_record_says(ended, text):
    write_all(text)
    bodies = encode_items(ended, {"service.name": "t"}, Stats(drop_reasons={}))
    quick = [span for body in bodies for group in decode_request(body) for span in group.spans]
    records = [item.to_record() for item in ended]
    slow = decode_request(encode_request([ResourceSpans(Resource(), records)]))[0].spans
    assert len(quick) == 9
    assert {span.span_id: span for span in quick} == {span.span_id: span for span in slow}
    assert sum(body.spans for body in bodies) == 9


def test_most_spans_need_no_record(ended, monkeypatch):
    described = []
    monkeypatch.setattr(wire, "describe_span", lambda span: described.append(span.name))
    with whence.start_span("block"):
        look_up("a")
    for item in ended:
        wire.encode_recorded(item)
    assert described == []


def test_a_span_writes_nothing_into_what_it_shares(ended):
    with whence.start_span("one") as span:
        assert type(span.stored) is SharedValues
        span.set_attribute("mine", 1)
    with whence.start_span("two") as span:
        assert span.get_attribute("mine") is None


def test_spans_of_several_experiments_and_scopes_share_a_body(ended):
    from whence.sdk.capture.tracer import provider

    for experiment in ("one", "two"):
        whence.set_experiment(experiment)
        with whence.start_span("ours"), provider.get_tracer("library").start_as_current_span("its"):
            pass
    (body,) = encode_items(ended, {}, Stats(drop_reasons={}))
    found = [
        (group.resource.attributes["whence.experiment.name"], sorted(s.scope for s in group.spans))
        for group in decode_request(body)
    ]
    assert found == [("one", ["", "library"]), ("two", ["", "library"])]
    assert body.spans == 4
