"""Assessments and the rest of a trace's head, from the rows of MLflow's database.

What comes out is MLflow's JSON, which Whence reads, and MLflow's own server answers with.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from whence.entities.timestamp import format_timestamp
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KINDS = ("feedback", "expectation", "issue")
SOURCE_RUN = "mlflow.assessment.sourceRunId"
STATES = {"OK": "OK", "ERROR": "ERROR", "IN_PROGRESS": "IN_PROGRESS"}

# Columns of `trace_info` that newer versions keep in place of metadata, which is their JSON text.
TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
)
COST_COLUMNS = ("input_cost", "output_cost", "total_cost")


def read_judgement(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assessment from its row. Raises InvalidInputError."""
    kind = row["assessment_type"]
    if kind not in KINDS:
        raise InvalidInputError(f"assessment {row['assessment_id']}: its kind is {kind!r}")
    metadata = _load(row, "assessment_metadata") or {}
    if row.get("run_id"):
        metadata.setdefault(SOURCE_RUN, row["run_id"])
    error = _load(row, "error")
    judgement: dict[str, Any]
    if kind == "issue":
        judgement = {"issue_id": row["name"], "issue_name": _load(row, "value")}
    elif kind == "expectation":
        judgement = {"serialized_value": {"value": row["value"]}}
    else:
        judgement = {"value": _load(row, "value")}
        if error:
            judgement["error"] = error
    found = {
        "assessment_id": row["assessment_id"],
        "assessment_name": row["name"],
        "source": {"source_type": row["source_type"], "source_id": row["source_id"] or "default"},
        "create_time": format_timestamp(row["created_timestamp"]),
        "last_update_time": format_timestamp(row["last_updated_timestamp"]),
        kind: judgement,
        "rationale": row["rationale"],
        "metadata": metadata or None,
        "span_id": row["span_id"],
        "overrides": row["overrides"],
        "valid": bool(row["valid"]),
    }
    return {name: value for name, value in found.items() if value is not None}


def write_columns(row: Mapping[str, Any], columns: Collection[str]) -> str | None:
    """Return the JSON text that MLflow answers with for these columns, or None."""
    said = {column: row[column] for column in columns if row.get(column) is not None}
    return json.dumps(said) if said else None


def _load(row: Mapping[str, Any], column: str) -> Any:
    text = row.get(column)
    if text is None or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            f"assessment {row['assessment_id']}: its {column} is no JSON: {error}"
        ) from None
