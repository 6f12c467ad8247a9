from __future__ import annotations

import pytest

import whence
from whence import semconv
from whence.sdk.capture import ids
from whence.sdk.capture.pending import collect_pending
from whence.testing import strip_prefix

SECOND = 1_000_000_000


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0

    monkeypatch.setattr(ids.sources, "monotonic_ns", lambda: Clock.now)
    return Clock


def collect():
    return [item.to_record() for item in collect_pending()]


def test_a_trace_open_for_over_a_second_is_reported_once_and_again_on_change(spans, clock):
    with whence.start_span("root") as root, whence.start_span("child"):
        whence.update_current_trace(metadata={"app_version": "2.1.0"}, session_id="s-1")
        clock.now = SECOND - 1
        assert collect() == []
        clock.now = SECOND
        [record] = collect()
        assert record.name == "root"
        assert record.span_id == root.span_id
        assert record.end_time_ns == 0
        assert record.attributes[semconv.PENDING] is True
        assert strip_prefix(record.attributes, semconv.METADATA_PREFIX) == {
            "app_version": "2.1.0",
            semconv.SESSION: "s-1",
        }
        assert collect() == []
        whence.update_current_trace(tags={"t": "1"})
        [again] = collect()
        assert again.attributes["mlflow.traceTag.t"] == "1"
        assert collect() == []
    final = spans.one("root")
    assert final.end_time_ns > 0
    assert semconv.PENDING not in final.attributes
    assert collect() == []


def test_processors_run_on_what_is_pending_too_and_leave_the_trace_alone(spans, clock):
    def redact(span):
        span.set_inputs("***")
        span.set_trace_metadata({"email": "***"})

    whence.configure(span_processors=[redact])
    with whence.start_span("root") as root:
        root.set_inputs("secret")
        whence.update_current_trace(metadata={"email": "a@b.c"})
        clock.now = SECOND
        [record] = collect()
        assert record.attributes[semconv.INPUTS] == '"***"'
        assert record.attributes[semconv.METADATA_PREFIX + "email"] == "***"
        assert root.inputs == "secret"
        assert root.trace_metadata == {"email": "a@b.c"}
        assert collect() == []


def test_nothing_is_pending_where_a_processor_raises(spans, clock):
    def broken(span):
        raise RuntimeError

    whence.configure(span_processors=[broken])
    with whence.start_span("root"):
        clock.now = SECOND
        assert collect() == []
