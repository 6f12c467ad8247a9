"""Assessments in MLflow's JSON, as rows.

`{"assessment_name", "source": {"source_type", "source_id"}, "feedback": {"value", "error"?} |
"expectation": {"value"} | {"serialized_value": {"value"}} | "issue": {"issue_name"}, "rationale"?,
"metadata"?, "span_id"?, "overrides"?, "valid"?, "assessment_id"?, "create_time"?,
"last_update_time"?}`. Times are RFC 3339 or left out. An id is made where none is given: from the
content for one inside a header or on a root, so that a retry makes the same.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from whence.entities.surrogates import clean
from whence.entities.timestamp import EPOCH
from whence.errors import InvalidInputError
from whence.ingest.jsontext import from_json, keep_json, to_json
from whence.store.rows import AssessmentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KINDS = ("feedback", "expectation", "issue")
CHANGEABLE = ("assessment_name", *KINDS, "rationale", "metadata")
MAX_STACK_TRACE_CHARS = 10_000
# Of one inside a header, or on a root that is still open or has ended: whatever an API call writes
# outranks it.
INITIAL_VERSION, FINAL_INITIAL_VERSION = 1, 2


def make_assessment_id(seed: Mapping[str, Any] | None = None) -> str:
    """Return a new id; with a seed, always the same for the same content."""
    if seed is None:
        return f"a-{uuid.uuid4().hex}"
    return f"a-{hashlib.blake2b(to_json(dict(seed)).encode(), digest_size=16).hexdigest()}"


def read_assessment_id(payload: Mapping[str, Any]) -> str:
    """Return the id that an assessment has, '' for none; raise where it is no string."""
    return _read_text(payload, "assessment_id")


def name_assessment(payload: Mapping[str, Any]) -> str:
    """Return the id that an assessment has, or the one that its content gives it."""
    return read_assessment_id(payload) or make_assessment_id(payload)


def read_assessment(
    trace_id: str, payload: Mapping[str, Any], *, assessment_id: str, now_ms: int, version: int
) -> AssessmentRow:
    """Make the row of an assessment; InvalidInputError names the part that is wrong."""
    kind, value, error = _read_judgement(payload)
    source = payload.get("source") or {}
    if not isinstance(source, dict):
        raise InvalidInputError("'source' must be an object with source_type and source_id")
    rationale = payload.get("rationale")
    create_time_ms = _read_time_ms(payload, "create_time", now_ms)
    return AssessmentRow(
        trace_id=trace_id,
        assessment_id=assessment_id,
        name=_read_text(payload, "assessment_name") or kind,
        kind=kind,
        value=value,
        error=error,
        source_type=str(source.get("source_type") or "SOURCE_TYPE_UNSPECIFIED"),
        source_id=str(source.get("source_id") or "default"),
        rationale=None if rationale is None else clean(str(rationale)),
        metadata=_read_metadata(payload),
        span_id=_read_text(payload, "span_id"),
        create_time_ms=create_time_ms,
        last_update_time_ms=_read_time_ms(payload, "last_update_time", create_time_ms),
        overrides=_read_text(payload, "overrides"),
        valid=_read_valid(payload),
        version=version,
    )


def read_initial(trace_id: str, text: Any, *, is_final: bool, now_ms: int) -> list[AssessmentRow]:
    """Make the rows of the list that a root carries (`semconv.ASSESSMENTS`), deleted ones too.

    Raises InvalidInputError where any of it can't be read.
    """
    payloads = from_json(text) if isinstance(text, str) else text
    if not isinstance(payloads, list) or not all(isinstance(one, dict) for one in payloads):
        raise InvalidInputError("they must be a JSON list of objects")
    rows = []
    for payload in payloads:
        row = read_assessment(
            trace_id,
            payload,
            assessment_id=name_assessment(payload),
            now_ms=now_ms,
            version=FINAL_INITIAL_VERSION if is_final else INITIAL_VERSION,
        )
        deleted = int(payload.get("deleted") is True)
        rows.append(msgspec.structs.replace(row, deleted=deleted))
    return rows


def change_assessment(
    row: AssessmentRow, payload: Mapping[str, Any], fields: Collection[str], *, now_us: int
) -> AssessmentRow:
    """Return the row with these of `CHANGEABLE` as the payload has them; metadata is merged.

    A rationale that the payload lacks is taken away. InvalidInputError where a field can't be
    changed, or a judgement is of another kind.
    """
    changes: dict[str, Any] = {"last_update_time_ms": now_us // 1000, "version": now_us}
    for field in fields:
        if field not in CHANGEABLE:
            raise InvalidInputError(
                f"{field!r} of an assessment can't be updated; only {', '.join(CHANGEABLE)} can"
            )
        if field in KINDS:
            changes.update(_change_judgement(row, payload, field))
        elif field == "assessment_name":
            changes["name"] = _read_text(payload, field) or row.name
        elif field == "rationale":
            rationale = payload.get(field)
            changes[field] = None if rationale is None else clean(str(rationale))
        else:
            changes[field] = {**row.metadata, **_read_metadata(payload)}
    return msgspec.structs.replace(row, **changes)


def _change_judgement(row: AssessmentRow, payload: Mapping[str, Any], kind: str) -> dict[str, str]:
    if row.kind != kind:
        raise InvalidInputError(
            f"Cannot update {kind} value on {'an' if row.kind[0] in 'ei' else 'a'} "
            f"{row.kind.capitalize()} assessment."
        )
    _, value, error = _read_judgement({kind: payload.get(kind) or {}})
    return {"value": value, "error": error}


def _read_judgement(payload: Mapping[str, Any]) -> tuple[str, str, str]:
    given = [kind for kind in KINDS if payload.get(kind) is not None]
    if len(given) != 1:
        raise InvalidInputError(
            f"an assessment holds exactly one of {', '.join(KINDS)}; got {len(given)}"
        )
    kind = given[0]
    judgement = payload[kind]
    if not isinstance(judgement, dict):
        raise InvalidInputError(f"{kind!r} must be an object, got {type(judgement).__name__}")
    if kind == "issue":
        return kind, to_json(judgement.get("issue_name", "")), ""
    serialized = judgement.get("serialized_value")
    if isinstance(serialized, dict) and isinstance(serialized.get("value"), str):
        return kind, keep_json(serialized["value"]), ""
    error = judgement.get("error")
    return kind, to_json(judgement.get("value")), _write_error(error) if error else ""


def _write_error(error: Any) -> str:
    """Keep the tail of a long stack trace, where the cause stands."""
    if isinstance(error, dict) and isinstance(error.get("stack_trace"), str):
        error = {**error, "stack_trace": error["stack_trace"][-MAX_STACK_TRACE_CHARS:]}
    return to_json(error)


def _read_text(payload: Mapping[str, Any], field: str) -> str:
    value = payload.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInputError(f"{field!r} must be a string, got {type(value).__name__}")
    return clean(value)


def _read_valid(payload: Mapping[str, Any]) -> int:
    value = payload.get("valid")
    if value not in (None, True, False):
        raise InvalidInputError(f"'valid' must be true or false, got {value!r}")
    return int(value is not False)


def _read_metadata(payload: Mapping[str, Any]) -> dict[str, str]:
    metadata = payload.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InvalidInputError("'metadata' must be an object of strings")
    return {
        clean(str(key)): clean(value) if isinstance(value, str) else to_json(value)
        for key, value in metadata.items()
    }


def _read_time_ms(payload: Mapping[str, Any], field: str, otherwise_ms: int) -> int:
    value = payload.get(field)
    if value is None:
        return otherwise_ms
    if not isinstance(value, str):
        raise InvalidInputError(f"{field!r} must be an RFC 3339 time, got {value!r}")
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        moment = moment.astimezone(timezone.utc)  # what is in no year of UTC could not be written
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"{field!r} must be an RFC 3339 time, got {value[:100]!r}"
        ) from None
    return (moment - EPOCH) // timedelta(milliseconds=1)
