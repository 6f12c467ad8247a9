"""Judging traces: while they are open, and when they are stored; through a real server."""

from __future__ import annotations

import pytest

import whence
from whence.entities import (
    AssessmentSource,
    Expectation,
    Feedback,
    IssueReference,
)
from whence.errors import InvalidInputError, NotFoundError
from whence.testing import capture_spans

JUDGE = AssessmentSource("LLM_JUDGE", "judge-1")


def record() -> str:
    with whence.start_span("answer") as span:
        pass
    return span.trace_id


def read(trace_id: str, *, every: bool = False):
    return whence.get_trace(trace_id).search_assessments(all=every)


@pytest.fixture(params=["open", "stored"])
def judged(request, experiment):
    """The id of a trace that is open, or stored, and what ends it."""
    if request.param == "stored":
        yield record()
        return
    with whence.start_span("answer") as span:
        yield span.trace_id


def test_feedback_is_read_back_as_it_was_logged(judged):
    logged = whence.log_feedback(
        trace_id=judged,
        name="grounded",
        value=0.5,
        source=JUDGE,
        rationale="half of it",
        metadata={"model": "small", "turn": 3},
        span_id="00f067aa0ba902b7",
    )
    assert logged.assessment_id.startswith("a-")
    assert whence.get_assessment(judged, logged.assessment_id) == logged
    assert (logged.name, logged.value, logged.source) == ("grounded", 0.5, JUDGE)
    assert (logged.rationale, logged.span_id) == ("half of it", "00f067aa0ba902b7")
    assert logged.metadata == {"model": "small", "turn": "3"}
    assert logged.trace_id == judged
    assert logged.valid is True


@pytest.mark.parametrize("value", [None, True, 3, 0.25, "yes", ["a", 1], {"a": [1, 2]}])
def test_a_value_keeps_its_type(judged, value):
    logged = whence.log_feedback(trace_id=judged, value=value)
    stored = whence.get_assessment(judged, logged.assessment_id).value
    assert stored == value
    assert type(stored) is type(value)


@pytest.mark.parametrize("value", [7, "Paris", ["Paris", "Lyon"], {"city": "Paris"}])
def test_an_expectation_keeps_its_value(judged, value):
    logged = whence.log_expectation(trace_id=judged, name="capital", value=value)
    stored = whence.get_assessment(judged, logged.assessment_id)
    assert isinstance(stored, Expectation)
    assert stored.value == value
    assert stored.source.source_type == "HUMAN"


def test_an_exception_is_kept_as_the_reason_why_there_is_no_value(judged):
    logged = whence.log_feedback(trace_id=judged, name="score", error=ValueError("no text"))
    stored = whence.get_assessment(judged, logged.assessment_id)
    assert (stored.value, stored.error_code, stored.error_message) == (
        None,
        "ValueError",
        "no text",
    )


def test_an_issue_is_named_by_its_id(judged):
    logged = whence.log_issue(
        trace_id=judged, issue_id="iss-7", issue_name="Slow", run_id="r-1", evidence=["late"]
    )
    stored = whence.get_assessment(judged, logged.assessment_id)
    assert isinstance(stored, IssueReference)
    assert (stored.issue_id, stored.issue_name, stored.run_id) == ("iss-7", "Slow", "r-1")
    assert stored.metadata["evidence"] == '["late"]'


def test_an_overridden_feedback_stays_and_is_no_longer_valid(judged):
    first = whence.log_feedback(trace_id=judged, name="ok", value=False, span_id="0" * 15 + "7")
    second = whence.override_feedback(
        trace_id=judged, assessment_id=first.assessment_id, value=True, rationale="looked again"
    )
    assert (second.name, second.value, second.overrides) == ("ok", True, first.assessment_id)
    assert second.span_id == first.span_id
    assert whence.get_assessment(judged, first.assessment_id).valid is False
    whence.delete_assessment(judged, second.assessment_id)
    assert whence.get_assessment(judged, first.assessment_id).valid is True


def test_only_feedback_can_be_overridden(judged):
    expectation = whence.log_expectation(trace_id=judged, name="city", value="Paris")
    with pytest.raises(InvalidInputError, match="is not a feedback assessment"):
        whence.override_feedback(
            trace_id=judged, assessment_id=expectation.assessment_id, value="Lyon"
        )


def test_a_deleted_assessment_is_gone_and_deleting_it_again_does_nothing(judged):
    logged = whence.log_feedback(trace_id=judged, value=1)
    whence.delete_assessment(judged, logged.assessment_id)
    whence.delete_assessment(judged, logged.assessment_id)
    with pytest.raises(NotFoundError) as raised:
        whence.get_assessment(judged, logged.assessment_id)
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_an_update_changes_what_it_says_and_merges_metadata(judged):
    logged = whence.log_feedback(trace_id=judged, name="ok", value=False, metadata={"a": "1"})
    given = Feedback("ok", True, source=JUDGE, metadata={"b": "2"}, rationale="now it is")
    updated = whence.update_assessment(judged, logged.assessment_id, given)
    assert (updated.value, updated.rationale) == (True, "now it is")
    assert updated.metadata == {"a": "1", "b": "2"}
    assert updated.source.source_type == "CODE"
    assert whence.get_assessment(judged, logged.assessment_id) == updated


