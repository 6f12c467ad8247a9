"""Assessments as clients send them: every field by its name of today, checked where it stands.

What comes out is the JSON that `whence.ingest.assessments` reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.entities.assessment_source import SOURCE_TYPES, AssessmentSourceType
from whence.entities.timestamp import format_timestamp
from whence.ingest.assessments import CHANGEABLE
from whence.server.mlflow.requests import missing, refuse

if TYPE_CHECKING:
    from whence.server.mlflow.requests import Fields

TEXTS = ("assessment_id", "assessment_name", "span_id", "rationale", "overrides")
TIMES = ("create_time", "last_update_time")
OLD_SOURCE_TYPES = {"AI_JUDGE": AssessmentSourceType.LLM_JUDGE}


def read_judgement(fields: Fields) -> dict[str, Any]:
    """Return an assessment in the form that ingest reads; fields that are absent are left out."""
    payload: dict[str, Any] = {name: fields.text(name) for name in TEXTS}
    for name in TIMES:
        time_ms = fields.time_ms(name)
        payload[name] = None if time_ms is None else format_timestamp(time_ms)
    payload["source"] = _read_source(fields)
    payload["metadata"] = fields.mapping("metadata") or None
    payload["valid"] = fields.flag("valid")
    payload["feedback"] = _read_feedback(fields)
    payload["expectation"] = _read_expectation(fields)
    issue = fields.inner("issue")
    if issue is not None:
        payload["issue"] = {"issue_name": issue.text("issue_name") or ""}
    return {name: value for name, value in payload.items() if value is not None}


def read_mask(fields: Fields) -> list[str]:
    """Return what an update changes: a text of names with commas between, or a list of names.

    Raises InvalidInputError for a name that can't be changed, and where none is given.
    """
    given = fields.raw("update_mask")
    if given is None:
        raise missing("update_mask")
    if isinstance(given, dict):
        given = given.get("paths")
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise refuse("update_mask", given, f"names out of {', '.join(CHANGEABLE)} are expected")
    wanted = [_to_snake(name.strip()) for name in names if name.strip()]
    if not wanted:
        raise missing("update_mask")
    return list(dict.fromkeys(name.partition(".")[0] for name in wanted))


def _to_snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _read_source(fields: Fields) -> dict[str, str] | None:
    source = fields.inner("source")
    if source is None:
        return None
    given = source.text("source_type") or AssessmentSourceType.SOURCE_TYPE_UNSPECIFIED
    kind = OLD_SOURCE_TYPES.get(given.upper(), given.upper())
    if kind not in SOURCE_TYPES:
        raise refuse("source_type", given, f"one of {', '.join(SOURCE_TYPES)} is expected")
    return {"source_type": kind, "source_id": source.text("source_id") or "default"}


def _read_feedback(fields: Fields) -> dict[str, Any] | None:
    feedback = fields.inner("feedback")
    if feedback is None:
        return None
    read: dict[str, Any] = {"value": feedback.raw("value")}
    error = feedback.inner("error")
    if error is not None:
        texts = {name: error.text(name) for name in ("error_code", "error_message", "stack_trace")}
        read["error"] = {name: text for name, text in texts.items() if text is not None}
    return read


def _read_expectation(fields: Fields) -> dict[str, Any] | None:
    expectation = fields.inner("expectation")
    if expectation is None:
        return None
    serialized = expectation.inner("serialized_value")
    if serialized is not None:
        return {"serialized_value": {"value": serialized.need_text("value")}}
    return {"value": expectation.raw("value")}
