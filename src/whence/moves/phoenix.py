"""Phoenix's exports as traces: one table says what becomes of each column.

Read are rows of spans as its dataframes have them (`context.trace_id`, `attributes.llm.model_name`,
…; as CSV, JSON lines or Parquet) and as its API and its interface export them (`context` and
`attributes` as objects, flat or nested), and rows of annotations, of spans or of traces. Attributes
are OpenInference's, which the server reads as it does of any program: they are only brought into
the flat form that programs send.

An annotation of a span says nothing of its trace: the span must be in the same import, in any file.
For that the ids of spans are held in memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from whence import semconv
from whence.entities.timestamp import format_timestamp
from whence.errors import InvalidInputError
from whence.moves.trace import (
    OVERHEAD_BYTES,
    Found,
    MovedTrace,
    Unreadable,
    digits_of,
    own_id_of,
    span_digits_of,
)
from whence.moves.values import NS_PER_MS, read_number, read_text, read_texts, read_time_ns
from whence.otlp.records import STATUS_NAMES, Event, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from whence.moves.rows import Row

# --- The mapping: what is asked for → the columns that may hold it ------------------------------
COLUMNS: dict[str, tuple[str, ...]] = {
    "trace_id": ("context.trace_id", "trace_id"),
    "span_id": ("context.span_id", "span_id"),
    "parent_id": ("parent_id", "parent_span_id"),
    "name": ("name",),
    "kind": ("span_kind", "attributes.openinference.span.kind"),
    "start": ("start_time", "start_time_unix_nano"),
    "end": ("end_time", "end_time_unix_nano"),
    "status": ("status_code", "status.code"),
    "status_message": ("status_message", "status.message"),
    "events": ("events",),
    "annotations": ("annotations", "span_annotations"),
    "annotation_id": ("id",),
    "annotation_name": ("annotation_name", "name"),
    "annotator": ("annotator_kind",),
    "annotator_id": ("user_id", "identifier"),
    "label": ("result.label", "label"),
    "score": ("result.score", "score"),
    "explanation": ("result.explanation", "explanation"),
    "metadata": ("metadata",),
    "created": ("created_at",),
    "updated": ("updated_at",),
}
ATTRIBUTE_PREFIX = "attributes."
SPAN_KIND = "openinference.span.kind"
SOURCES = {"HUMAN": "HUMAN", "LLM": "LLM_JUDGE", "CODE": "CODE"}
UNKNOWN_KINDS = ("", "UNKNOWN")
# Lists of objects that OpenInference spreads over indexed attributes; objects within them too.
MAX_FLAT_ITEMS = 10_000


class Reader:
    """Makes traces of rows. `experiment` is what they come into."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._traces: dict[str, str] = {}  # of spans
        self._waiting: list[tuple[str, dict[str, Any]]] = []  # annotations whose span is not known

    def read(self, rows: Iterable[tuple[str, Row] | Unreadable]) -> Iterator[Found]:
        """Yield parts of traces: the server puts them together."""
        for one in rows:
            if isinstance(one, Unreadable):
                yield one
                continue
            place, row = one
            try:
                yield from self._read_row(place, _flatten_row(row))
            except InvalidInputError as error:
                yield Unreadable(place, error.message)
        for place, row in self._waiting:
            yield self._resolve(place, row)

    def _read_row(self, place: str, row: Row) -> Iterator[Found]:
        if "annotator_kind" in row or "annotation_name" in row:
            if _get(row, "trace_id") is None:
                self._waiting.append((place, row))
            else:
                yield self._make_annotated(own_id_of(str(_get(row, "trace_id"))), row)
            return
        yield self._read_span(row)

    def _read_span(self, row: Row) -> MovedTrace:
        trace_id = own_id_of(_need(row, "trace_id", "context.trace_id"))
        if "/" in trace_id:
            raise InvalidInputError(f"the trace id {trace_id[:100]!r} has a '/'")
        span_id = span_digits_of(_need(row, "span_id", "context.span_id"))
        start_ns = read_time_ns(_get(row, "start"))
        if start_ns is None:
            raise InvalidInputError(f"span {span_id} has no start_time")
        end_ns = read_time_ns(_get(row, "end"))
        parent_id = read_text(_get(row, "parent_id"))
        record = SpanRecord(
            trace_id=digits_of(trace_id),
            span_id=span_id,
            parent_id=span_digits_of(parent_id) if parent_id else None,
            name=read_text(_get(row, "name")) or "span",
            start_time_ns=start_ns,
            end_time_ns=max(start_ns if end_ns is None else end_ns, start_ns),
            status=_read_status(_get(row, "status")),
            status_message=read_text(_get(row, "status_message")) or "",
            attributes=_read_attributes(row),
            events=_read_events(_get(row, "events")),
        )
        self._traces[span_id] = trace_id
        trace = self._make(trace_id, spans=[record])
        trace.size_bytes = OVERHEAD_BYTES + sum(len(str(value)) for value in row.values())
        listed = _get(row, "annotations")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                trace.assessments.append(_read_annotation(_flatten_row(one), span_id))
        return trace

    def _resolve(self, place: str, row: Row) -> Found:
        span_id = read_text(_get(row, "span_id"))
        if span_id is None:
            return Unreadable(place, "an annotation without the id of a span or of a trace")
        digits = span_digits_of(span_id)
        trace_id = self._traces.get(digits)
        if trace_id is None:
            return Unreadable(place, f"its span {span_id[:100]!r} is in none of these files")
        return self._make_annotated(trace_id, row)

    def _make_annotated(self, trace_id: str, row: Row) -> MovedTrace:
        span_id = read_text(_get(row, "span_id"))
        digits = None if span_id is None else span_digits_of(span_id)
        return self._make(trace_id, assessments=[_read_annotation(row, digits)])

    def _make(self, trace_id: str, **given: Any) -> MovedTrace:
        given.setdefault("assessments", [])
        return MovedTrace(
            trace_id=trace_id,
            experiment=self._experiment,
            size_bytes=OVERHEAD_BYTES,
            is_part=True,
            **given,
        )