def test_an_update_cannot_change_the_kind(judged):
    logged = whence.log_expectation(trace_id=judged, name="city", value="Paris")
    with pytest.raises(InvalidInputError, match="Cannot update feedback value on an Expectation"):
        whence.update_assessment(judged, logged.assessment_id, Feedback("city", "Lyon"))


def test_what_is_said_of_an_open_trace_travels_with_it(experiment):
    with whence.start_span("answer") as span:
        kept = whence.log_feedback(trace_id=span.trace_id, name="kept", value=1)
        gone = whence.log_feedback(trace_id=span.trace_id, name="gone", value=1)
        whence.delete_assessment(span.trace_id, gone.assessment_id)
        old = whence.log_feedback(trace_id=span.trace_id, name="again", value=1)
        new = whence.override_feedback(
            trace_id=span.trace_id, assessment_id=old.assessment_id, value=2
        )
    found = {one.assessment_id: one for one in read(span.trace_id, every=True)}
    assert set(found) == {kept.assessment_id, old.assessment_id, new.assessment_id}
    assert found[kept.assessment_id] == kept
    assert [one.valid for one in (found[old.assessment_id], found[new.assessment_id])] == [
        False,
        True,
    ]
    assert whence.search_traces(filter_string="feedback.kept = '1'", return_type="list") != []


def test_judging_an_open_trace_asks_no_server(monkeypatch):
    monkeypatch.setenv("WHENCE_URL", "http://127.0.0.1:9")
    with capture_spans() as spans, whence.start_span("answer") as span:
        whence.log_feedback(trace_id=span.trace_id, value=True)
    assert "whence.assessments" in spans.one().attributes


def test_what_an_api_call_changed_is_not_set_back_by_the_same_trace_again(experiment):
    from whence.otlp.json import encode_request
    from whence.otlp.records import Resource, ResourceSpans

    with capture_spans() as spans, whence.start_span("answer") as span:
        logged = whence.log_feedback(trace_id=span.trace_id, value=1)
    body = encode_request([ResourceSpans(Resource({}), spans.records)])
    send(body)
    whence.delete_assessment(span.trace_id, logged.assessment_id)
    send(body)
    assert read(span.trace_id) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1, 0)])
def test_what_a_trace_says_at_its_end_is_stronger_than_what_it_said_meanwhile(experiment, order):
    from whence.otlp.json import encode_request
    from whence.otlp.records import Resource, ResourceSpans

    with capture_spans() as spans, whence.start_span("answer") as span:
        changed = whence.log_feedback(trace_id=span.trace_id, name="changed", value=1)
        gone = whence.log_feedback(trace_id=span.trace_id, name="gone", value=1)
        pending = span.as_pending().to_record()
        whence.update_assessment(span.trace_id, changed.assessment_id, Feedback("changed", 2))
        whence.delete_assessment(span.trace_id, gone.assessment_id)
    bodies = [
        encode_request([ResourceSpans(Resource({}), [one])]) for one in (pending, spans.one())
    ]
    for number in order:
        send(bodies[number])
    assert [(one.name, one.value) for one in read(span.trace_id)] == [("changed", 2)]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{}", "[1]", '[{"feedback": 5}]', "[" * 5000, '[{"assessment_id": 5}]']
)
def test_assessments_that_cannot_be_read_do_not_hold_up_their_span(experiment, text):
    with whence.start_span("answer") as span:
        span.set_attribute("whence.assessments", text)
    assert whence.get_trace(span.trace_id).info.assessments == []
    assert whence.tracing.stats().dropped == 0


def test_a_trace_that_is_not_there_cannot_be_judged(experiment):
    with pytest.raises(NotFoundError):
        whence.log_feedback(trace_id="tr-" + "e" * 32, value=1)
    with pytest.raises(NotFoundError):
        whence.get_assessment("tr-" + "e" * 32, "a-1")


def test_nothing_is_stored_of_a_span_that_was_not_recorded(experiment):
    with whence.tracing.context(enabled=False), whence.start_span("answer") as span:
        logged = whence.log_feedback(trace_id=span.trace_id, value=0.5)
    assert logged.value == 0.5


@pytest.mark.parametrize("assessment", [None, "yes", {"value": 1}])
def test_what_is_no_assessment_is_refused(judged, assessment):
    with pytest.raises(InvalidInputError, match="must be a Feedback"):
        whence.log_assessment(judged, assessment)


def test_hostile_values_do_not_harm_the_trace(experiment):
    class Odd:
        def __str__(self):
            raise RuntimeError

    circle: list[object] = []
    circle.append(circle)
    with whence.start_span("answer") as span:
        for value in (Odd(), circle, "\ud800", float("nan"), 10**40, b"\0", {1: 2}):
            whence.log_feedback(trace_id=span.trace_id, value=value, rationale="\ud800\0")
    assert len(read(span.trace_id)) == 7


def send(body: bytes) -> None:
    import urllib.request

    request = urllib.request.Request(
        whence.get_tracking_uri() + "/v1/traces",
        body,
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
