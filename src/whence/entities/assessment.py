"""A judgement on a trace: feedback (how good was it), an expectation (what was right), an issue.

The JSON form is MLflow's. An expectation that is a list or a dict travels as JSON text, under
`serialized_value`, as MLflow's server demands it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from whence.entities.assessment_source import (
    AssessmentError,
    AssessmentSource,
    AssessmentSourceType,
)
from whence.entities.timestamp import format_timestamp, parse_timestamp
from whence.errors import InvalidInputError

SOURCE_RUN_ID = "mlflow.assessment.sourceRunId"
JSON_FORMAT = "JSON_FORMAT"
DEFAULT_FEEDBACK_NAME = "feedback"


@dataclass
class FeedbackValue:
    """Any JSON value, or the reason why there is none."""

    value: Any = None
    error: AssessmentError | None = None


@dataclass
class ExpectationValue:
    """Any JSON value but null."""

    value: Any


@dataclass
class IssueReferenceValue:
    """The title of an issue."""

    issue_name: str


@dataclass
class Assessment:
    """What all judgements have in common. Times are milliseconds since the epoch."""

    name: str
    source: AssessmentSource
    trace_id: str | None = None
    run_id: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] | None = None
    span_id: str | None = None
    create_time_ms: int | None = None
    last_update_time_ms: int | None = None
    assessment_id: str | None = None
    error: AssessmentError | None = None
    expectation: ExpectationValue | None = None
    feedback: FeedbackValue | None = None
    issue: IssueReferenceValue | None = None
    overrides: str | None = None
    valid: bool | None = None

    def __post_init__(self) -> None:
        source: object = self.source
        if not isinstance(source, AssessmentSource):
            msg = (
                f"`source` must be an instance of `AssessmentSource`, got {type(source).__name__}."
            )
            raise InvalidInputError(msg)
        kinds = (self.expectation, self.feedback, self.issue)
        if sum(kind is not None for kind in kinds) != 1:
            msg = "An assessment is either feedback, an expectation or an issue: give exactly one."
            raise InvalidInputError(msg)
        now_ms = time.time_ns() // 1_000_000
        if self.create_time_ms is None:
            self.create_time_ms = now_ms
        if self.last_update_time_ms is None:
            self.last_update_time_ms = self.create_time_ms
        if self.feedback is not None and self.error is None:
            self.error = self.feedback.error
        if self.run_id is None and self.metadata:
            self.run_id = self.metadata.get(SOURCE_RUN_ID)

    def to_dict(self) -> dict[str, Any]:
        """Return MLflow's JSON form; a field that is not set is left out."""
        form: dict[str, Any] = {
            "assessment_id": self.assessment_id,
            "assessment_name": self.name,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "source": self.source.to_dict(),
            "create_time": format_timestamp(self.create_time_ms or 0),
            "last_update_time": format_timestamp(self.last_update_time_ms or 0),
            "rationale": self.rationale,
            "metadata": self.metadata,
            "overrides": self.overrides,
            "valid": self.valid,
        }
        if self.feedback is not None:
            form["feedback"] = {"value": self.feedback.value}
            if self.feedback.error is not None:
                form["feedback"]["error"] = self.feedback.error.to_dict()
        if self.expectation is not None:
            form["expectation"] = _write_expectation(self.expectation.value)
        if self.issue is not None:
            form["issue"] = {"issue_name": self.issue.issue_name}
        return {key: value for key, value in form.items() if value is not None}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Assessment:
        """Read MLflow's JSON form, as `Feedback`, `Expectation` or `IssueReference`."""
        common: dict[str, Any] = {
            "source": AssessmentSource.from_dict(data.get("source") or {}),
            "trace_id": data.get("trace_id"),
            "metadata": data.get("metadata"),
            "span_id": data.get("span_id"),
            "create_time_ms": _read_time(data, "create_time"),
            "last_update_time_ms": _read_time(data, "last_update_time"),
        }
        name = data.get("assessment_name") or DEFAULT_FEEDBACK_NAME
        assessment: Assessment
        if (feedback := data.get("feedback")) is not None:
            error = feedback.get("error")
            assessment = Feedback(
                name=name,
                value=feedback.get("value"),
                error=AssessmentError.from_dict(error) if error else None,
                **common,
            )
        elif (expectation := data.get("expectation")) is not None:
            assessment = Expectation(name=name, value=_read_expectation(expectation), **common)
        else:
            title = (data.get("issue") or {}).get("issue_name")
            assessment = IssueReference(name, str(title or ""), **common)
        assessment.rationale = data.get("rationale")
        assessment.overrides = data.get("overrides")
        assessment.assessment_id = data.get("assessment_id")
        assessment.valid = data.get("valid", True)
        return assessment

    to_dictionary = to_dict
    from_dictionary = from_dict


