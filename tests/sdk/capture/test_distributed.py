from __future__ import annotations

import pytest

import whence
from whence import semconv
from whence.errors import InvalidInputError


def test_a_trace_goes_on_in_another_service(spans):
    with whence.start_span("caller") as caller:
        headers = whence.tracing.get_tracing_context_headers_for_http_request()
    assert headers == {"traceparent": f"00-{caller.trace_id[3:]}-{caller.span_id}-03"}

    with whence.tracing.set_tracing_context_from_http_request_headers(
        {"Traceparent": headers["traceparent"]}
    ):
        with whence.start_span("service"):
            whence.update_current_trace(metadata={"service": "b"}, tags={"t": "1"})
            with whence.start_span("inner"):
                pass
    assert whence.get_active_trace_id() is None
    service, inner = spans.one("service"), spans.one("inner")
    assert (service.trace_id, service.parent_id) == (caller.trace_id[3:], caller.span_id)
    assert service.attributes[semconv.LOCAL_ROOT] is True
    assert spans.metadata("service") == {"service": "b"}
    assert inner.parent_id == service.span_id


def test_a_span_that_ends_after_the_callers_block_is_not_lost(spans):
    headers = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00", "tracestate": "vendor=1"}
    with whence.tracing.set_tracing_context_from_http_request_headers(headers):
        span = whence.start_span("late").__enter__()
        carried = whence.tracing.get_tracing_context_headers_for_http_request()
    span.end()
    record = spans.one()
    assert (record.trace_id, record.parent_id, record.trace_state) == (
        "a" * 32,
        "b" * 16,
        "vendor=1",
    )
    assert carried["tracestate"] == "vendor=1"


def test_inside_an_own_trace_the_callers_headers_win(spans):
    headers = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}
    with whence.start_span("own") as own:
        with (
            whence.tracing.set_tracing_context_from_http_request_headers(headers),
            whence.start_span("callers"),
        ):
            pass
        assert whence.get_current_active_span() is own
    assert spans.one("callers").trace_id == "a" * 32
    assert spans.one("own").trace_id != "a" * 32


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": ""},
        {"traceparent": "nonsense"},
        {"traceparent": "00-" + "0" * 32 + "-" + "b" * 16 + "-01"},
    ],
)
def test_headers_without_a_usable_traceparent_are_refused(headers):
    with pytest.raises(InvalidInputError, match="traceparent"):
        with whence.tracing.set_tracing_context_from_http_request_headers(headers):
            raise AssertionError("not reached")


def test_without_an_active_span_there_are_no_headers(warnings_logged):
    assert whence.tracing.get_tracing_context_headers_for_http_request() == {}
    assert len(warnings_logged()) == 1


def test_recording_that_is_off_stays_off_below_a_remote_parent(spans):
    headers = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}
    with (
        whence.tracing.context(enabled=False),
        whence.tracing.set_tracing_context_from_http_request_headers(headers),
    ):
        with whence.start_span("off"):
            pass
    assert len(spans) == 0
