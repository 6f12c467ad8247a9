"""The functions that judge traces, under MLflow's names; `judgements` says what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.entities.assessment import (
    DEFAULT_FEEDBACK_NAME,
    SOURCE_RUN_ID,
    Expectation,
    Feedback,
    IssueReference,
)
from whence.sdk.capture.trace_metadata import check_mapping
from whence.sdk.capture.values import capture
from whence.sdk.reading.client import current_client
from whence.sdk.reading.judgements import Judgements

if TYPE_CHECKING:
    from whence.entities.assessment import Assessment
    from whence.entities.assessment_source import AssessmentError, AssessmentSource

_judgements = Judgements(current_client)


def log_feedback(
    *,
    trace_id: str,
    name: str = DEFAULT_FEEDBACK_NAME,
    value: Any = None,
    source: AssessmentSource | None = None,
    error: BaseException | str | AssessmentError | None = None,
    rationale: str | None = None,
    metadata: dict[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Say how good a trace was: `value` is any JSON value, or `error` why there is none.

    The judge is code unless `source` says otherwise. Raises `NotFoundError` where there is no such
    trace. Returns what was stored.

    >>> import whence
    >>> with whence.start_span("answer") as span:
    ...     whence.log_feedback(trace_id=span.trace_id, name="grounded", value=True).value
    True
    """
    judgement = Feedback(
        name=name,
        value=value,
        error=error,
        source=source,
        trace_id=trace_id,
        metadata=metadata,
        span_id=span_id,
        rationale=rationale,
    )
    return _judgements.log(trace_id, judgement)


def log_expectation(
    *,
    trace_id: str,
    name: str,
    value: Any,
    source: AssessmentSource | None = None,
    metadata: dict[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Say what would have been right: any JSON value but None. The judge is a human by default.

    Raises `InvalidInputError` for a value that JSON has no form for, `NotFoundError` where there
    is no such trace.
    """
    judgement = Expectation(name, value, source, trace_id, metadata, span_id)
    return _judgements.log(trace_id, judgement)


def log_issue(
    *,
    trace_id: str,
    issue_id: str,
    issue_name: str | None = None,
    source: AssessmentSource | None = None,
    run_id: str | None = None,
    rationale: str | None = None,
    metadata: dict[str, str] | None = None,
    span_id: str | None = None,
    evidence: Any = None,
) -> Assessment:
    """Say that a trace shows an issue, by the id under which it is kept elsewhere.

    Whence keeps the reference and no issues of its own; `evidence` becomes metadata of that name.
    Raises `NotFoundError` where there is no such trace.
    """
    said = dict(check_mapping(metadata, "metadata"))
    if run_id is not None:
        said[SOURCE_RUN_ID] = run_id
    if evidence is not None:
        said["evidence"] = evidence if isinstance(evidence, str) else capture(evidence)[0].decode()
    judgement = IssueReference(
        issue_id,
        issue_id if issue_name is None else issue_name,
        source=source,
        trace_id=trace_id,
        run_id=run_id,
        rationale=rationale,
        metadata=said or None,
        span_id=span_id,
    )
    return _judgements.log(trace_id, judgement)


def log_assessment(trace_id: str, assessment: Assessment) -> Assessment:
    """Store a judgement of a trace; return it as it was stored, with its id.

    Raises `NotFoundError` where there is no such trace.
    """
    return _judgements.log(trace_id, assessment)


def get_assessment(trace_id: str, assessment_id: str) -> Assessment:
    """Return a judgement of a trace. Raises `NotFoundError` where there is none of this id."""
    return _judgements.read(trace_id, assessment_id)


def update_assessment(trace_id: str, assessment_id: str, assessment: Assessment) -> Assessment:
    """Change a judgement's name, value, rationale or metadata, as far as `assessment` says them.

    Metadata is merged key by key. The judge, the span and the kind of judgement stay. Raises
    `NotFoundError`, and `InvalidInputError` where it is of another kind.
    """
    return _judgements.update(trace_id, assessment_id, assessment)


def override_feedback(
    *,
    trace_id: str,
    assessment_id: str,
    value: Any,
    rationale: str | None = None,
    source: AssessmentSource | None = None,
    metadata: dict[str, Any] | None = None,
) -> Assessment:
    """Put a feedback in the place of another, which stays readable and is no longer valid.

    Raises `NotFoundError`, and `InvalidInputError` where it is no feedback.
    """
    return _judgements.override(trace_id, assessment_id, value, rationale, source, metadata)


def delete_assessment(trace_id: str, assessment_id: str) -> None:
    """Delete a judgement; the one that it overrode is valid again. One that isn't there is deleted.

    Raises `NotFoundError` where there is no such trace.
    """
    _judgements.delete(trace_id, assessment_id)