def _read_time(data: dict[str, Any], key: str) -> int | None:
    text = data.get(key)
    return parse_timestamp(text) if text else None


def _write_expectation(value: Any) -> dict[str, Any]:
    if isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False)
        return {"serialized_value": {"serialization_format": JSON_FORMAT, "value": text}}
    return {"value": value}


def _read_expectation(form: dict[str, Any]) -> Any:
    serialized = form.get("serialized_value")
    return json.loads(serialized["value"]) if serialized else form.get("value")


class Feedback(Assessment):
    """How good an answer was: `value` is any JSON value, or `error` says why there is none."""

    def __init__(
        self,
        name: str = DEFAULT_FEEDBACK_NAME,
        value: Any = None,
        error: BaseException | str | AssessmentError | None = None,
        source: AssessmentSource | None = None,
        trace_id: str | None = None,
        metadata: dict[str, str] | None = None,
        span_id: str | None = None,
        create_time_ms: int | None = None,
        last_update_time_ms: int | None = None,
        rationale: str | None = None,
        overrides: str | None = None,
        valid: bool = True,
    ) -> None:
        if isinstance(error, BaseException):
            error = AssessmentError.from_exception(error)
        elif isinstance(error, str):
            error = AssessmentError(error_code="ASSESSMENT_ERROR", error_message=error)
        super().__init__(
            name=name,
            source=AssessmentSource(AssessmentSourceType.CODE) if source is None else source,
            trace_id=trace_id,
            metadata=metadata,
            span_id=span_id,
            create_time_ms=create_time_ms,
            last_update_time_ms=last_update_time_ms,
            rationale=rationale,
            overrides=overrides,
            valid=valid,
            feedback=FeedbackValue(value, error),
        )

    @property
    def value(self) -> Any:
        """The judgement itself."""
        return self.feedback.value if self.feedback else None

    @property
    def error_code(self) -> str | None:
        """The class of what went wrong, or None."""
        return self.error.error_code if self.error else None

    @property
    def error_message(self) -> str | None:
        """What went wrong, or None."""
        return self.error.error_message if self.error else None


class Expectation(Assessment):
    """What would have been right: any JSON value but None."""

    def __init__(
        self,
        name: str,
        value: Any,
        source: AssessmentSource | None = None,
        trace_id: str | None = None,
        metadata: dict[str, str] | None = None,
        span_id: str | None = None,
        create_time_ms: int | None = None,
        last_update_time_ms: int | None = None,
    ) -> None:
        if value is None:
            msg = "The `value` field must be specified for an expectation."
            raise InvalidInputError(msg)
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as problem:
            msg = (
                f"Failed to serialize value of type {type(value).__name__}. "
                "Expectation value must be JSON-serializable."
            )
            raise InvalidInputError(msg) from problem
        super().__init__(
            name=name,
            source=AssessmentSource(AssessmentSourceType.HUMAN) if source is None else source,
            trace_id=trace_id,
            metadata=metadata,
            span_id=span_id,
            create_time_ms=create_time_ms,
            last_update_time_ms=last_update_time_ms,
            expectation=ExpectationValue(value),
        )

    @property
    def value(self) -> Any:
        """What would have been right."""
        return self.expectation.value if self.expectation else None


class IssueReference(Assessment):
    """That a trace shows an issue which is kept elsewhere: its id is the assessment's name."""

    def __init__(
        self,
        issue_id: str,
        issue_name: str,
        source: AssessmentSource | None = None,
        trace_id: str | None = None,
        run_id: str | None = None,
        rationale: str | None = None,
        metadata: dict[str, str] | None = None,
        span_id: str | None = None,
        create_time_ms: int | None = None,
        last_update_time_ms: int | None = None,
    ) -> None:
        if not isinstance(issue_id, str) or not issue_id:
            raise InvalidInputError("`issue_id` must be a non-empty string.")
        super().__init__(
            name=issue_id,
            source=AssessmentSource(AssessmentSourceType.LLM_JUDGE) if source is None else source,
            trace_id=trace_id,
            run_id=run_id,
            rationale=rationale,
            metadata=metadata,
            span_id=span_id,
            create_time_ms=create_time_ms,
            last_update_time_ms=last_update_time_ms,
            issue=IssueReferenceValue(issue_name),
        )

    @property
    def issue_id(self) -> str:
        """The id of the issue."""
        return self.name

    @property
    def issue_name(self) -> str:
        """The title of the issue."""
        return self.issue.issue_name if self.issue else ""
