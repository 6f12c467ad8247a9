"""The columns of a list of traces: what they are called, and how a trace fills them.

A column is a field of the API's trace (`trace_id`, `app_version`, `duration_ns` …), one of
`DERIVED`, or `metadata.<key>` or `tags.<key>`.
"""

from __future__ import annotations

from datetime import datetime, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

Info = dict[str, Any]

FIELDS = (
    "trace_id",
    "experiment_id",
    "name",
    "state",
    "request_time_ms",
    "duration_ns",
    "client_request_id",
    "request_preview",
    "response_preview",
    "environment",
    "app_version",
    "commit",
    "branch",
    "session",
    "user",
    "trace_metadata",
    "provenance",
    "tags",
    "assessments",
    "span_count",
    "error_count",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "size_bytes",
    "models",
)
SHORT_COMMIT = 7
PREFIXES = {"metadata": "trace_metadata", "tags": "tags"}
TABLE_COLUMNS = (
    "trace_id",
    "name",
    "state",
    "time",
    "duration_ms",
    "environment",
    "app_version",
    "session",
    "total_tokens",
)


def _time(info: Info) -> str:
    moment = datetime.fromtimestamp(info["request_time_ms"] / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _duration_ms(info: Info) -> float | None:
    duration_ns = info.get("duration_ns")
    return None if duration_ns is None else duration_ns / 1e6


def _short_commit(info: Info) -> str | None:
    """Return seven digits of the commit, with `*` where the work tree had other changes."""
    commit = info.get("commit")
    dirty = info["trace_metadata"].get(semconv.GIT_DIRTY) == "true"
    return f"{commit[:SHORT_COMMIT]}{'*' if dirty else ''}" if commit else None


DERIVED: dict[str, Callable[[Info], Any]] = {
    "time": _time,
    "duration_ms": _duration_ms,
    "short_commit": _short_commit,
}


def read_columns(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """Read `--columns`: names separated by commas."""
    if text is None:
        return default
    columns = tuple(part.strip() for part in text.split(",") if part.strip())
    if not columns:
        raise InvalidInputError("--columns names no column")
    for column in columns:
        _check(column)
    return columns


def value_of(info: Info, column: str) -> Any:
    """Return what a trace has in a column; None where it has nothing."""
    if column in DERIVED:
        return DERIVED[column](info)
    prefix, _, key = column.partition(".")
    if key:
        return info[PREFIXES[prefix]].get(key.strip("`"))
    return info.get(column)


def _check(column: str) -> None:
    prefix, _, key = column.partition(".")
    if column in FIELDS or column in DERIVED or (key and prefix in PREFIXES):
        return
    close = get_close_matches(column, [*FIELDS, *DERIVED], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    known = ", ".join((*DERIVED, *FIELDS, "metadata.<key>", "tags.<key>"))
    raise InvalidInputError(f"unknown column {column!r}{hint} (columns: {known})")
