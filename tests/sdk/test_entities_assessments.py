from __future__ import annotations

import pytest

from whence.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    AssessmentSourceType,
    Document,
    Expectation,
    Feedback,
    Trace,
    TraceData,
    TraceInfo,
    TraceLocation,
)
from whence.errors import InvalidInputError


def test_feedback_defaults_to_code_and_an_expectation_to_a_human():
    assert Feedback(value=1).source == AssessmentSource("CODE", "default")
    assert Expectation("answer", 42).source.source_type == AssessmentSourceType.HUMAN
    assert Feedback().name == "feedback"


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "yes", [1, "a"], {"a": {"b": None}}])
def test_feedback_makes_the_round_trip(value):
    feedback = Feedback(
        name="helpful", value=value, rationale="r", metadata={"k": "v"}, trace_id="t", span_id="s"
    )
    feedback.assessment_id = "a-1"
    again = Assessment.from_dict(feedback.to_dict())
    assert isinstance(again, Feedback)
    assert again == feedback
    assert again.value == value


@pytest.mark.parametrize("value", [False, 3, "Paris", [1], {"a": 1}])
def test_an_expectation_makes_the_round_trip(value):
    expectation = Expectation("capital", value, trace_id="t")
    form = expectation.to_dict()["expectation"]
    assert ("serialized_value" in form) == isinstance(value, (list, dict))
    again = Assessment.from_dict(expectation.to_dict())
    assert isinstance(again, Expectation)
    assert again.value == value


def test_an_expectation_needs_a_value_that_json_can_say():
    with pytest.raises(InvalidInputError, match="must be specified"):
        Expectation("x", None)
    with pytest.raises(InvalidInputError, match="must be JSON-serializable"):
        Expectation("x", object())


def test_a_failed_judge_leaves_its_error():
    try:
        raise ValueError("boom" * 5000)
    except ValueError as problem:
        feedback = Feedback(error=problem)
    assert feedback.error_code == "ValueError"
    assert feedback.error_message.startswith("boom")
    assert len(feedback.error.stack_trace) == 10_000
    again = Assessment.from_dict(feedback.to_dict())
    assert again.error == feedback.error
    assert Feedback(error="text").error == AssessmentError("ASSESSMENT_ERROR", "text")


def test_the_source_type_is_checked_without_regard_to_case():
    assert AssessmentSource("human").source_type == "HUMAN"
    with pytest.warns(FutureWarning, match="AI_JUDGE"):
        assert AssessmentSource("AI_JUDGE").source_type == "LLM_JUDGE"
    with pytest.raises(InvalidInputError, match="Invalid assessment source type: ROBOT"):
        AssessmentSource("ROBOT")


def test_a_source_of_the_wrong_class_is_refused():
    with pytest.raises(InvalidInputError, match="`source` must be an instance"):
        Feedback(value=1, source="me")


def test_the_source_run_is_mirrored_from_the_metadata():
    assert Feedback(metadata={"mlflow.assessment.sourceRunId": "r1"}).run_id == "r1"


def test_an_issue_is_kept_as_it_is():
    form = {
        "assessment_name": "issue-1",
        "source": {"source_type": "HUMAN", "source_id": "ann"},
        "create_time": "2026-11-23T05:00:07.444Z",
        "last_update_time": "2026-11-23T05:00:07.444Z",
        "issue": {"issue_name": "slow"},
        "valid": True,
    }
    assert Assessment.from_dict(form).to_dict() == form


def test_assessments_are_found_by_name_type_and_span():
    good = Feedback(name="good", value=True, span_id="s")
    old = Feedback(name="good", value=False, valid=False)
    truth = Expectation("truth", 1)
    location = TraceLocation.from_experiment_id("0")
    trace = Trace(TraceInfo("t", location, 0, "OK", assessments=[good, old, truth]), TraceData())
    assert trace.search_assessments() == [good, truth]
    assert trace.search_assessments("good", all=True) == [good, old]
    assert trace.search_assessments(type="expectation") == [truth]
    assert trace.search_assessments(span_id="s") == [good]
    with pytest.raises(InvalidInputError, match="'feedback' or 'expectation'"):
        trace.search_assessments(type="issue")


def test_a_document_reads_the_retrievers_of_others():
    class LangChain:
        page_content = "text"
        metadata = {"page": 1}

    assert Document.from_langchain_document(LangChain()).to_dict() == {
        "page_content": "text",
        "metadata": {"page": 1},
        "id": None,
    }