def _flatten_row(row: Mapping[str, Any]) -> Row:
    """Return a row with the objects `context`, `status` and `result` as columns."""
    flat = {}
    for key, value in row.items():
        if key in ("context", "status", "result") and isinstance(value, dict):
            flat.update({f"{key}.{name}": one for name, one in value.items()})
        else:
            flat[key] = value
    return flat


def _get(row: Row, wanted: str) -> Any:
    for column in COLUMNS[wanted]:
        value = row.get(column)
        if value is not None and value == value:  # noqa: PLR0124 - a dataframe's gap is NaN
            return value
    return None


def _need(row: Row, wanted: str, name: str) -> str:
    value = read_text(_get(row, wanted))
    if value is None:
        raise InvalidInputError(f"it has no {name}")
    return value


def _read_status(value: Any) -> int:
    name = str(value or "").rpartition(".")[2].removeprefix("STATUS_CODE_").upper()
    return STATUS_NAMES.index(name) if name in STATUS_NAMES else 0


def _read_attributes(row: Row) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    whole = row.get("attributes")
    if isinstance(whole, dict):
        for key, value in whole.items():
            _flatten(key, value, attributes)
    for column, value in row.items():
        if column.startswith(ATTRIBUTE_PREFIX):
            _flatten(column[len(ATTRIBUTE_PREFIX) :], value, attributes)
    kind = str(_get(row, "kind") or "").upper()
    if kind not in UNKNOWN_KINDS:
        attributes.setdefault(SPAN_KIND, kind)
    return attributes


def _flatten(key: str, value: Any, into: dict[str, Any]) -> None:
    """Spread objects, and lists of objects, over dotted keys; `metadata` stays an object."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return
    if len(into) >= MAX_FLAT_ITEMS or key in semconv.METADATA_SOURCE_OBJECTS:
        into[key] = value
    elif isinstance(value, dict):
        for name, one in value.items():
            _flatten(f"{key}.{name}", one, into)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            _flatten(f"{key}.{number}", one, into)
    else:
        into[key] = value


def _read_events(value: Any) -> list[Event]:
    events = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            attributes = one.get("attributes")
            time_ns = read_time_ns(one.get("timestamp", one.get("time_unix_nano"))) or 0
            kept = attributes if isinstance(attributes, dict) else {}
            events.append(Event(str(one.get("name", "")), time_ns, kept))
    return events


def _read_annotation(row: Row, span_id: str | None) -> dict[str, Any]:
    label, score = read_text(_get(row, "label")), read_number(_get(row, "score"))
    metadata = read_texts(_get(row, "metadata"))
    if label is not None and score is not None:
        metadata["label"] = label
    made_ns = read_time_ns(_get(row, "created"))
    changed_ns = read_time_ns(_get(row, "updated")) or made_ns
    annotator = str(_get(row, "annotator") or "").upper()
    found = {
        "assessment_id": read_text(_get(row, "annotation_id")),
        "assessment_name": read_text(_get(row, "annotation_name")) or "annotation",
        "source": {
            "source_type": SOURCES.get(annotator, "SOURCE_TYPE_UNSPECIFIED"),
            "source_id": read_text(_get(row, "annotator_id")) or "phoenix",
        },
        "feedback": {"value": label if score is None else score},
        "rationale": read_text(_get(row, "explanation")),
        "metadata": metadata or None,
        "span_id": span_id,
        "create_time": None if made_ns is None else format_timestamp(made_ns // NS_PER_MS),
        "last_update_time": None
        if changed_ns is None
        else format_timestamp(changed_ns // NS_PER_MS),
    }
    return {key: value for key, value in found.items() if value is not None}
